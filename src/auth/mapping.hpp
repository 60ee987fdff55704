// From a verified identity to a local account: ordered rules, the first that matches wins, and
// none means no. No claim ever becomes an account name by itself. Pure functions.
#pragma once

#include "auth/identity.hpp"

#include <set>
#include <span>
#include <string>
#include <vector>

namespace berth::auth {

struct MappingRule {
    std::string issuer = {};               // name in the configuration
    std::string subject = {};              // "" = any; else compared exactly, never a pattern
    std::vector<std::string> groups = {};  // all of them; "/atlas/uk" is not "/atlas"
    std::vector<std::string> scopes = {};  // all of them
    // What a token without any capability scope may do when this rule matches it by its groups
    // (WLCG profile 2.2.3: groups are the other way to authorise). Nothing by default.
    std::set<Verb> grants = {};
    std::string account = {};
    std::string batch_account = {};        // Slurm account or PBS account; "" = the default
    std::vector<std::string> queues = {};  // empty = every queue of the site
    bool account_wide = false;  // may act on all jobs of its account, not only on its own
    std::size_t jobs_max = 0;   // unfinished jobs of one identity; 0 = no limit
};

struct RuleVerdict {
    std::size_t rule = 0;  // index
    bool matched = false;
    std::string why;
};

struct MappingDecision {
    bool allowed = false;
    std::size_t rule = 0;  // that matched; meaningless when not allowed
    std::string account = {};
    std::string batch_account = {};
    std::vector<std::string> queues = {};
    bool account_wide = false;
    std::size_t jobs_max = 0;
    std::set<Verb> verbs = {};  // the identity's own, or the rule's grants without capabilities
    std::vector<RuleVerdict> considered = {};  // every rule, also those after the match
};

MappingDecision map(const Identity& identity, std::span<const MappingRule> rules);

// True if `identity` may act on a job of (owner_issuer, owner_subject) in `job_account`: its own,
// or with account_wide any of its account. One account may serve several people.
bool may_act_on(const Identity& identity, const MappingDecision& decision,
                std::string_view owner_issuer, std::string_view owner_subject,
                std::string_view job_account);

}  // namespace berth::auth
