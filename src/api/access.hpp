// Who is asking, and may they: from the Authorization field to the owner of jobs.
#pragma once

#include "auth/authenticator.hpp"
#include "auth/mapping.hpp"
#include "base/metrics.hpp"
#include "jobs/request.hpp"
#include "net/server.hpp"

#include <memory>
#include <set>
#include <vector>

namespace berth::api {

struct Caller {
    auth::Identity identity = {};
    jobs::Owner owner = {};
    std::set<auth::Verb> verbs = {};
};

// Threads: the control loop. Lifetime: the authenticator outlives it.
class Access {
public:
    Access(auth::Authenticator& authenticator, Metrics& metrics,
           std::vector<auth::MappingRule> rules)
        : authenticator_(authenticator), metrics_(metrics), rules_(std::move(rules)) {}
    void reload(std::vector<auth::MappingRule> rules) { rules_ = std::move(rules); }

    // Errors: unauthorized (field = reason code), forbidden (scope, mapping or ban), unavailable.
    // `wanted` are the verbs of which one is needed.
    Async<Caller> check(const net::Request& request, const std::vector<auth::Verb>& wanted);

    const std::vector<auth::MappingRule>& rules() const { return rules_; }
    auth::Authenticator& authenticator() { return authenticator_; }

private:
    auth::Authenticator& authenticator_;
    Metrics& metrics_;
    std::vector<auth::MappingRule> rules_;
};

jobs::Owner owner_of(const auth::Identity& identity, const auth::MappingDecision& decision);

// 401, 403 or 503 with the challenge of RFC 6750, which says why without detail of the check.
http::Response refuse(const Error& error, const std::vector<auth::Verb>& wanted);

}  // namespace berth::api
