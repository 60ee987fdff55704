#include "auth/lint.hpp"

#include "auth/claims.hpp"
#include "auth/discovery.hpp"
#include "auth/keys.hpp"
#include "auth/verifier.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace berth::auth {

namespace {

// Accounts of Debian's base-passwd and of services beside which Berth runs.
constexpr std::array<std::string_view, 38> system_accounts{
    "root",     "daemon", "bin",    "sys",     "sync",       "games",    "man",      "lp",
    "mail",     "news",   "uucp",   "proxy",   "www-data",   "backup",   "list",     "irc",
    "gnats",    "nobody", "_apt",   "sshd",    "messagebus", "operator", "halt",     "shutdown",
    "adm",      "ftp",    "dbus",   "polkitd", "slurm",      "munge",    "pbsadmin", "pbsdata",
    "postgres", "mysql",  "apache", "nginx",   "squid",      "berth",
};

class Linter {
public:
    Linter(const AuthSettings& settings, std::string_view own_account)
        : settings_(settings), own_account_(own_account) {}

    void issuer(std::size_t index);
    void rule(const MappingRule& rule, std::size_t index);
    void ban(std::size_t index);
    void audiences();

    std::vector<ConfigProblem> take() { return std::move(problems_); }

private:
    void add(std::string_view list, std::size_t index, std::string_view key, std::string message,
             bool fatal = true) {
        problems_.push_back(
            {std::string(list) + "[" + std::to_string(index) + "]." + std::string(key),
             std::move(message), fatal});
    }
    void known_issuer(std::string_view list, std::size_t index, const std::string& name);
    void subject(std::size_t index, const std::string& subject);

    const AuthSettings& settings_;
    std::string_view own_account_;
    std::vector<ConfigProblem> problems_;
};

void Linter::known_issuer(std::string_view list, std::size_t index, const std::string& name) {
    if (settings_.find_name(name) != nullptr)
        return;
    std::vector<std::string_view> names;
    for (const auto& known : settings_.issuers)
        names.push_back(known.name);
    const auto meant = nearest(name, names);
    add(list, index, "issuer",
        "no issuer has the name \"" + printable(name, 60) + "\"" +
            (meant.empty() ? std::string() : "; did you mean \"" + std::string(meant) + "\"?"));
}

void Linter::issuer(std::size_t index) {
    const auto& issuer = settings_.issuers[index];
    const auto bad = [&](std::string_view key, std::string message, bool fatal = true) {
        add("issuer", index, key, std::move(message), fatal);
    };
    if (issuer.name.empty())
        bad("name", "an issuer needs a name that mapping rules can refer to");
    if (settings_.find_name(issuer.name) != &issuer)
        bad("name", "two issuers have the name \"" + issuer.name + "\"");
    if (settings_.find_url(issuer.url) != &issuer)
        bad("url", "two issuers have this url");
    if (!parse_https_url(issuer.url))
        bad("url", "an issuer is an https:// URL without user, query or fragment");
    if (issuer.exp_leeway < std::chrono::seconds(0) || issuer.exp_leeway > exp_leeway_max)
        bad("exp_leeway", "the leeway after the expiry is 0 to 60 seconds");
    if (issuer.max_lifetime <= std::chrono::seconds(0))
        bad("max_lifetime", "the longest lifetime must be above 0");
    else if (issuer.max_lifetime > std::chrono::hours(6))
        bad("max_lifetime",
            "tokens of more than 6 hours are outside the WLCG profile unless other measures are "
            "agreed with the issuer",
            false);
}

void Linter::audiences() {
    if (settings_.audiences.empty() && !settings_.issuers.empty())
        problems_.push_back({"api.audience",
                             "without an audience only tokens for any audience are accepted",
                             false});
    for (const auto& audience : settings_.audiences)
        if (audience == "ANY" || audience == "https://wlcg.cern.ch/jwt/v1/any")
            problems_.push_back({"api.audience",
                                 "a service cannot call itself by the audience that means any "
                                 "service; use the issuer's accept_any_audience"});
}

// Subjects are compared exactly. What looks like a pattern was meant as one and would match
// nobody, or everybody with some other software.
void Linter::subject(std::size_t index, const std::string& subject) {
    if (std::ranges::any_of(subject, [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E;
        }))
        add("mapping", index, "subject", "a subject is printable ASCII on one line");
    else if (subject.find('*') != std::string::npos || subject.starts_with('^') ||
             subject.ends_with('$') ||
             (subject.size() > 1 && subject.starts_with('/') && subject.ends_with('/')))
        add("mapping", index, "subject",
            "a subject is compared exactly and is not a pattern; leave it out to match any");
}

void Linter::rule(const MappingRule& rule, std::size_t index) {
    known_issuer("mapping", index, rule.issuer);
    subject(index, rule.subject);
    const auto problem = account_problem(rule.account);
    const bool own = !own_account_.empty() && rule.account == own_account_;
    if (!problem.empty() && !own)
        add("mapping", index, "account", problem);
    for (const auto& group : rule.groups)
        if (!is_group(group))
            add("mapping", index, "groups",
                "\"" + printable(group, 60) + "\" is not a group of the form /vo/sub");
    if (!rule.grants.empty() && rule.groups.empty())
        add("mapping", index, "grants", "grants have a meaning only in a rule with groups");
    if (!rule.groups.empty() && rule.grants.empty())
        add("mapping", index, "groups",
            "groups count only for tokens without capability scopes, and such a token may do "
            "nothing unless the rule has grants",
            false);
}

void Linter::ban(std::size_t index) {
    const auto& ban = settings_.bans[index];
    if (ban.issuer.empty() && ban.subject.empty() && ban.jti.empty() && ban.kid.empty())
        add("ban", index, "subject", "a ban without any field is not applied");
    if (!ban.issuer.empty())
        known_issuer("ban", index, ban.issuer);
}

}  // namespace

std::string account_problem(std::string_view account) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    const auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; };
    if (account.empty())
        return "the rule needs an account";
    if (account.size() > 32 || !letter(account.front()) || !std::ranges::all_of(account, rest))
        return "\"" + printable(account, 60) +
               "\" is not an account name: a-z or _, then up to 31 of a-z, 0-9, _ and -";
    if (std::ranges::find(system_accounts, account) != system_accounts.end() ||
        account.starts_with("systemd-"))
        return "jobs must not run as the system account \"" + std::string(account) + "\"";
    return {};
}

std::vector<ConfigProblem> lint(const AuthSettings& settings, std::span<const MappingRule> rules,
                                std::string_view own_account) {
    Linter linter(settings, own_account);
    for (std::size_t i = 0; i < settings.issuers.size(); ++i)
        linter.issuer(i);
    linter.audiences();
    for (std::size_t i = 0; i < settings.bans.size(); ++i)
        linter.ban(i);
    for (std::size_t i = 0; i < rules.size(); ++i)
        linter.rule(rules[i], i);
    return linter.take();
}

}  // namespace berth::auth
