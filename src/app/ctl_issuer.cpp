// `berthctl issuer`: a token issuer in a folder, FOR DEVELOPMENT ONLY. It makes keys and signs
// tokens for the quick start and for tests; no site should trust it.
#include "app/ctl.hpp"
#include "auth/mint.hpp"
#include "base/files.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"

#include <sys/stat.h>

#include <chrono>
#include <cstdio>

namespace berth::ctl {

namespace {

int fail(const std::string& message) {
    std::fprintf(stderr, "berthctl: %s\n", message.c_str());
    return 1;
}

}  // namespace

int issuer_init(const std::string& directory, const std::string& url, const std::string& name) {
    std::fprintf(stderr, "berthctl: this issuer is for development only\n");
    if (!url.starts_with("https://"))
        return fail("the URL of an issuer begins with https://");
    struct stat info {};
    if (::stat((directory + "/issuer.pem").c_str(), &info) == 0)
        return fail("there is an issuer in " + directory +
                    " already; its tokens would be worthless with a new key. Remove the folder "
                    "first, or choose another");
    ::mkdir(directory.c_str(), 0700);
    const auto kid = "dev-" + random_base32(8);
    const auto key = auth::DevelopmentKey::make(auth::Algorithm::es256, kid);
    if (!key)
        return fail(key.error().message);
    const nlohmann::json about = {{"name", name}, {"url", url}, {"kid", kid}};
    for (const auto& [file, text, mode] : {std::tuple("/issuer.pem", key->to_pem(), 0600U),
                                           std::tuple("/jwks.json", key->jwks(), 0644U),
                                           std::tuple("/issuer.json", about.dump(2) + "\n", 0644U)})
        if (auto written = replace_file(directory + file, text, mode); !written)
            return fail(written.error().message);
    std::printf("%s/jwks.json\n", directory.c_str());
    return 0;
}

int issuer_token(const TokenRequest& wanted) {
    if (wanted.subject.empty() || wanted.audience.empty() || wanted.lifetime_s < 1)
        return fail("a token needs a subject, an audience, and a lifetime above 0");
    const auto about_text = read_file(wanted.directory + "/issuer.json");
    const auto pem = read_file(wanted.directory + "/issuer.pem");
    if (!about_text || !pem)
        return fail("there is no issuer in " + wanted.directory +
                    "; make one: berthctl issuer init");
    const auto about = nlohmann::json::parse(*about_text, nullptr, false);
    if (!about.is_object() || !about.contains("kid") || !about.contains("url"))
        return fail(wanted.directory + "/issuer.json is damaged; make the issuer anew");
    const auto key = auth::DevelopmentKey::from_pem(*pem, about["kid"].get<std::string>());
    if (!key)
        return fail(key.error().message);
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    nlohmann::json claims = {{"wlcg.ver", "1.0"},
                             {"iss", about["url"]},
                             {"sub", wanted.subject},
                             {"aud", wanted.audience},
                             {"scope", wanted.scope},
                             {"iat", now},
                             {"nbf", now},
                             {"exp", now + wanted.lifetime_s},
                             {"jti", random_base32(26)}};
    if (!wanted.groups.empty()) {
        claims["wlcg.groups"] = nlohmann::json::array();
        for (const auto group : split(wanted.groups, ','))
            claims["wlcg.groups"].push_back(std::string(group));
    }
    std::printf("%s\n", key->sign(claims).c_str());
    return 0;
}

}  // namespace berth::ctl
