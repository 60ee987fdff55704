#include "integration/engine/engine_fixture.hpp"

#include "base/ids.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace berth::test {

EngineTest::EngineTest() {
    const auto root = folder_.path() + "/root";
    settings_.poll_interval = std::chrono::seconds(0);  // as often as the engine permits
    settings_.poll_interval_max = std::chrono::seconds(0);
    settings_.look_up_interval = std::chrono::milliseconds(100);
    settings_.coalesce_window = std::chrono::milliseconds(0);
    settings_.retry_delay = std::chrono::seconds(0);
    settings_.commands_per_minute_max = 1'000'000;
    settings_.wrapper.root = root;
    auto opened = store::SqliteStore::open(
        loop_, {.path = folder_.path() + "/berth.db", .free_bytes_min = 0});
    if (!opened)
        throw std::runtime_error(opened.error().message);
    store_ = std::move(*opened);
    files_ = std::make_unique<store::OwnFiles>(
        store::OwnFilesSettings{.root = root, .instance = store_->instance()});
    if (auto made = files_->prepare_root(); !made)
        throw std::runtime_error(made.error().message);
}

EngineTest::~EngineTest() {
    stop();
    disk_.join();
}

void EngineTest::start() {
    bus_ = std::make_unique<jobs::EventBus>(loop_);
    const jobs::Engine::Parts parts{loop_,  disk_,  *store_,  *files_,
                                    batch_, clock_, metrics_, *bus_};
    engine_ = std::make_unique<jobs::Engine>(parts, settings_);
    auto started = run_on(loop_, engine_->start());
    if (!started)
        throw std::runtime_error(started.error().message);
}

void EngineTest::stop() {
    if (!engine_)
        return;
    auto task = [](jobs::Engine* engine) -> boost::asio::awaitable<int> {
        co_await engine->stop();
        co_return 0;
    };
    run_on(loop_, task(engine_.get()));
    engine_.reset();
}

std::vector<std::string> EngineTest::accept(std::size_t count, std::uint64_t directives,
                                            jobs::State state) {
    jobs::Request wanted;
    wanted.name = "pilot";
    wanted.script = "#!/bin/sh\nexit 0\n";
    wanted.queue = "grid";
    const auto request = std::make_shared<const jobs::Request>(wanted);
    jobs::Changes changes;
    std::vector<jobs::JobRow> rows;
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < count; ++i) {
        jobs::NewJob job;
        job.row.seq = store_->next_seq();
        job.row.id = make_job_id(to_ms(clock_.wall()));
        job.row.issuer = "https://issuer.example.org";
        job.row.subject = "robot";
        job.row.account = "grid1";
        job.row.name = "pilot";
        job.row.queue = "grid";
        job.row.directives = directives;
        job.row.secret_hash = "00";
        job.row.created = clock_.wall();
        job.row.status.state = state;
        job.row.status.updated = clock_.wall();
        job.request = request;
        job.script_hash = "abc123";
        job.secret = "secret";
        rows.push_back(job.row);
        ids.push_back(job.row.id);
        changes.new_jobs.push_back(std::move(job));
    }
    auto stored = run_on(loop_, store_->commit(std::move(changes)));
    if (!stored)
        throw std::runtime_error(stored.error().message);
    if (engine_)
        engine_->add(std::move(rows));
    return ids;
}

jobs::JobRow EngineTest::row(const std::string& id) {
    auto found = run_on(loop_, store_->job(id));
    if (!found || !*found)
        throw std::runtime_error("no job " + id);
    return std::move(**found);
}

Result<void> EngineTest::cancel(const std::string& id) {
    return run_on(loop_, engine_->cancel(row(id).seq, jobs::CancelBy::user));
}

Result<void> EngineTest::hold(const std::string& id) {
    return run_on(loop_, engine_->hold(row(id).seq));
}

Result<void> EngineTest::release(const std::string& id) {
    return run_on(loop_, engine_->release(row(id).seq));
}

bool EngineTest::until(const std::function<bool()>& done, std::chrono::seconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline)
            return false;
        loop_.restart();
        loop_.run_for(std::chrono::milliseconds(10));
    }
    return true;
}

bool EngineTest::reaches(const std::string& id, jobs::State state, std::chrono::seconds limit) {
    return until([&] { return status(id).state == state; }, limit);
}

bool EngineTest::stays(const std::string& id, jobs::State state, std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < deadline) {
        if (status(id).state != state)
            return false;
        loop_.restart();
        loop_.run_for(std::chrono::milliseconds(10));
    }
    return true;
}

std::string EngineTest::session(const std::string& id) const {
    return settings_.wrapper.root + "/" + jobs::session_path(id);
}

bool EngineTest::take_fence(const std::string& id, const std::string& tag,
                            const std::string& batch_id, const std::string& nonce) {
    const auto own = tag + ":" + batch_id + ":" + nonce;
    return ::symlink(own.c_str(), (session(id) + "/fence").c_str()) == 0;
}

std::string EngineTest::fence_text(const std::string& id) const {
    std::error_code missing;
    return std::filesystem::read_symlink(session(id) + "/fence", missing).string();
}

void EngineTest::write_marker(const std::string& id, int code, const std::string& told,
                              const std::string& nonce) {
    std::ofstream file(session(id) + "/exit." + nonce);
    file << "code=" << code << "\ntold=" << told
         << "\nstarted=1800000000\nended=1800000001\nnonce=" << nonce << "\n";
}

void EngineTest::tell(const std::string& tag, const std::string& kind, unsigned index,
                      const std::string& nonce) {
    const std::ofstream file(settings_.wrapper.root + "/events/" + tag + "." +
                             std::to_string(index) + "." + nonce + "." + kind);
}

void EngineTest::run_payload(const std::string& id, unsigned index) {
    const auto tag = status(id).tag;
    auto& record = batch_.record(tag, index);
    ASSERT_TRUE(take_fence(id, tag, record.task_id)) << "somebody else has the fence";
    record.state = jobs::BatchState::running;
    ASSERT_TRUE(until([&] { return status(id).state == jobs::State::running; }));
    ASSERT_TRUE(until([&] { return row(id).status.started.has_value(); }));
}

}  // namespace berth::test
