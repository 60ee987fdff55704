// Walks: over real catalogs, and over made-up ones where servers or catalogs misbehave.
#include "cache/warm.hpp"

#include "integration/cache/sample_catalogs.hpp"
#include "integration/sites/run_loop.hpp"
#include "store/catalog_reader.hpp"

#include <gtest/gtest.h>

namespace berth::test {
namespace {

using namespace std::chrono_literals;
using cache::ContentId;
using cache::WarmOrder;
using cache::WarmStatus;
using State = WarmStatus::State;

constexpr const char* fqrn = "sw.example.org";

// The rest of the cache: what servers have, and what is here already.
class FakeCache {
public:
    explicit FakeCache(boost::asio::io_context& loop) : gate(loop) { open_gate(); }

    Async<std::uint64_t> fetch(ContentId id, char letter) {
        ++running;
        running_most = std::max(running_most, running);
        asked.push_back(id.text() + (letter == 0 ? std::string() : std::string(1, letter)));
        if (letter != 'C' && gate.expiry() > std::chrono::steady_clock::now()) {
            ++at_gate;
            co_await gate.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
            --at_gate;
        }
        co_await boost::asio::post(boost::asio::use_awaitable);
        --running;
        if (broken.contains(id) || servers_are_gone)
            co_return Error{ErrorKind::unavailable, "no server has it"};
        const bool is_new = here.insert(id).second;
        co_return is_new ? 10U : 0U;
    }
    Async<Descriptor> open(ContentId id) {
        co_await boost::asio::post(boost::asio::use_awaitable);
        co_return file_of(catalogs.contains(id) ? catalogs[id] : std::string("?"));
    }
    void close_gate() { gate.expires_at(std::chrono::steady_clock::time_point::max()); }
    void open_gate() { gate.expires_at(std::chrono::steady_clock::time_point::min()); }

    std::map<ContentId, std::string> catalogs;  // packed
    std::set<ContentId> here, broken;
    bool servers_are_gone = false;
    std::vector<std::string> asked;
    int running = 0, running_most = 0, at_gate = 0;
    boost::asio::steady_timer gate;  // closed: objects wait
};

class WarmTest : public testing::Test {
protected:
    ~WarmTest() override {
        stop();
        pool_.join();
    }
    void make_warmer() {
        const auto fetch = [this](const std::string&, ContentId id, char letter) {
            return cache_.fetch(id, letter);
        };
        const auto open = [this](const std::string&, ContentId id) { return cache_.open(id); };
        const auto visited = [this](const std::string& repository, const ContentId& id) {
            EXPECT_EQ(repository, fqrn);
            visited_.insert(id);
        };
        warmer_ = std::make_unique<cache::Warmer>(
            cache::Warmer::Parts{loop_, pool_, clock_, reader_, fetch, open, visited}, settings_);
    }
    void stop() {
        if (!warmer_)
            return;
        auto task = [](cache::Warmer* warmer) -> boost::asio::awaitable<int> {
            co_await warmer->stop();
            co_return 0;
        };
        run_on(loop_, task(warmer_.get()));
    }
    WarmStatus status() { return warmer_->status().at(0); }
    bool wait_for_end() {
        return run_until(loop_, [this] { return status().ended.has_value(); });
    }
    bool wait_for(const std::function<bool()>& condition) { return run_until(loop_, condition); }
    WarmStatus warm(WarmOrder order) {
        if (!warmer_)
            make_warmer();
        const auto started = warmer_->start(std::move(order));
        EXPECT_TRUE(started) << started.error().message;
        EXPECT_TRUE(wait_for_end());
        return status();
    }
    // A repository of one catalog with this many files, named by their numbers from 1.
    WarmOrder flat(unsigned count) {
        std::string sql = entry("", 1);
        for (unsigned i = 1; i <= count; ++i)
            sql += entry("/" + std::to_string(i), 4, digest(i));
        cache_.catalogs[id_of(200)] = packed(database_of(sql));
        return {.repository = fqrn, .revision = 7, .root_catalog = id_of(200)};
    }
    static std::string nested(const std::string& path, unsigned number) {
        return "INSERT INTO nested_catalogs VALUES ('" + path + "', '" + id_of(number).text() +
               "', 1);";
    }
    static std::string mounted(const std::string& path) {
        return "INSERT INTO properties VALUES ('root_prefix', '" + path + "');";
    }

    TemporaryFolder folder_;
    boost::asio::io_context loop_{1};
    boost::asio::thread_pool pool_{1};
    ManualClock clock_;
    store::CatalogFiles reader_{folder_.path()};
    FakeCache cache_{loop_};
    cache::WarmSettings settings_;
    std::set<ContentId> visited_;
    std::unique_ptr<cache::Warmer> warmer_;
};

std::set<std::string> texts(const std::set<ContentId>& ids) {
    std::set<std::string> result;
    for (const auto& id : ids)
        result.insert(id.text());
    return result;
}

TEST_F(WarmTest, ARealRepositoryIsBroughtWhole) {
    const auto repository = sample_repositories()[0];
    auto expected = sample_objects(fqrn, "");
    for (const auto* catalog :
         {"b212d221a273dc7902a3a6284ec2ba4b8392667d", "ce0bee0081b0402af9ee9832ab737afc0f27cfb0",
          "897094a6331c033d8926e4161a5526fdd4369590", "df7ea46d6266ae4d0d7d1ddba95fb7d0a3eda558",
          "df0fe49264128847c0cd3051ab0acfd86420babd"}) {
        const auto id = *cache::content_id_from(catalog);
        cache_.catalogs[id] = sample_catalog(fqrn, id);
    }
    for (const auto& [id, bytes] : cache_.catalogs)
        expected.insert(id.text());

    const auto done =
        warm({.repository = fqrn, .revision = 2, .root_catalog = repository.root, .paths = {}});
    EXPECT_EQ(done.state, State::done);
    EXPECT_EQ(done.catalogs_done, 5U);
    EXPECT_EQ(done.catalogs_known, 5U);
    EXPECT_EQ(done.objects_done, 316U);
    EXPECT_EQ(done.objects_known, 316U);
    EXPECT_EQ(done.objects_brought, 312U) << "four files have the content of another one";
    EXPECT_EQ(done.bytes_brought, 3170U);
    EXPECT_EQ(texts(visited_), expected);
    EXPECT_EQ(texts(cache_.here), expected);

    const auto again =
        warm({.repository = fqrn, .revision = 2, .root_catalog = repository.root, .paths = {}});
    EXPECT_EQ(again.state, State::done);
    EXPECT_EQ(again.objects_done, 316U);
    EXPECT_EQ(again.bytes_brought, 0U) << "what is there costs nothing";

    const auto part = warm({.repository = fqrn,
                            .revision = 2,
                            .root_catalog = repository.root,
                            .paths = {"/bin", "/releases/v1/share", "/bin/run.sh"}});
    EXPECT_EQ(part.paths, (std::vector<std::string>{"/bin", "/releases/v1/share"}));
    EXPECT_EQ(part.objects_done, 1 + sample_objects(fqrn, "/releases/v1/share").size());
    EXPECT_EQ(part.state, State::done);
}

TEST_F(WarmTest, TransfersAreBoundedAndCatalogsAreWalkedDepthFirst) {
    settings_.fetches_max = 3;
    settings_.waiting_max = 4;
    cache_.catalogs[id_of(201)] = packed(
        database_of(entry("", 1) + entry("/f", 4, digest(1)) + entry("/f2", 4, digest(2)) +
                    entry("/f3", 4, digest(3)) + entry("/f4", 68) + chunk("/f4", 0, digest(4)) +
                    chunk("/f4", 1, digest(5)) + nested("/a", 202) + nested("/b", 203)));
    cache_.catalogs[id_of(202)] = packed(database_of(mounted("/a") + entry("/a", 33)));
    cache_.catalogs[id_of(203)] =
        packed(database_of(mounted("/b") + entry("/b", 33) + nested("/b/c", 204)));
    cache_.catalogs[id_of(204)] =
        packed(database_of(mounted("/b/c") + entry("/b/c", 33) + entry("/b/c/d", 4, digest(6))));
    const auto done = warm({.repository = fqrn, .revision = 1, .root_catalog = id_of(201)});
    EXPECT_EQ(done.state, State::done);
    EXPECT_EQ(done.objects_done, 6U);
    EXPECT_EQ(done.catalogs_done, 4U);
    EXPECT_LE(cache_.running_most, 4) << "three objects and a catalog";
    std::vector<std::string> catalogs;
    for (const auto& name : cache_.asked)
        if (name.ends_with('C'))
            catalogs.push_back(name);
    EXPECT_EQ(catalogs,
              (std::vector<std::string>{id_of(201).text() + "C", id_of(203).text() + "C",
                                        id_of(204).text() + "C", id_of(202).text() + "C"}));
    EXPECT_EQ(std::ranges::count(cache_.asked, id_of(4).text() + "P"), 1);
}

TEST_F(WarmTest, WhatCannotBeHadIsNamedAndTheRestIsBrought) {
    cache_.catalogs[id_of(201)] =
        packed(database_of(entry("", 1) + entry("/f", 4, digest(1)) + entry("/g", 4, digest(2)) +
                           nested("/a", 202) + nested("/b", 203) + nested("/c", 204)));
    cache_.catalogs[id_of(202)] = packed("not SQLite");
    cache_.catalogs[id_of(204)] =
        packed(database_of(mounted("/c") + entry("/c", 33) + entry("/c/x", 4, digest(3))));
    cache_.broken = {id_of(2), id_of(203)};
    const auto done = warm({.repository = fqrn, .revision = 1, .root_catalog = id_of(201)});
    EXPECT_EQ(done.state, State::failed);
    EXPECT_EQ(done.failures, 3U);
    ASSERT_EQ(done.first_failures.size(), 3U);
    const std::set<std::string> sentences(done.first_failures.begin(), done.first_failures.end());
    EXPECT_TRUE(sentences.contains(id_of(2).path() + ": no server has it"));
    EXPECT_TRUE(sentences.contains("catalog /b: no server has it"));
    EXPECT_EQ(done.catalogs_done, 4U);
    EXPECT_TRUE(visited_.contains(id_of(3)));
    EXPECT_FALSE(visited_.contains(id_of(2)));
}

TEST_F(WarmTest, APathThatIsNotThereIsSaid) {
    auto order = flat(3);
    order.paths = {"/1", "/9"};
    const auto done = warm(order);
    EXPECT_EQ(done.state, State::failed);
    EXPECT_EQ(done.first_failures, std::vector<std::string>{"there is no /9 in revision 7"});
    EXPECT_EQ(done.objects_done, 1U);
}

TEST_F(WarmTest, WithTheServersGoneItGivesUp) {
    settings_.failures_in_a_row_max = 20;
    auto order = flat(150);
    cache_.here.insert(order.root_catalog);
    make_warmer();
    cache_.close_gate();
    ASSERT_TRUE(warmer_->start(order));
    ASSERT_TRUE(wait_for([this] { return cache_.at_gate == 8; }));
    cache_.servers_are_gone = true;
    cache_.open_gate();
    ASSERT_TRUE(wait_for_end());
    EXPECT_EQ(status().state, State::failed);
    EXPECT_GE(status().failures, 20U);
    EXPECT_LE(status().failures, 28U) << "those that ran are waited for";
    EXPECT_EQ(status().first_failures.size(), 10U);

    cache_.servers_are_gone = false;
    EXPECT_EQ(warm(order).state, State::done) << "it is resumed by starting it again";
}

TEST_F(WarmTest, ACancelledWalkEndsWithItsRunningTransfers) {
    auto order = flat(150);
    make_warmer();
    EXPECT_FALSE(warmer_->cancel(fqrn));
    cache_.close_gate();
    ASSERT_TRUE(warmer_->start(order));
    ASSERT_TRUE(wait_for([this] { return cache_.at_gate == 8; }));
    EXPECT_EQ(warmer_->start(order).error().kind, ErrorKind::conflict);
    EXPECT_TRUE(warmer_->cancel(fqrn));
    EXPECT_FALSE(warmer_->cancel(fqrn));
    EXPECT_EQ(warmer_->start(order).error().kind, ErrorKind::conflict) << "it still has transfers";
    cache_.open_gate();
    ASSERT_TRUE(wait_for_end());
    EXPECT_EQ(status().state, State::cancelled);
    EXPECT_EQ(status().objects_done, 8U);
    EXPECT_EQ(warm(order).objects_done, 150U);
}

TEST_F(WarmTest, StoppingEndsAWalkThatWaits) {
    make_warmer();
    cache_.close_gate();
    ASSERT_TRUE(warmer_->start(flat(150)));
    ASSERT_TRUE(wait_for([this] { return cache_.at_gate == 8; }));
    stop();
    EXPECT_EQ(status().state, State::cancelled);
    EXPECT_TRUE(status().ended);
}

TEST_F(WarmTest, ANextRevisionFollowsTheRunningWalk) {
    make_warmer();
    auto order = flat(20);
    cache_.close_gate();
    warmer_->start_next(order);
    ASSERT_TRUE(wait_for([this] { return cache_.at_gate == 8; }));
    for (const std::uint64_t revision : {8U, 9U}) {
        order.revision = revision;
        warmer_->start_next(order);
    }
    EXPECT_EQ(status().revision, 7U);
    cache_.open_gate();
    ASSERT_TRUE(wait_for([this] { return status().revision == 9 && status().ended; }));
    EXPECT_EQ(status().state, State::done);
    EXPECT_EQ(status().bytes_brought, 0U);
}

TEST_F(WarmTest, TheRestOfTheTimeIsEstimatedFromThePace) {
    settings_.fetches_max = 1;
    cache_.catalogs[id_of(200)] = packed(
        database_of(entry("", 1) + entry("/a", 4, digest(1)) + entry("/b", 4, digest(2)) +
                    "INSERT INTO statistics VALUES ('self_regular', 2), ('subtree_regular', 8),"
                    " ('subtree_chunked', 1), ('subtree_chunks', 4), ('subtree_external', 1),"
                    " ('self_dir', 99);"));
    make_warmer();
    cache_.close_gate();
    ASSERT_TRUE(warmer_->start({.repository = fqrn, .revision = 1, .root_catalog = id_of(200)}));
    ASSERT_TRUE(wait_for([this] { return cache_.at_gate == 1; }));
    EXPECT_EQ(status().remaining, std::nullopt);
    clock_.advance(10s);
    cache_.gate.cancel();  // lets one through
    ASSERT_TRUE(wait_for([this] { return status().objects_done == 1; }));
    EXPECT_EQ(status().objects_known, 12U);
    EXPECT_EQ(status().remaining, 110s);
    cache_.open_gate();
    ASSERT_TRUE(wait_for_end());
    EXPECT_EQ(status().objects_known, 2U) << "counters were only a promise";
    EXPECT_EQ(status().remaining, std::nullopt);
}

}  // namespace
}  // namespace berth::test
