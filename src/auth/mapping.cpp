#include "auth/mapping.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace berth::auth {

namespace {

// The first of `wanted` that `held` lacks, or null.
const std::string* first_missing(const std::vector<std::string>& wanted,
                                 const std::vector<std::string>& held) {
    const auto at = std::ranges::find_if(wanted, [&](const std::string& item) {
        return std::ranges::find(held, item) == held.end();
    });
    return at == wanted.end() ? nullptr : &*at;
}

// Why `rule` does not match, or "".
std::string mismatch(const Identity& identity, const MappingRule& rule) {
    if (rule.issuer != identity.issuer_name)
        return "the issuer is " + identity.issuer_name + ", not " + rule.issuer;
    if (!rule.subject.empty() && rule.subject != identity.subject)
        return "the subject is not " + printable(rule.subject);
    if (!rule.groups.empty() && identity.has_capabilities)
        return "the token has capability scopes, so its groups do not count";
    if (const auto* group = first_missing(rule.groups, identity.groups))
        return "the token is not in the group " + *group;
    if (const auto* scope = first_missing(rule.scopes, identity.scopes))
        return "the token has no scope " + *scope;
    if (rule.account.empty())
        return "the rule names no account";
    return {};
}

}  // namespace

MappingDecision map(const Identity& identity, std::span<const MappingRule> rules) {
    MappingDecision decision;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto& rule = rules[i];
        auto why = mismatch(identity, rule);
        const bool matched = why.empty();
        if (matched && decision.allowed)
            why = "it matches too, but rule " + std::to_string(decision.rule + 1) + " comes first";
        else if (matched)
            why = "issuer, subject, groups and scopes match: account " + rule.account;
        decision.considered.push_back({i, matched, std::move(why)});
        if (!matched || decision.allowed)
            continue;
        decision.allowed = true;
        decision.rule = i;
        decision.account = rule.account;
        decision.batch_account = rule.batch_account;
        decision.queues = rule.queues;
        decision.account_wide = rule.account_wide;
        decision.jobs_max = rule.jobs_max;
        decision.verbs = identity.verbs;
        if (!identity.has_capabilities && !rule.groups.empty())
            decision.verbs = rule.grants;
    }
    return decision;
}

bool may_act_on(const Identity& identity, const MappingDecision& decision,
                std::string_view owner_issuer, std::string_view owner_subject,
                std::string_view job_account) {
    if (!decision.allowed)
        return false;
    if (identity.issuer == owner_issuer && identity.subject == owner_subject)
        return true;
    return decision.account_wide && decision.account == job_account;
}

}  // namespace berth::auth
