#include "auth/digest.hpp"
#include "auth/reason.hpp"
#include "auth/verifier.hpp"
#include "base/files.hpp"
#include "unit/auth/bench.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace berth::auth::test {
namespace {

using namespace std::chrono_literals;

class Keys : public Bench {
protected:
    Keys() {
        settings.issuers.pop_back();  // one issuer, so that its fetches can be counted
        std::string name = (std::filesystem::temp_directory_path() / "berth-keys-XXXXXX").string();
        folder = ::mkdtemp(name.data());
    }
    ~Keys() override { std::filesystem::remove_all(folder); }

    std::string state() const { return folder + "/state"; }
    std::string saved() const { return state() + "/" + sha256_hex(wlcg) + ".json"; }
    // A verdict on a token that was never seen before.
    std::string fresh_verdict() { return verdict_of(with("jti", "j-" + std::to_string(++serial))); }
    // Lets what is under way come to its end.
    void settle() {
        loop.restart();
        loop.run_for(20ms);
    }
    void next_gateway() {
        run(loop, stopped(*authenticator));
        authenticator.reset();
    }
    IssuerHealth health() {
        for (const auto& one : auth().health())
            if (one.issuer == "wlcg")
                return one;
        return {};
    }

    std::string folder;
    int serial = 0;
};

TEST_F(Keys, J1AnUnknownIssuerCausesNoFetch) {
    EXPECT_EQ(verdict_of(with("iss", "https://evil.example")), "unknown_issuer") << "J1";
    EXPECT_TRUE(fetcher.asked.empty()) << "J1";
}

TEST_F(Keys, J2MetadataOfAnotherIssuerLeavesTheOldKeys) {
    EXPECT_EQ(fresh_verdict(), "ok");
    fetcher.documents[wlcg + "/.well-known/openid-configuration"] =
        metadata_of("https://evil.example", wlcg + "/jwks");
    clock.advance(7h);
    auth().reload(settings);  // begins what is due, as the timer does
    settle();
    EXPECT_NE(health().last_error.find("another issuer"), std::string::npos) << "J2";
    EXPECT_EQ(fresh_verdict(), "ok") << "J2";
}

TEST_F(Keys, TheMetadataMayBeAtTheOauthAddress) {
    fetcher.documents["https://wlcg.example.org/.well-known/oauth-authorization-server"] =
        metadata_of(wlcg, wlcg + "/jwks");
    fetcher.documents.erase(wlcg + "/.well-known/openid-configuration");
    EXPECT_EQ(fresh_verdict(), "ok");
}

TEST_F(Keys, J7OneFetchServesAllThatWaitAndTheWaitIsBounded) {
    settings.keys.waiters_max = 2000;
    fetcher.held = true;
    std::size_t ok = 0, unavailable = 0, other = 0;
    const auto token = ec_key().sign(claims());
    for (int i = 0; i < 10000; ++i)
        boost::asio::co_spawn(loop, auth().authenticate(token),
                              [&](const std::exception_ptr&, const Result<Identity>& result) {
                                  if (result)
                                      ++ok;
                                  else if (result.error().kind == ErrorKind::unavailable)
                                      ++unavailable;
                                  else
                                      ++other;
                              });
    while (ok + unavailable + other < 8000)
        loop.run_one();
    EXPECT_EQ(unavailable, 8000U) << "J7";
    fetcher.held = false;
    while (ok + unavailable + other < 10000)
        loop.run_one();
    EXPECT_EQ(ok, 2000U) << "J7";
    EXPECT_EQ(fetcher.asked.size(), 2U) << "J7: metadata and keys, once";
}

TEST_F(Keys, J7AWaitEndsAtItsDeadline) {
    settings.keys.wait_max = 50ms;
    fetcher.held = true;
    const auto result = authenticate(ec_key().sign(claims()));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::unavailable) << "J7";
    EXPECT_GE(result.error().retry_after_s, 1) << "J7";
    fetcher.held = false;
}

TEST_F(Keys, J8UnknownKidsCauseOneFetchAMinute) {
    EXPECT_EQ(fresh_verdict(), "ok");
    const auto before = fetcher.asked.size();
    for (int i = 0; i < 500; ++i) {
        const auto header = json{{"alg", "ES256"}, {"kid", "x" + std::to_string(i)}}.dump();
        EXPECT_EQ(verdict(ec_key().sign_texts(header, claims().dump())), "unknown_key") << "J8";
    }
    EXPECT_EQ(fetcher.asked.size(), before + 2) << "J8";
    clock.advance(61s);
    const auto header = json{{"alg", "ES256"}, {"kid", "y"}}.dump();
    EXPECT_EQ(verdict(ec_key().sign_texts(header, claims().dump())), "unknown_key") << "J8";
    EXPECT_EQ(fetcher.asked.size(), before + 4) << "J8";
}

TEST_F(Keys, J9AnIssuerThatIsDownMeans503AndBackoff) {
    fetcher.down = true;
    const auto result = authenticate(ec_key().sign(claims()));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::unavailable) << "J9";
    EXPECT_EQ(result.error().field, "keys_unavailable") << "J9";
    EXPECT_GE(result.error().retry_after_s, 1) << "J9";
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(fresh_verdict(), "keys_unavailable");
    EXPECT_EQ(fetcher.asked.size(), 1U) << "J9: the failure is remembered";
    std::size_t attempts = 0;
    const auto token = ec_key().sign(claims());
    for (int second = 0; second < 3600; ++second) {
        clock.advance(1s);
        const auto before = fetcher.asked.size();
        EXPECT_EQ(verdict(token), "keys_unavailable");
        attempts += fetcher.asked.size() - before;
    }
    // 5, 10, 20 ... 300 s, each shortened to 50 to 100 percent.
    EXPECT_GE(attempts, 15U) << "J9";
    EXPECT_LE(attempts, 35U) << "J9";
    fetcher.down = false;
    clock.advance(301s);
    EXPECT_EQ(fresh_verdict(), "ok") << "J9: recovered";
}

TEST_F(Keys, J10OldKeysAreUsedUntilTheyExpire) {
    EXPECT_EQ(fresh_verdict(), "ok");
    fetcher.down = true;
    const std::tuple<std::chrono::hours, std::string, bool> cases[] = {
        {1h, "ok", false}, {25h, "ok", false}, {49h, "ok", true}, {97h, "keys_unavailable", true}};
    std::chrono::hours at{0};
    for (const auto& [age, code, stale] : cases) {
        clock.advance(age - at);
        at = age;
        EXPECT_EQ(fresh_verdict(), code) << "J10 " << age.count() << " h";
        settle();
        EXPECT_EQ(health().stale, stale) << "J10 " << age.count() << " h";
        EXPECT_EQ(health().usable, code == "ok");
    }
}

TEST_F(Keys, J11KeysRotate) {
    const auto next = *DevelopmentKey::make(Algorithm::es256, "ec-2");
    EXPECT_EQ(fresh_verdict(), "ok");
    fetcher.serve(wlcg, jwks_of({ec_key().jwk(), next.jwk()}));
    const auto before = fetcher.asked.size();
    EXPECT_EQ(verdict(next.sign(claims())), "ok") << "J11: after a single fetch";
    EXPECT_EQ(fetcher.asked.size(), before + 2);

    const auto kept = ec_key().sign(claims());
    EXPECT_EQ(verdict(kept), "ok");
    EXPECT_EQ(verdict(kept), "ok") << "from memory";
    fetcher.serve(wlcg, jwks_of({next.jwk()}));
    EXPECT_EQ(verdict(kept), "ok") << "not known yet";
    auth().flush_keys("wlcg");
    settle();
    EXPECT_EQ(verdict(kept), "unknown_key") << "J11: also a token that was good before";
    EXPECT_EQ(verdict(next.sign(claims())), "ok");

    fetcher.serve(wlcg, jwks_of({ec_key().jwk()}));
    clock.advance(6h);
    auth().reload(settings);
    settle();
    auto late = claims();
    EXPECT_EQ(verdict(next.sign(late)), "unknown_key") << "J11: removed within the refresh";
}

TEST_F(Keys, J11FlushForgetsKeysThatCannotBeConfirmed) {
    EXPECT_EQ(fresh_verdict(), "ok");
    fetcher.down = true;
    auth().flush_keys("");
    settle();
    EXPECT_EQ(fresh_verdict(), "keys_unavailable") << "J11";
}

TEST_F(Keys, J12ABadAnswerLeavesTheLastGoodKeys) {
    EXPECT_EQ(fresh_verdict(), "ok");
    for (const std::string text : {"{}", R"({"keys":[]})", "<html>down</html>", R"({"keys":[{)", "",
                                   R"({"keys":[{"kty":"oct","kid":"a"}]})"}) {
        fetcher.documents[wlcg + "/jwks"] = text;
        clock.advance(6h);
        auth().reload(settings);
        settle();
        EXPECT_NE(health().last_error, "") << "J12 " << text;
        EXPECT_EQ(fresh_verdict(), "ok") << "J12 " << text;
    }
    EXPECT_GE(
        metrics.value("berth_auth_key_fetches_total", {{"issuer", "wlcg"}, {"result", "failed"}}),
        6);
}

TEST_F(Keys, J13TheRefreshIsBetweenOneAndSixHours) {
    for (const auto refresh : {0s, 315360000s}) {
        settings.keys.refresh = refresh;
        auth().reload(settings);
        EXPECT_EQ(fresh_verdict(), "ok");
        auth().flush_keys("wlcg");
        settle();
        const auto count = fetcher.asked.size();
        clock.advance(refresh == 0s ? 53min : 5h);  // 90 percent of the interval is the least
        auth().reload(settings);
        settle();
        EXPECT_EQ(fetcher.asked.size(), count) << "J13 too early";
        clock.advance(67min);
        auth().reload(settings);
        settle();
        EXPECT_GT(fetcher.asked.size(), count) << "J13 too late";
        fetcher.asked.clear();
    }
}

TEST_F(Keys, J14AJumpOfTheWallClockMovesNoTimer) {
    EXPECT_EQ(fresh_verdict(), "ok");
    const auto count = fetcher.asked.size();
    const auto token = ec_key().sign(claims());
    EXPECT_EQ(verdict(token), "ok");
    for (const auto jump : {std::chrono::milliseconds(1h), std::chrono::milliseconds(-1h)}) {
        clock.jump(jump * 100);
        auth().reload(settings);
        settle();
        EXPECT_EQ(fresh_verdict(), "ok") << "J14: keys stay";
        EXPECT_EQ(fetcher.asked.size(), count) << "J14";
        EXPECT_EQ(verdict(token), jump > 0ms ? "expired" : "not_yet_valid")
            << "J14: claims follow it";
        clock.jump(-jump * 100);
        EXPECT_EQ(verdict(token), "ok");
    }
    clock.jump(-1h);
    EXPECT_EQ(verdict(token), "not_yet_valid") << "J14: also for a token from memory";
}

TEST_F(Keys, GoodKeysSurviveARestartWhileTheIssuerIsDown) {
    settings.keys.state_directory = state();
    EXPECT_EQ(fresh_verdict(), "ok");
    settle();
    ASSERT_TRUE(std::filesystem::exists(saved()));
    next_gateway();
    fetcher.down = true;
    clock.advance(24h);
    EXPECT_EQ(fresh_verdict(), "ok");
    EXPECT_EQ(health().source, "saved");
    EXPECT_GE(health().age, 23h);
    next_gateway();
    clock.advance(73h);
    EXPECT_EQ(fresh_verdict(), "keys_unavailable") << "96 h are over";
}

TEST_F(Keys, J15ASavedFileThatOthersCouldHaveWrittenIsNotUsed) {
    settings.keys.state_directory = state();
    EXPECT_EQ(fresh_verdict(), "ok");
    settle();
    const auto text = *read_file(saved());
    EXPECT_EQ(std::filesystem::status(saved()).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
        << "J15";
    fetcher.down = true;
    const auto verdict_after = [&](const std::function<void()>& change) {
        next_gateway();
        std::filesystem::remove(saved());
        ASSERT_TRUE(replace_file(saved(), text));
        change();
        EXPECT_EQ(fresh_verdict(), "keys_unavailable") << "J15";
    };
    next_gateway();
    EXPECT_EQ(fresh_verdict(), "ok") << "J15: the file itself is good";
    verdict_after([&] { ::chmod(saved().c_str(), 0622); });
    verdict_after([&] {
        std::filesystem::rename(saved(), folder + "/elsewhere");
        std::filesystem::create_symlink(folder + "/elsewhere", saved());
    });
    verdict_after([&] { ASSERT_TRUE(replace_file(saved(), text.substr(0, 50))); });
    verdict_after([&] { ASSERT_TRUE(replace_file(saved(), "{}")); });
    verdict_after([&] {
        std::filesystem::remove(saved());
        ASSERT_EQ(::mkfifo(saved().c_str(), 0600), 0);
    });
}

TEST_F(Keys, J15WithoutADiskTheKeysStayInMemory) {
    ASSERT_TRUE(replace_file(folder + "/file", ""));
    settings.keys.state_directory = folder + "/file/not-a-folder";
    EXPECT_EQ(fresh_verdict(), "ok") << "J15";
    settle();
    EXPECT_EQ(fresh_verdict(), "ok") << "J15";
}

TEST_F(Keys, TheSystemCacheHelpsWhenTheIssuerIsDown) {
    std::filesystem::create_directory(folder + "/jwks");
    const auto until = clock.wall() + 2h;
    ASSERT_TRUE(replace_file(folder + "/jwks/" + sha256_hex(wlcg),
                             write_cache_file(wlcg, {jwks_of({ec_key().jwk()}), until})));
    settings.keys.system_caches = {folder + "/none/", folder + "/jwks/"};
    fetcher.down = true;
    EXPECT_EQ(fresh_verdict(), "ok");
    EXPECT_EQ(health().source, "system cache");
    clock.advance(2h + 1s);
    EXPECT_EQ(fresh_verdict(), "keys_unavailable") << "its expiration counts";
    fetcher.down = false;
    clock.advance(301s);
    EXPECT_EQ(fresh_verdict(), "ok");
    EXPECT_EQ(health().source, "discovery") << "the issuer's own word comes first";
}

TEST_F(Keys, AKeysFileIsReadAgainWhenItChanges) {
    const auto file = folder + "/keys.json";
    settings.issuers[0].keys_file = file;
    EXPECT_EQ(fresh_verdict(), "keys_unavailable") << "no such file yet";
    ASSERT_TRUE(replace_file(file, jwks_of({ec_key().jwk()})));
    clock.advance(6s);
    EXPECT_EQ(fresh_verdict(), "ok");
    ASSERT_TRUE(replace_file(file, jwks_of({rsa_key().jwk()})));
    clock.advance(6s);
    auth().reload(settings);
    for (int i = 0; i < 50 && health().last_error.empty() && fresh_verdict() == "ok"; ++i)
        settle();
    EXPECT_EQ(fresh_verdict(), "unknown_key");
    EXPECT_EQ(verdict(rsa_key().sign(claims())), "ok");
    ASSERT_TRUE(replace_file(file, "broken"));
    clock.advance(200h);
    auth().reload(settings);
    settle();
    EXPECT_EQ(verdict(rsa_key().sign(claims())), "ok") << "the last good content holds";
    EXPECT_TRUE(fetcher.asked.empty());
}

TEST_F(Keys, AGoodTokenIsRememberedWithinABound) {
    settings.token_cache_max = 10;
    const auto first = ec_key().sign(claims());
    for (int round = 0; round < 3; ++round)
        EXPECT_EQ(verdict(first), "ok");
    EXPECT_EQ(auth().remembered(), 1U);
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(fresh_verdict(), "ok");
    EXPECT_EQ(auth().remembered(), 10U);
    clock.advance(2h);
    EXPECT_EQ(verdict(first), "expired") << "a memory never outlives the token";
    EXPECT_EQ(metrics.value("berth_auth_tokens_total", {{"result", "expired"}}), 1);
    EXPECT_EQ(metrics.value("berth_auth_tokens_total", {{"result", "ok"}}), 53);
}

TEST_F(Keys, ReloadTakesEffectForTokensThatWereGood) {
    const auto token = ec_key().sign(claims());
    EXPECT_EQ(verdict(token), "ok");
    auto changed = settings;
    changed.audiences = {"https://other.example"};
    auth().reload(changed);
    EXPECT_EQ(verdict(token), "audience");
    changed.issuers.clear();
    auth().reload(changed);
    EXPECT_EQ(verdict(token), "unknown_issuer");
    auth().reload(settings);
    EXPECT_EQ(verdict(token), "ok");
}

TEST_F(Keys, ExplainShowsEveryCheckAndNoSignature) {
    auto all = with("aud", "https://other.example");
    all["exp"] = now() - 5;
    const auto token = ec_key().sign(all);
    const auto explanation = run(loop, auth().explain(token));
    EXPECT_FALSE(explanation.accepted);
    ASSERT_TRUE(explanation.error);
    EXPECT_EQ(explanation.error->field, "audience") << "the first that fails";
    std::vector<std::string> bad;
    for (const auto& check : explanation.checks)
        if (!check.ok)
            bad.push_back(check.check);
    EXPECT_EQ(bad, (std::vector<std::string>{"audience", "expiry"}));
    EXPECT_GE(explanation.checks.size(), 14U);
    EXPECT_NE(explanation.claims.find("pilot-1"), std::string::npos);
    EXPECT_NE(explanation.header.find("ec-1"), std::string::npos);
    const auto signature = token.substr(token.rfind('.') + 1);
    EXPECT_EQ((explanation.claims + explanation.header).find(signature), std::string::npos);

    const auto good = run(loop, auth().explain(ec_key().sign(claims())));
    EXPECT_TRUE(good.accepted);
    EXPECT_TRUE(std::ranges::all_of(good.checks, &Check::ok));
    const auto strange = run(loop, auth().explain("no token"));
    ASSERT_EQ(strange.checks.size(), 1U);
    EXPECT_EQ(strange.checks[0].check, "format");
}

TEST(Reasons, CodesAreUniqueAndSentencesAreFitForAHeader) {
    std::set<std::string_view> codes;
    for (const auto& reason : all_reasons()) {
        EXPECT_TRUE(codes.insert(reason.code).second) << reason.code;
        EXPECT_EQ(reason.sentence.find_first_of("\"\\\r\n"), std::string_view::npos);
    }
    EXPECT_EQ(refuse(Reason::claims, "a\"b\\c\nd").message,
              "a claim is missing or not acceptable: a'b/c/x0ad");
}

}  // namespace
}  // namespace berth::auth::test
