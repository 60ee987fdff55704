// A token from anybody: splitting, header rules, claims and profile rules. The signature is not
// checked here, so that the fuzzer gets past it.
#include "auth/reason.hpp"
#include "auth/verifier.hpp"

#include <cstdint>
#include <cstdlib>

using namespace berth;
using namespace berth::auth;

namespace {

AuthSettings make_settings() {
    AuthSettings settings;
    settings.issuers.push_back({"wlcg", "https://wlcg.example.org"});
    settings.issuers.push_back({"sci", "https://sci.example.org", Profile::scitokens});
    settings.audiences = {"https://ce.example.org"};
    return settings;
}

// What must hold for anybody who gets in.
void check(const Identity& identity, const Claims& claims, WallTime now) {
    if (identity.subject.empty() || identity.expires <= now || identity.kid.empty() ||
        claims.audiences.empty() || (!identity.verbs.empty() && !identity.has_capabilities) ||
        (identity.has_capabilities && !identity.groups.empty()))
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto settings = make_settings();
    const WallTime now(std::chrono::seconds(1'800'000'000));
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto token = read_token(text);
    if (!token) {
        if (token.error().kind != ErrorKind::unauthorized || token.error().field.empty())
            std::abort();
        return 0;
    }
    const auto* issuer = settings.find_url(issuer_of(token->claims));
    const auto claims = read_claims(token->claims);
    if (issuer == nullptr || !claims)
        return 0;
    const Context context{*token, *claims, *issuer, settings, now};
    const auto identity = judge(context, text);
    bool all_good = true;
    for (const auto& one : explain_rules(context))
        all_good = all_good && one.ok;
    if (all_good != identity.has_value())
        std::abort();
    if (identity)
        check(*identity, *claims, now);
    return 0;
}
