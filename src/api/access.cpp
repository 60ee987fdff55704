#include "api/access.hpp"

#include "auth/token.hpp"
#include "base/log.hpp"
#include "http/problem.hpp"

#include <algorithm>

namespace berth::api {

namespace {

std::string scope_of(auth::Verb verb) {
    return "compute." + std::string(to_string(verb));
}

std::string scopes_of(const std::vector<auth::Verb>& verbs) {
    std::string text;
    for (const auto verb : verbs)
        text += (text.empty() ? "" : " ") + scope_of(verb);
    return text;
}

Error forbidden(std::string code, std::string message) {
    return Error{ErrorKind::forbidden, std::move(message), std::move(code)};
}

}  // namespace

jobs::Owner owner_of(const auth::Identity& identity, const auth::MappingDecision& decision) {
    return {.issuer = identity.issuer,
            .subject = identity.subject,
            .account = decision.account,
            .batch_account = decision.batch_account,
            .queues = decision.queues,
            .account_wide = decision.account_wide,
            .jobs_max = static_cast<unsigned>(decision.jobs_max)};
}

Async<Caller> Access::check(const net::Request& request, const std::vector<auth::Verb>& wanted) {
    auto token = auth::read_bearer(request.head.headers);
    if (!token) {
        metrics_.add("berth_token_checks_total", {{"outcome", token.error().field}});
        co_return token.error();
    }
    auto identity = co_await authenticator_.authenticate(std::move(*token));
    if (!identity) {
        log::audit("token_refused", {{"peer", request.peer},
                                     {"reason", identity.error().field},
                                     {"method", request.head.method},
                                     {"path", request.head.path}});
        if (identity.error().field == "banned")
            co_return forbidden("banned", "this identity is banned at this site");
        co_return identity.error();
    }
    const auto decision = auth::map(*identity, rules_);
    if (!decision.allowed)
        co_return forbidden("mapping", "no mapping rule of this site fits this identity");
    const auto has = [&](auth::Verb verb) { return decision.verbs.contains(verb); };
    if (std::ranges::none_of(wanted, has))
        co_return forbidden("scope", "the token lacks the scope " + scopes_of(wanted));
    Caller caller;
    caller.owner = owner_of(*identity, decision);
    caller.verbs = decision.verbs;
    caller.identity = std::move(*identity);
    co_return caller;
}

http::Response refuse(const Error& error, const std::vector<auth::Verb>& wanted) {
    auto shown = error;
    shown.field.clear();  // the code is for the metrics and the challenge
    auto response = http::problem(shown);
    if (error.kind == ErrorKind::unauthorized) {
        std::string challenge = "Bearer realm=\"berth\"";
        if (error.field != "missing")
            challenge += ", error=\"invalid_token\", error_description=\"" + error.message + "\"";
        response.headers.set("WWW-Authenticate", challenge);
    } else if (error.kind == ErrorKind::forbidden && error.field == "scope") {
        response.headers.set("WWW-Authenticate",
                             "Bearer realm=\"berth\", error=\"insufficient_scope\", scope=\"" +
                                 scopes_of(wanted) + "\"");
    }
    return response;
}

}  // namespace berth::api
