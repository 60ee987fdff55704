// The cache as a node sees it, on servers that the test scripts.
#include "cache/service.hpp"

#include "base/files.hpp"
#include "http/stream.hpp"
#include "integration/cache/scripted_upstream.hpp"
#include "integration/sites/run_loop.hpp"
#include "store/object_files.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace berth::test {
namespace {

using namespace std::chrono_literals;
using cache::Ask;

constexpr const char* fqrn = "sw.example.org";

std::string sample(const std::string& name) {
    auto text = read_file(std::string(BERTH_TEST_DATA) + "/../../unit/cache/data/" + name);
    EXPECT_TRUE(text) << name;
    return text ? *text : std::string();
}

struct Got {
    int status = 0;
    http::Headers headers = {};
    std::string body = {};
    bool reset = false;
};

class CacheServiceTest : public testing::Test {
protected:
    CacheServiceTest() {
        settings_.destinations = {{.host = "open.example.org", .port = 80}};
        settings_.fetch.first_byte = 150ms;
        settings_.fetch.stall = 300ms;
        settings_.fetch.last_stall = 600ms;
        settings_.repositories = {
            {.name = fqrn,
             .servers = {*cache::read_server_url("http://a/cvmfs/" + std::string(fqrn)),
                         *cache::read_server_url("http://b/cvmfs/" + std::string(fqrn))},
             .master_keys = {sample("sw.pub")}}};
        const auto manifest = *cache::read_manifest(sample("sw.published"));
        put("/.cvmfspublished", sample("sw.published"));
        put("/.cvmfswhitelist", sample("sw.whitelist"));
        put("/" + manifest.certificate.path() + "X", sample("sw.certificate"));
        upstream_.answer = [this](const cache::UpstreamCall& call) { return answer(call); };
        start();
    }
    ~CacheServiceTest() override {
        stop();
        disk_.join();
    }

    void start() {
        files_ = std::move(*store::ObjectFiles::open(folder_.path() + "/cache"));
        service_ = std::make_unique<cache::CacheService>(
            cache::CacheService::Parts{loop_, disk_, upstream_, *files_, clock_, metrics_},
            settings_);
        ASSERT_TRUE(service_->start());
        // It asks for the manifest at once; the tests count what comes after.
        run_until(loop_, [&] {
            const auto health = service_->repositories().health().front();
            return health.verified || !health.error.empty();
        });
        upstream_.asked.clear();
    }
    void stop() {
        auto task = [](cache::CacheService* service) -> boost::asio::awaitable<int> {
            co_await service->stop();
            co_return 0;
        };
        run_on(loop_, task(service_.get()));
        service_.reset();
        files_.reset();
    }

    void put(const std::string& path, std::string body) {
        scripts_["/cvmfs/" + std::string(fqrn) + path].body = std::move(body);
    }
    ScriptedAnswer answer(const cache::UpstreamCall& call) {
        if (down_.contains(call.origin.host))
            return {.refuses = true};
        if (const auto own = of_host_.find(call.origin.host + call.target); own != of_host_.end())
            return own->second;
        const auto found = scripts_.find(call.target);
        return found == scripts_.end() ? ScriptedAnswer{.status = 404} : found->second;
    }
    std::string content(const std::string& body) {
        const auto path = "/" + cache::content_id_of(cache::Algorithm::sha1, body).path();
        put(path, body);
        return "http://a/cvmfs/" + std::string(fqrn) + path;
    }

    Got get(const std::string& url, http::Headers headers = {}, const std::string& method = "GET") {
        Ask ask{.method = method, .headers = std::move(headers)};
        auto target = url;
        if (url.starts_with("http://")) {
            const auto slash = url.find('/', 7);
            ask.by_proxy = true;
            ask.scheme = "http";
            ask.authority = url.substr(7, slash - 7);
            target = url.substr(slash);
        }
        ask.target = target;
        ask.path = target.substr(0, target.find('?'));
        auto task = [](cache::CacheService* service, Ask wanted) -> boost::asio::awaitable<Got> {
            auto response = co_await service->handle(std::move(wanted));
            Got got{.status = response.status, .headers = response.headers};
            if (const auto text = http::text_body(response)) {
                got.body = *text;
            } else if (auto* file = std::get_if<http::FileBody>(&response.body)) {
                got.body.resize(file->length);
                static_cast<void>(::pread(file->file.get(), got.body.data(), got.body.size(),
                                          static_cast<off_t>(file->offset)));
            } else {
                auto stream = std::get<std::shared_ptr<http::Stream>>(response.body);
                try {
                    for (;;) {
                        auto piece = co_await stream->next();
                        if (piece.empty())
                            break;
                        got.body += piece;
                    }
                } catch (const std::exception&) {
                    got.reset = true;
                }
            }
            co_return got;
        };
        return run_on(loop_, task(service_.get(), std::move(ask)));
    }
    void settle() {
        run_until(loop_, [&] { return service_->status().fetches == 0; });
        run_until(
            loop_, [] { return false; }, 1s);  // writes to the disk
    }

    TemporaryFolder folder_;
    boost::asio::io_context loop_{1};
    boost::asio::thread_pool disk_{2};
    ManualClock clock_;
    Metrics metrics_;
    ScriptedUpstream upstream_;
    cache::CacheSettings settings_;
    std::map<std::string, ScriptedAnswer> scripts_, of_host_;
    std::set<std::string> down_;
    std::unique_ptr<store::ObjectFiles> files_;
    std::unique_ptr<cache::CacheService> service_;
};

TEST_F(CacheServiceTest, ContentIsFetchedOnceForEveryServerFormAndRestart) {
    for (const std::size_t size :
         {std::size_t(0), std::size_t(5000), std::size_t(200'000), std::size_t(2'000'000)}) {
        const auto body = std::string(size, 'x') + std::to_string(size);
        const auto url = content(body);
        upstream_.asked.clear();
        EXPECT_EQ(get(url).body, body);
        settle();
        const auto path = url.substr(url.find("/cvmfs"));
        for (const auto& form : {url, "http://b" + path, path}) {
            const auto got = get(form);
            EXPECT_EQ(got.status, 200);
            EXPECT_TRUE(got.body == body) << size;
        }
        EXPECT_EQ(upstream_.asked.size(), 1U);
        stop();
        start();
        down_ = {"a", "b"};
        EXPECT_TRUE(get(url).body == body) << "after a restart, without a server";
        down_.clear();
        EXPECT_TRUE(upstream_.asked.empty());
    }
}

TEST_F(CacheServiceTest, RangesAndHeadsAreAnsweredFromWhatIsThere) {
    const auto url = content("0123456789");
    EXPECT_EQ(get(url, {{"Range", "bytes=2-4"}}).status, 200) << "a miss is answered whole";
    settle();
    const auto part = get(url, {{"Range", "bytes=2-4"}});
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(part.body, "234");
    EXPECT_EQ(part.headers.get("Content-Range"), "bytes 2-4/10");
    EXPECT_EQ(get(url, {{"Range", "bytes=10-"}}).status, 416);
    upstream_.asked.clear();
    EXPECT_EQ(get(url, {}, "HEAD").status, 200);
    EXPECT_TRUE(upstream_.asked.empty());
    const auto entries = service_->status().entries;
    EXPECT_EQ(get(content("never fetched"), {}, "HEAD").status, 200);
    settle();
    EXPECT_EQ(service_->status().entries, entries) << "HEAD stores nothing";
}

TEST_F(CacheServiceTest, ARetryAfterBadDataLooksAtTheStoredCopy) {
    const auto body = std::string(300'000, 'y');
    const auto url = content(body);
    get(url);
    settle();
    upstream_.asked.clear();
    EXPECT_EQ(get(url, {{"Pragma", "no-cache"}}).body, body);
    EXPECT_TRUE(upstream_.asked.empty()) << "the copy is right";
    const auto key = cache::Key::of(cache::content_id_of(cache::Algorithm::sha1, body));
    auto damaged = files_->create();
    ASSERT_TRUE((*damaged)->write(std::string(300'000, 'z')));
    ASSERT_TRUE(files_->keep(std::move(*damaged), key));
    EXPECT_EQ(get(url, {{"Cache-Control", "no-cache"}}).body, body);
    EXPECT_EQ(upstream_.asked.size(), 1U) << "the copy was wrong and is fetched anew";
}

TEST_F(CacheServiceTest, ALiarIsCutAndTheRetryIsRight) {
    const auto body = std::string(900'000, 'w');
    const auto url = content(body);
    auto lie = body;
    lie[800'000] = '!';
    of_host_["a" + url.substr(8)] = {.body = lie};
    const auto first = get(url);
    EXPECT_TRUE(first.reset || first.body == body) << "never taken for the whole";
    EXPECT_LT(first.reset ? first.body.size() : 0, body.size());
    EXPECT_TRUE(get(url).body == body);
    const auto small = content("small and right");
    of_host_["a" + small.substr(8)] = {.body = "small and wrong"};
    EXPECT_EQ(get(small).body, "small and right") << "nothing was given out before";
}

TEST_F(CacheServiceTest, ANodeIsNotCutTwiceWhenNoServerHasTheWholeObject) {
    const auto body = std::string(900'000, 'v');
    const auto url = content(body);
    auto& script = scripts_[url.substr(8)];
    script.break_at = 500'000;
    script.ranges = false;
    EXPECT_TRUE(get(url).reset) << "bytes had been sent";
    const auto second = get(url);
    EXPECT_EQ(second.status, 502);
    EXPECT_FALSE(second.reset);
    script.break_at = SIZE_MAX;
    EXPECT_TRUE(get(url).body == body);
}

TEST_F(CacheServiceTest, ANodeIsSentToTheNextServerBeforeItsPatienceEnds) {
    stop();
    settings_.fetch.first_byte = settings_.fetch.last_stall = 60s;
    start();
    const auto url = content("nothing of this comes");
    scripts_[url.substr(8)].head_after = 50s;
    EXPECT_EQ(get(url).status, 504);
    EXPECT_EQ(get(url).status, 504) << "at once: the fetch has stalled";
}

TEST_F(CacheServiceTest, RefusalsMoveTheClientToWhereItShouldGo) {
    EXPECT_EQ(get("http://elsewhere.example.org/x").status, 403);
    EXPECT_EQ(get("http://open.example.org:8080/x").status, 403);
    EXPECT_EQ(get("http://a/x", {}, "POST").status, 405);
    EXPECT_EQ(get("/cvmfs/other.example.org/.cvmfspublished").status, 404);
    EXPECT_EQ(
        get("http://a/cvmfs/" + std::string(fqrn) + "/data/aa/" + std::string(38, '0')).status,
        404);
    down_ = {"a", "b"};
    EXPECT_EQ(get(content("gone")).status, 502);
}

TEST_F(CacheServiceTest, OnlyVerifiedManifestsThatAreNotOlderAreServed) {
    const auto url = "http://a/cvmfs/" + std::string(fqrn) + "/.cvmfspublished";
    EXPECT_EQ(get(url).body, sample("sw.published"));
    upstream_.asked.clear();
    EXPECT_EQ(get("/cvmfs/" + std::string(fqrn) + "/.cvmfspublished").body, sample("sw.published"));
    EXPECT_EQ(get("/cvmfs/" + std::string(fqrn) + "/.cvmfswhitelist").body, sample("sw.whitelist"));
    EXPECT_TRUE(upstream_.asked.empty()) << "fresh";
    for (const auto& bad :
         {sample("sw.published.1"), std::string("nonsense"), sample("rmd160.published")}) {
        put("/.cvmfspublished", bad);
        clock_.advance(400s);
        EXPECT_EQ(get(url).body, sample("sw.published")) << "the last good one";
        EXPECT_TRUE(service_->repositories().health().front().offline);
    }
    put("/.cvmfspublished", sample("sw.published"));
    clock_.advance(400s);
    EXPECT_EQ(get(url).status, 200);
    EXPECT_FALSE(service_->repositories().health().front().offline);
    put("/.cvmfspublished", sample("sw.published.1"));
    ASSERT_TRUE(service_->repositories().forget_revision(fqrn));
    EXPECT_EQ(get(url).body, sample("sw.published.1")) << "the operator's way back";
}

TEST_F(CacheServiceTest, AnUrlIsCachedAsHttpSays) {
    const auto url = std::string("http://open.example.org/atlr/Frontier/type=x");
    auto& script = scripts_["/atlr/Frontier/type=x"];
    script.body = "payload";
    script.headers = {{"Cache-Control", "max-age=60"},
                      {"Last-Modified", "Fri, 15 Jan 2027 07:00:00 GMT"},
                      {"Connection", "keep-alive"}};
    EXPECT_EQ(get(url).body, "payload");
    clock_.advance(30s);
    const auto hit = get(url);
    EXPECT_EQ(hit.headers.get("Age"), "30");
    EXPECT_FALSE(hit.headers.contains("Connection"));
    EXPECT_EQ(upstream_.asked.size(), 1U);
    EXPECT_EQ(get(url, {{"If-Modified-Since", "Fri, 15 Jan 2027 07:00:00 GMT"}}).status, 304);
    get(url, {{"Pragma", "no-cache"}});
    EXPECT_EQ(upstream_.asked.size(), 2U);
    clock_.advance(61s);
    script.status = 304;
    EXPECT_EQ(get(url).body, "payload") << "renewed by a 304";
    EXPECT_EQ(get(url).headers.get("Age"), "0");
    EXPECT_EQ(upstream_.asked.size(), 3U);
    script.status = 200;
    script.headers = {{"Cache-Control", "no-store"}};
    clock_.advance(61s);
    get(url);
    get(url);
    EXPECT_EQ(upstream_.asked.size(), 5U) << "not kept";
}

TEST_F(CacheServiceTest, AServerSeesNothingThatCouldMakeASharedAnswerOneClients) {
    http::Headers seen;
    upstream_.answer = [&](const cache::UpstreamCall& call) {
        seen = call.headers;
        return ScriptedAnswer{.body = "x", .headers = {{"Cache-Control", "max-age=9"}}};
    };
    const http::Headers sent = {{"X-Forwarded-Host", "evil"}, {"X-Frontier-Id", "1"}};
    get("http://open.example.org/a", sent);
    EXPECT_FALSE(seen.contains("X-Forwarded-Host"));
    EXPECT_TRUE(seen.contains("X-Frontier-Id"));
    auto own = sent;
    own.add("Authorization", "Bearer x");
    get("http://open.example.org/b", own);
    EXPECT_TRUE(seen.contains("X-Forwarded-Host")) << "this answer is for nobody else";
}

TEST_F(CacheServiceTest, AnotherNameOfAnObjectDoesNotDiscreditItsServer) {
    const auto url = content("the right bytes");
    for (const std::string host : {"a", "b"})
        of_host_[host + url.substr(8) + "?x=y"] = {.body = "wrong"};
    EXPECT_EQ(get(url + "?x=y").status, 502);
    EXPECT_EQ(get(url).body, "the right bytes");
}

TEST_F(CacheServiceTest, ABrokenBodyOfAnUrlIsNeverTakenForTheWholeNorKept) {
    const auto url = std::string("http://open.example.org/y");
    auto& script = scripts_["/y"];
    script.body = std::string(100'000, 'q');
    script.headers = {{"Cache-Control", "max-age=60"}};
    script.break_at = 50'000;
    EXPECT_EQ(get(url).status, 502);
    script.break_at = SIZE_MAX;
    EXPECT_EQ(get(url).body.size(), 100'000U);
}

}  // namespace
}  // namespace berth::test
