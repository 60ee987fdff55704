// An authenticator with two issuers whose documents come from memory, and a clock that the test
// moves.
#pragma once

#include "auth/authenticator.hpp"
#include "auth/base64url.hpp"
#include "auth/mint.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <exception>
#include <functional>
#include <optional>

namespace berth::auth::test {

using nlohmann::json;

// Keys are made once per program: RSA takes its time.
inline const DevelopmentKey& rsa_key() {
    static const auto key = *DevelopmentKey::make(Algorithm::rs256, "rsa-1");
    return key;
}
inline const DevelopmentKey& ec_key() {
    static const auto key = *DevelopmentKey::make(Algorithm::es256, "ec-1");
    return key;
}
inline const DevelopmentKey& other_key() {  // the second issuer's, under a kid of the first
    static const auto key = *DevelopmentKey::make(Algorithm::es256, "ec-1");
    return key;
}

inline std::string jwks_of(std::initializer_list<json> keys) {
    json set;
    set["keys"] = json(std::vector<json>(keys));
    return set.dump();
}

inline std::string metadata_of(const std::string& issuer, const std::string& jwks_uri) {
    return json{{"issuer", issuer}, {"jwks_uri", jwks_uri}}.dump();
}

class FakeFetcher final : public KeyFetcher {
public:
    std::map<std::string, std::string> documents;
    std::vector<std::string> asked;
    bool down = false;
    bool held = false;

    Async<std::string> fetch(std::string url, FetchRules) override {
        asked.push_back(url);
        while (held)
            co_await sleep_for(std::chrono::milliseconds(1));
        if (down)
            co_return Error{ErrorKind::unavailable, "the issuer is down"};
        const auto at = documents.find(url);
        if (at == documents.end())
            co_return Error{ErrorKind::not_found, "404"};
        co_return at->second;
    }

    void serve(const std::string& issuer, std::string jwks) {
        documents[issuer + "/.well-known/openid-configuration"] =
            metadata_of(issuer, issuer + "/jwks");
        documents[issuer + "/jwks"] = std::move(jwks);
    }
};

// Drives `loop` until `work` is done, at most 10 s.
template <class T>
T run(boost::asio::io_context& loop, boost::asio::awaitable<T> work) {
    std::optional<T> result;
    std::exception_ptr failure;
    boost::asio::co_spawn(loop, std::move(work), [&](std::exception_ptr error, T value) {
        failure = std::move(error);
        result = std::move(value);
    });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    loop.restart();
    while (!result && std::chrono::steady_clock::now() < end)
        loop.run_one_for(std::chrono::milliseconds(100));
    if (failure)
        std::rethrow_exception(failure);
    if (!result)
        throw std::runtime_error("the coroutine did not end");
    return std::move(*result);
}

inline boost::asio::awaitable<bool> stopped(Authenticator& authenticator) {
    co_await authenticator.stop();
    co_return true;
}

inline const std::string wlcg = "https://wlcg.example.org";
inline const std::string scitokens = "https://sci.example.org/vo/";
inline const std::string here = "https://ce.example.org:8443";

class Bench : public testing::Test {
protected:
    Bench() {
        fetcher.serve(wlcg, jwks_of({rsa_key().jwk(), ec_key().jwk()}));
        fetcher.documents["https://sci.example.org/vo/.well-known/openid-configuration"] =
            metadata_of(scitokens, "https://sci.example.org/keys");
        fetcher.documents["https://sci.example.org/keys"] = jwks_of({other_key().jwk()});
        settings.issuers.push_back({"wlcg", wlcg});
        settings.issuers.push_back({"sci", scitokens, Profile::scitokens});
        settings.audiences = {here, "condor://ce.example.org"};
        settings.keys.system_caches.clear();
    }
    ~Bench() override {
        if (authenticator)
            run(loop, stopped(*authenticator));
        pool.join();
    }

    Authenticator& auth() {
        if (!authenticator)
            authenticator =
                std::make_unique<Authenticator>(loop, pool, fetcher, clock, metrics, settings);
        return *authenticator;
    }
    std::int64_t now() const { return to_ms(clock.wall()) / 1000; }

    json claims() const {
        return {{"iss", wlcg},         {"sub", "pilot-1"},
                {"aud", here},         {"iat", now() - 10},
                {"exp", now() + 3600}, {"jti", "j-1"},
                {"wlcg.ver", "1.0"},   {"scope", "compute.create compute.read"}};
    }
    json sci_claims() const {
        return {{"iss", scitokens},
                {"sub", "pilot-1"},
                {"aud", here},
                {"iat", now() - 10},
                {"exp", now() + 3600},
                {"ver", "scitoken:2.0"},
                {"scope", "condor:/READ condor:/WRITE"}};
    }
    json with(const std::string& name, json value) const {
        auto all = claims();
        all[name] = std::move(value);
        return all;
    }
    json without(const std::string& name) const {
        auto all = claims();
        all.erase(name);
        return all;
    }

    Result<Identity> authenticate(const std::string& token) {
        return run(loop, auth().authenticate(token));
    }
    // "ok" or the reason code.
    std::string verdict(const std::string& token) {
        const auto identity = authenticate(token);
        if (identity)
            return "ok";
        EXPECT_EQ(identity.error().message.find_first_of("\"\\"), std::string::npos);
        return identity.error().field;
    }
    std::string verdict_of(const json& claims) { return verdict(ec_key().sign(claims)); }

    boost::asio::io_context loop{1};
    boost::asio::thread_pool pool{1};
    ManualClock clock;
    Metrics metrics;
    FakeFetcher fetcher;
    AuthSettings settings;
    std::unique_ptr<Authenticator> authenticator;
};

}  // namespace berth::auth::test
