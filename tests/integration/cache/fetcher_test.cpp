// Bringing content from servers that are slow, break off, and lie.
#include "cache/fetcher.hpp"

#include "integration/cache/scripted_upstream.hpp"
#include "integration/sites/run_loop.hpp"
#include "store/object_files.hpp"

#include <gtest/gtest.h>

namespace berth::test {
namespace {

using namespace std::chrono_literals;
using cache::Algorithm;
using cache::ContentId;
using cache::Fetch;
using State = cache::Fetch::State;

std::string text(std::size_t bytes) {
    std::string body(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i)
        body[i] = static_cast<char>('a' + i * 7 % 26);
    return body;
}

class FetcherTest : public testing::Test {
protected:
    FetcherTest() {
        files_ = std::move(*store::ObjectFiles::open(folder_.path() + "/cache"));
        settings_.first_byte = 150ms;
        settings_.stall = 300ms;
        settings_.last_stall = 1000ms;
        settings_.stream_after = 200ms;
        upstream_.answer = [this](const cache::UpstreamCall& call) {
            return scripts_[call.origin.host];
        };
    }
    ~FetcherTest() override {
        if (fetcher_) {
            auto task = [](cache::ContentFetcher* fetcher) -> boost::asio::awaitable<int> {
                co_await fetcher->stop();
                co_return 0;
            };
            run_on(loop_, task(fetcher_.get()));
        }
        disk_.join();
    }

    void has(const std::string& body) {
        body_ = body;
        id_ = cache::content_id_of(Algorithm::sha1, body);
        for (const auto* host : {"a", "b", "c"})
            scripts_[host].body = body;
    }
    std::shared_ptr<Fetch> fetch(std::vector<std::string> hosts = {"a", "b"}) {
        if (!fetcher_)
            fetcher_ = std::make_unique<cache::ContentFetcher>(
                cache::ContentFetcher::Parts{loop_, disk_, upstream_, *files_, clock_, metrics_,
                                             [this](const ContentId& id, auto object) {
                                                 EXPECT_EQ(id, id_);
                                                 kept_.push_back(object);
                                             }},
                settings_);
        std::vector<cache::Source> sources;
        for (const auto& host : hosts)
            sources.push_back({.origin = {.host = host}, .target = "/" + id_.path()});
        auto started = fetcher_->fetch(id_, sources);
        loop_.restart();
        return started;
    }
    bool ends(const std::shared_ptr<Fetch>& fetch, State state) {
        return run_until(loop_, [&] { return fetch->state() != State::running; }) &&
               fetch->state() == state;
    }
    std::string bytes_of(const std::shared_ptr<Fetch>& fetch) {
        return *fetch->read(0, fetch->size());
    }
    std::size_t asked(const std::string& host) {
        return static_cast<std::size_t>(
            std::ranges::count(upstream_.asked, host, &ScriptedUpstream::Asked::host));
    }

    TemporaryFolder folder_;
    boost::asio::io_context loop_{1};
    boost::asio::thread_pool disk_{2};
    SystemClock clock_;
    Metrics metrics_;
    cache::FetchSettings settings_;
    ScriptedUpstream upstream_;
    std::map<std::string, ScriptedAnswer> scripts_;
    std::unique_ptr<store::ObjectFiles> files_;
    std::unique_ptr<cache::ContentFetcher> fetcher_;
    std::vector<std::shared_ptr<Fetch>> kept_;
    std::string body_;
    ContentId id_;
};

TEST_F(FetcherTest, BringsBodiesOfAnySizeOnceForAll) {
    for (const auto size :
         {std::size_t(0), std::size_t(1), std::size_t(4096), std::size_t(cache::whole_bytes_max),
          std::size_t(cache::whole_bytes_max + 1), std::size_t(5'000'000)}) {
        has(text(size));
        upstream_.asked.clear();
        const auto first = fetch();
        for (int i = 0; i < 100; ++i)
            EXPECT_EQ(fetch(), first) << "they share it";
        ASSERT_TRUE(ends(first, State::verified)) << size;
        EXPECT_EQ(bytes_of(first), body_);
        EXPECT_EQ(upstream_.asked.size(), 1U) << size;
        EXPECT_EQ(kept_.back(), first);
        EXPECT_EQ(fetcher_->running(), 0U);
    }
}

TEST_F(FetcherTest, GivesNothingOfASmallBodyAndNotTheEndOfALargeOneBeforeItIsVerified) {
    has(text(100'000));
    scripts_["a"].between = 20ms;
    auto small = fetch();
    while (small->state() == State::running) {
        EXPECT_EQ(small->available(), 0U);
        loop_.run_one_for(50ms);
    }
    EXPECT_EQ(small->available(), body_.size());
    has(text(1'000'000));
    auto large = fetch();
    while (large->state() == State::running) {
        EXPECT_LT(large->available(), body_.size());
        loop_.run_one_for(50ms);
    }
    EXPECT_EQ(large->available(), body_.size());
}

TEST_F(FetcherTest, ASmallBodyThatTakesLongIsStreamedAfterAWhile) {
    has(text(100'000));
    scripts_["a"].piece_bytes = 10'000;
    scripts_["a"].between = 60ms;
    const auto slow = fetch({"a"});
    ASSERT_TRUE(run_until(loop_, [&] { return slow->available() > 0; }));
    EXPECT_EQ(slow->state(), State::running);
    EXPECT_LT(slow->available(), body_.size());
    EXPECT_TRUE(ends(slow, State::verified));
}

TEST_F(FetcherTest, WrongBytesAnywhereAreNeverVerifiedAndTheNextServerIsTaken) {
    for (const auto size : {std::size_t(50'000), std::size_t(1'000'000)}) {
        for (const auto at : {std::size_t(0), size / 2, size - 1}) {
            has(text(size) + std::to_string(at));  // another object for each case
            scripts_["a"].body[at] = '!';
            const auto first = fetch();
            ASSERT_TRUE(ends(first, State::cut)) << size << " " << at;
            const auto again = fetch();
            EXPECT_NE(again, first);
            ASSERT_TRUE(ends(again, State::verified));
            EXPECT_EQ(bytes_of(again), body_);
            upstream_.asked.clear();
            const auto later = fetch();
            ASSERT_TRUE(ends(later, State::verified));
            EXPECT_EQ(asked("a"), 0U) << "it is not trusted with this object for a while";
        }
    }
}

TEST_F(FetcherTest, ABodyThatIsCutOffOrTooLongIsWrong) {
    has(text(80'000));
    scripts_["a"].body = body_.substr(0, 79'999);
    ASSERT_TRUE(ends(fetch(), State::cut));
    ASSERT_TRUE(ends(fetch(), State::verified));
    has(text(80'001));
    scripts_["a"].body = body_ + "x";
    ASSERT_TRUE(ends(fetch(), State::cut));
    ASSERT_TRUE(ends(fetch(), State::verified));
}

TEST_F(FetcherTest, OnlyLiarsMeansAFailureAndNothingKept) {
    has(text(1000));
    for (const auto* host : {"a", "b"})
        scripts_[host].body[5] = '!';
    const auto first = fetch();
    ASSERT_TRUE(ends(first, State::cut));
    ASSERT_TRUE(run_until(loop_, [&] { return fetcher_->running() == 0; }));
    EXPECT_TRUE(kept_.empty());
    const auto later = fetch();
    ASSERT_TRUE(ends(later, State::failed));
    EXPECT_EQ(later->status(), 502);
}

TEST_F(FetcherTest, ATransferThatBreaksGoesOnElsewhereWhereItStopped) {
    for (const bool ranges : {true, false}) {
        has(text(ranges ? 900'000 : 900'001));
        scripts_["a"].break_at = 500'000;
        scripts_["b"].ranges = ranges;
        upstream_.asked.clear();
        const auto broken = fetch();
        ASSERT_TRUE(ends(broken, State::verified)) << ranges;
        EXPECT_EQ(bytes_of(broken), body_);
        ASSERT_EQ(upstream_.asked.size(), 2U);
        EXPECT_EQ(upstream_.asked[1].range, "bytes=500000-");
    }
}

TEST_F(FetcherTest, ATransferThatStallsGoesOnElsewhere) {
    has(text(900'000));
    scripts_["a"].stall_at = 300'000;
    const auto stalled = fetch();
    ASSERT_TRUE(ends(stalled, State::verified));
    EXPECT_EQ(bytes_of(stalled), body_);
    EXPECT_EQ(asked("b"), 1U);
}

TEST_F(FetcherTest, ATransferThatCrawlsGoesOnElsewhere) {
    has(text(900'000));
    settings_.stall = 1000ms;
    scripts_["a"].piece_bytes = 100;
    scripts_["a"].between = 100ms;
    const auto crawling = fetch();
    ASSERT_TRUE(ends(crawling, State::verified));
    EXPECT_EQ(bytes_of(crawling), body_);
    EXPECT_EQ(asked("b"), 1U);
}

TEST_F(FetcherTest, AServerThatIsSilentGetsCompany) {
    has(text(1000));
    scripts_["a"].head_after = 60s;
    const auto begin = std::chrono::steady_clock::now();
    const auto silent = fetch();
    ASSERT_TRUE(ends(silent, State::verified));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s) << "not after the time-out of the head";
    EXPECT_EQ(asked("a") + asked("b"), 2U);
}

TEST_F(FetcherTest, TheFirstToAnswerIsTakenAlthoughItWasAskedSecond) {
    has(text(1000));
    scripts_["a"].head_after = 400ms;
    scripts_["b"].head_after = 100ms;
    const auto raced = fetch();
    ASSERT_TRUE(ends(raced, State::verified));
    EXPECT_EQ(asked("b"), 1U);
}

TEST_F(FetcherTest, StatusesDecideWhatTheClientIsTold) {
    struct Case {
        int a, b, told;
    };
    for (const auto& c : {Case{404, 404, 404}, Case{404, 503, 502}, Case{500, 500, 502},
                          Case{302, 404, 502}, Case{200, 404, 0}, Case{404, 200, 0}}) {
        has(text(1000) + std::to_string(c.a * 1000 + c.b));
        scripts_["a"].status = c.a;
        scripts_["b"].status = c.b;
        const auto answered = fetch();
        ASSERT_TRUE(ends(answered, c.told == 0 ? State::verified : State::failed)) << c.a;
        EXPECT_EQ(answered->status(), c.told) << c.a << " " << c.b;
    }
    scripts_["a"] = scripts_["b"] = {.refuses = true};
    has(text(999));
    const auto refused = fetch();
    ASSERT_TRUE(ends(refused, State::failed));
    EXPECT_EQ(refused->status(), 502);
    scripts_["a"] = scripts_["b"] = {.head_after = 60s};
    has(text(998));
    const auto silent = fetch();
    ASSERT_TRUE(ends(silent, State::failed));
    EXPECT_EQ(silent->status(), 504);
}

}  // namespace
}  // namespace berth::test
