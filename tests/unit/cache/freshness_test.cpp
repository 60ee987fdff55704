#include "cache/freshness.hpp"

#include <gtest/gtest.h>

namespace berth::cache {
namespace {

using http::Headers;

const WallTime noon = from_ms(1'800'000'000'000);  // Fri, 15 Jan 2027 08:00:00 GMT
constexpr const char* noon_text = "Fri, 15 Jan 2027 08:00:00 GMT";

Freshness answer(Headers headers, int status = 200) {
    if (!headers.contains("Date"))
        headers.add("Date", noon_text);
    return freshness_of(headers, status, noon, noon);
}

TEST(Freshness, DatesAreReadInTheThreeForms) {
    for (const auto* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                             "Sun Nov  6 08:49:37 1994"})
        EXPECT_EQ(read_date(text), from_ms(784'111'777'000)) << text;
    for (const auto* text : {"", "0", "-1", "Sun, 06 Nov 1994 08:49:37", "yesterday",
                             "Sun, 06 Nov 1994 08:49:37 GMT x"})
        EXPECT_FALSE(read_date(text)) << text;
}

TEST(Freshness, TheLifetimeIsSharedThenOwnThenExpiryThenAGuess) {
    struct Case {
        Headers headers;
        seconds lifetime;
    };
    for (const auto& c : {
             Case{{{"Cache-Control", "max-age=61"}}, seconds(61)},
             Case{{{"cache-control", "public, MAX-AGE=\"61\""}}, seconds(61)},
             Case{{{"Cache-Control", "max-age=61, s-maxage=10"}}, seconds(10)},
             Case{{{"Cache-Control", "s-maxage=10"}, {"Cache-Control", "max-age=61"}}, seconds(10)},
             Case{{{"Cache-Control", "max-age=5, max-age=61"}}, seconds(5)},
             Case{{{"Cache-Control", "max-age=x"}}, seconds(0)},
             Case{{{"Cache-Control", "max-age=-5"}}, seconds(0)},
             Case{{{"Cache-Control", "max-age=99999999999999999999"}}, seconds(94'608'000)},
             Case{{{"Expires", "Fri, 15 Jan 2027 08:01:00 GMT"}}, seconds(60)},
             Case{{{"Expires", "0"}}, seconds(0)},
             Case{{{"Expires", "Fri, 15 Jan 2027 08:01:00 GMT"}, {"Cache-Control", "max-age=5"}},
                  seconds(5)},
             Case{{{"Last-Modified", "Fri, 15 Jan 2027 07:50:00 GMT"}}, seconds(60)},
             Case{{{"Last-Modified", "Fri, 15 Jan 1999 07:50:00 GMT"}}, seconds(86400)},
             Case{{}, seconds(0)},
         })
        EXPECT_EQ(answer(c.headers).lifetime, c.lifetime)
            << (c.headers.all().empty() ? "nothing" : c.headers.all().front().second);
}

TEST(Freshness, AgeCountsWhatTheAnswerHadAlreadyAndTheWay) {
    const Headers aged = {{"Age", "40"}, {"Cache-Control", "max-age=61"}};
    EXPECT_EQ(answer(aged).age(noon), seconds(40));
    EXPECT_TRUE(answer(aged).is_fresh(noon + seconds(20)));
    EXPECT_FALSE(answer(aged).is_fresh(noon + seconds(21)));
    // Ten seconds on the way, and a Date of half a minute ago.
    const Headers late = {{"Date", "Fri, 15 Jan 2027 07:59:30 GMT"}};
    EXPECT_EQ(freshness_of(late, 200, noon - seconds(10), noon).age(noon), seconds(30));
    EXPECT_EQ(freshness_of(aged, 200, noon - seconds(10), noon).age(noon), seconds(50));
    EXPECT_EQ(answer(aged).age(noon - std::chrono::hours(1)), seconds(40)) << "the clock went back";
}

TEST(Freshness, WhatMayBeStored) {
    const RequestControls plain;
    struct Case {
        int status;
        Headers headers;
        bool stored;
    };
    for (const auto& c : {
             Case{200, {}, true},
             Case{200, {{"Cache-Control", "max-age=61"}}, true},
             Case{200, {{"Cache-Control", "no-store"}}, false},
             Case{200, {{"Cache-Control", "max-age=61, private"}}, false},
             Case{200, {{"Cache-Control", "private=\"x, y\", max-age=61"}}, false},
             Case{200, {{"Cache-Control", "no-cache"}}, true},
             Case{206, {{"Cache-Control", "max-age=61"}}, false},
             Case{200, {{"Vary", "User-Agent"}, {"Cache-Control", "max-age=61"}}, false},
             Case{200, {{"Vary", "Accept-Encoding"}, {"Cache-Control", "max-age=61"}}, true},
             Case{200, {{"Vary", "*"}}, false},
             Case{200, {{"Set-Cookie", "a=b"}, {"Cache-Control", "max-age=61"}}, false},
             Case{404, {}, false},
             Case{503, {}, false},
             Case{503, {{"Cache-Control", "max-age=30"}}, true},
             Case{302, {}, false},
         })
        EXPECT_EQ(may_store(c.status, plain, c.headers), c.stored) << c.status;
    const auto authorized = request_controls({{"Authorization", "Bearer x"}});
    EXPECT_FALSE(may_store(200, authorized, {{"Cache-Control", "max-age=61"}}));
    EXPECT_TRUE(may_store(200, authorized, {{"Cache-Control", "public, max-age=61"}}));
    EXPECT_FALSE(may_store(200, request_controls({{"Cache-Control", "no-store"}}), {}));
}

TEST(Freshness, TheClientsWordsAreHeard) {
    const auto fresh = answer({{"Cache-Control", "max-age=60"}});
    const auto use = [&](Headers headers, seconds later) {
        return use_of(fresh, request_controls(headers), noon + later);
    };
    EXPECT_EQ(use({}, seconds(59)), Use::serve);
    EXPECT_EQ(use({}, seconds(60)), Use::revalidate);
    EXPECT_EQ(use({{"Pragma", "no-cache"}}, seconds(1)), Use::revalidate);
    // Frontier sends both (facts of the protocol: Pragma counts even then).
    EXPECT_EQ(use({{"Cache-Control", "max-stale=1"}, {"Pragma", "no-cache"}}, seconds(1)),
              Use::revalidate);
    EXPECT_EQ(use({{"Cache-Control", "no-cache"}}, seconds(1)), Use::revalidate);
    EXPECT_EQ(use({{"Cache-Control", "max-age=0"}}, seconds(0)), Use::revalidate);
    EXPECT_EQ(use({{"Cache-Control", "max-age=10"}}, seconds(10)), Use::serve);
    EXPECT_EQ(use({{"Cache-Control", "min-fresh=10"}}, seconds(51)), Use::revalidate);
    EXPECT_EQ(use({{"Cache-Control", "max-stale=1"}}, seconds(61)), Use::serve);
    EXPECT_EQ(use({{"Cache-Control", "max-stale=1"}}, seconds(62)), Use::revalidate);
    EXPECT_EQ(use({{"Cache-Control", "max-stale"}}, seconds(6000)), Use::serve);
    const auto strict = answer({{"Cache-Control", "max-age=60, must-revalidate"}});
    EXPECT_EQ(
        use_of(strict, request_controls({{"Cache-Control", "max-stale"}}), noon + seconds(61)),
        Use::revalidate);
    EXPECT_EQ(use_of(answer({{"Cache-Control", "no-cache, max-age=60"}}), RequestControls(), noon),
              Use::revalidate);
}

TEST(Freshness, AStaleAnswerServesWhileTheServersAreGoneIfItMay) {
    const auto lenient = answer({{"Cache-Control", "max-age=60, stale-if-error=30"}});
    EXPECT_TRUE(may_serve_stale(lenient, {}, noon + seconds(90)));
    EXPECT_FALSE(may_serve_stale(lenient, {}, noon + seconds(91)));
    EXPECT_FALSE(
        may_serve_stale(lenient, request_controls({{"Pragma", "no-cache"}}), noon + seconds(61)));
    EXPECT_FALSE(
        may_serve_stale(answer({{"Cache-Control", "max-age=60"}}), {}, noon + seconds(61)));
}

TEST(Freshness, FieldsOfOneConnectionAreNotPassedOn) {
    const Headers sent = {{"Connection", "keep-alive, X-Mine"}, {"X-Mine", "1"},
                          {"Transfer-Encoding", "chunked"},     {"Proxy-Connection", "Keep-Alive"},
                          {"Content-Type", "text/plain"},       {"ETag", "\"1\""}};
    const auto passed = end_to_end(sent);
    ASSERT_EQ(passed.all().size(), 2U);
    EXPECT_TRUE(passed.contains("Content-Type") && passed.contains("ETag"));
}

TEST(Freshness, ANotModifiedAnswerRenewsTheFieldsAndNotTheBodys) {
    const Headers stored = {{"Content-Length", "5"},
                            {"Content-Type", "text/xml"},
                            {"Cache-Control", "max-age=1"},
                            {"Age", "7"},
                            {"X-Old", "1"}};
    const auto updated = updated_by(stored, {{"Cache-Control", "max-age=9"},
                                             {"Content-Length", "0"},
                                             {"Date", noon_text},
                                             {"Connection", "close"}});
    EXPECT_EQ(updated.get("Content-Length"), "5");
    EXPECT_EQ(updated.get("Cache-Control"), "max-age=9");
    EXPECT_EQ(updated.get("Date"), noon_text);
    EXPECT_EQ(updated.get("X-Old"), "1");
    EXPECT_FALSE(updated.contains("Age") || updated.contains("Connection"));
}

}  // namespace
}  // namespace berth::cache
