// A day of pilots against the engine, the store and the session files, with a batch system whose
// clock is fast: HOURS simulated hours with RATE jobs per second, each of which runs for 10
// minutes.
//
//   bench_soak FOLDER HOURS RATE
//
// Each simulated hour is printed as a line of JSON: what the process and its files take up. Files
// of ended jobs are kept for 1 hour, jobs and remembered answers for 2.
#include "base/ids.hpp"
#include "base/log.hpp"
#include "integration/sites/run_loop.hpp"
#include "jobs/engine.hpp"
#include "store/session_files.hpp"
#include "store/sqlite_store.hpp"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace berth::bench {

namespace {

constexpr std::chrono::seconds run_time{600}, shown_when_ended{300};
constexpr std::size_t behind_max = 2000;  // jobs that wait for the engine before time goes on

// A batch system that accepts everything; what nodes do is done when a job's time has come.
class FastBatch final : public jobs::BatchSystem {
public:
    FastBatch(Clock& clock, std::string root) : clock_(clock), root_(std::move(root)) {}

    std::string_view name() const override { return "fast"; }

    boost::asio::awaitable<jobs::SubmitOutcome> submit(jobs::SubmitIntent intent) override {
        const auto id = std::to_string(++last_id_);
        for (unsigned i = 0; i < intent.count; ++i) {
            jobs::BatchRecord record{.tag = intent.tag, .batch_id = id, .task_id = id};
            record.state = jobs::BatchState::running;
            record.raw_state = "RUNNING";
            if (intent.array) {
                record.index = i;
                record.task_id = id + "_" + std::to_string(i);
            }
            start(record, intent);
            tasks_.emplace(clock_.steady() + run_time, std::move(record));
        }
        jobs::SubmitOutcome outcome{.kind = jobs::SubmitOutcome::Kind::accepted};
        outcome.batch_id = id;
        co_return outcome;
    }
    Async<jobs::QueueSnapshot> poll(std::vector<std::string>) override {
        jobs::QueueSnapshot snapshot{.asked = clock_.steady(), .asked_wall = clock_.wall()};
        for (const auto* list : {&tasks_, &ended_})
            for (const auto& [time, record] : *list)
                snapshot.records.push_back(record);
        co_return snapshot;
    }
    Async<jobs::QueueSnapshot> look_up(std::vector<std::string>, WallTime) override {
        return poll({});
    }
    Async<void> cancel(jobs::BatchTarget) override { co_return Result<void>(); }
    Async<void> hold(jobs::BatchTarget) override { co_return Result<void>(); }
    Async<void> release(jobs::BatchTarget) override { co_return Result<void>(); }
    Async<jobs::SiteLimits> limits() override {
        jobs::QueueLimits queue;
        queue.name = "grid";
        queue.is_default = true;
        jobs::SiteLimits limits;
        limits.queues.push_back(queue);
        co_return limits;
    }

    // Ends what has run long enough, as the wrapper does, and forgets what ended long ago.
    void pass() {
        const auto now = clock_.steady();
        while (!tasks_.empty() && tasks_.begin()->first <= now) {
            auto record = std::move(tasks_.begin()->second);
            tasks_.erase(tasks_.begin());
            finish(record);
            record.state = jobs::BatchState::done;
            record.exit_code = 0;
            ended_.emplace(now + shown_when_ended, std::move(record));
        }
        ended_.erase(ended_.begin(), ended_.upper_bound(now));
    }

private:
    static std::string nonce_of(const jobs::BatchRecord& record) { return "n" + record.task_id; }
    void start(const jobs::BatchRecord& record, const jobs::SubmitIntent& intent) {
        auto& session = sessions_[record.task_id];
        if (intent.array) {
            std::ifstream manifest(root_ + "/attempts/" + intent.tag);
            for (unsigned i = 0; i <= *record.index; ++i)
                std::getline(manifest, session);
        } else {
            const auto from = intent.wrapper.find(root_ + "/jobs/");
            session = intent.wrapper.substr(from, intent.wrapper.find('\'', from) - from);
        }
        const auto own = record.tag + ":" + record.task_id + ":" + nonce_of(record);
        if (::symlink(own.c_str(), (session + "/fence").c_str()) != 0)
            throw std::runtime_error("no fence in " + session);
        tell(record, "started");
    }
    void finish(const jobs::BatchRecord& record) {
        const auto session = sessions_.extract(record.task_id).mapped();
        const auto seconds = std::to_string(to_ms(clock_.wall()) / 1000);
        std::ofstream(session + "/exit." + nonce_of(record))
            << "code=0\ntold=\nstarted=" << seconds << "\nended=" << seconds
            << "\nnonce=" << nonce_of(record) << "\n";
        tell(record, "ended");
    }
    void tell(const jobs::BatchRecord& record, const std::string& kind) {
        const std::ofstream file(root_ + "/events/" + record.tag + "." +
                                 std::to_string(record.index.value_or(0)) + "." + nonce_of(record) +
                                 "." + kind);
    }

    Clock& clock_;
    std::string root_;
    std::multimap<SteadyTime, jobs::BatchRecord> tasks_, ended_;
    std::map<std::string, std::string> sessions_;
    unsigned last_id_ = 0;
};

jobs::EngineSettings engine_settings(const std::string& root) {
    jobs::EngineSettings settings;
    settings.poll_interval = std::chrono::seconds(1);  // of real time: about a minute of the fast
    settings.retention_interval = std::chrono::seconds(1);
    settings.keep_files = settings.keep_keys = std::chrono::hours(1);
    settings.keep_jobs = std::chrono::hours(2);
    settings.keep_attempts = std::chrono::hours(2);
    settings.wrapper.root = root;
    return settings;
}

class Soak {
public:
    Soak(const std::string& folder, unsigned rate)
        : folder_(folder), root_(folder + "/root"), rate_(rate), batch_(clock_, root_) {
        auto opened = store::SqliteStore::open(loop_, {.path = folder + "/berth.db"});
        if (!opened)
            throw std::runtime_error(opened.error().message);
        store_ = std::move(*opened);
        files_ = std::make_unique<store::OwnFiles>(
            store::OwnFilesSettings{.root = root_, .instance = store_->instance()});
        if (auto made = files_->prepare_root(); !made)
            throw std::runtime_error(made.error().message);
        bus_ = std::make_unique<jobs::EventBus>(loop_);
        const jobs::Engine::Parts parts{loop_,  disk_,  *store_,  *files_,
                                        batch_, clock_, metrics_, *bus_};
        engine_ = std::make_unique<jobs::Engine>(parts, engine_settings(root_));
        if (auto started = test::run_on(loop_, engine_->start()); !started)
            throw std::runtime_error(started.error().message);
    }
    Soak(const Soak&) = delete;
    Soak& operator=(const Soak&) = delete;
    ~Soak() {
        test::run_on(loop_, stop(engine_.get()));
        disk_.join();
    }

    void run(unsigned hours) {
        const auto begun = std::chrono::steady_clock::now();
        for (unsigned second = 1; second <= hours * 3600; ++second) {
            accept();
            clock_.advance(std::chrono::seconds(1));
            batch_.pass();
            const auto running = rate_ * std::min<unsigned>(second, run_time.count());
            do {
                loop_.restart();
                loop_.run_for(std::chrono::milliseconds(1));
            } while (engine_->active() > running + behind_max);
            const std::chrono::duration<double> real = std::chrono::steady_clock::now() - begun;
            if (second % 3600 == 0)
                report(second / 3600, real.count());
        }
    }

private:
    static boost::asio::awaitable<int> stop(jobs::Engine* engine) {
        co_await engine->stop();
        co_return 0;
    }

    void accept() {
        jobs::Changes changes;
        std::vector<jobs::JobRow> rows;
        jobs::KeyRow key{.issuer = "https://issuer.example.org", .subject = "robot"};
        key.key = "k" + std::to_string(++posts_);
        key.status = 201;
        key.reply = std::string(600, 'x');
        key.created = clock_.wall();
        jobs::Request wanted;
        wanted.script = "#!/bin/sh\nexit 0\n";
        wanted.queue = "grid";
        wanted.environment.emplace_back("STAMP", key.key);
        const auto request = std::make_shared<const jobs::Request>(wanted);
        for (unsigned i = 0; i < rate_; ++i) {
            jobs::NewJob job{.request = request, .script_hash = "abc", .secret = "secret"};
            job.row.seq = store_->next_seq();
            job.row.id = make_job_id(to_ms(clock_.wall()));
            job.row.issuer = key.issuer;
            job.row.subject = key.subject;
            job.row.account = "grid1";
            job.row.queue = "grid";
            job.row.directives = i % 3;
            job.row.created = job.row.status.updated = clock_.wall();
            key.job_ids.push_back(job.row.id);
            rows.push_back(job.row);
            changes.new_jobs.push_back(std::move(job));
        }
        changes.key = std::move(key);
        if (auto stored = test::run_on(loop_, store_->commit(std::move(changes))); !stored)
            throw std::runtime_error(stored.error().message);
        engine_->add(std::move(rows));
    }

    void report(unsigned hour, double real_s) const {
        long pages = 0, resident = 0;
        std::ifstream("/proc/self/statm") >> pages >> resident;
        std::size_t open = 0;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
            open += entry.path().empty() ? 0 : 1;
        std::uintmax_t stored = 0;
        for (const auto* name : {"/berth.db", "/berth.db-wal"})
            if (std::filesystem::exists(folder_ + name))
                stored += std::filesystem::file_size(folder_ + name);
        std::printf("{\"hour\": %u, \"real_s\": %.1f, \"memory_mb\": %.1f, \"descriptors\": %zu, ",
                    hour, real_s, double(resident) * double(::sysconf(_SC_PAGESIZE)) / 1048576.0,
                    open);
        std::printf("\"store_mb\": %.1f, \"active\": %zu, \"accepted\": %u}\n",
                    double(stored) / 1e6, engine_->active(), hour * 3600 * rate_);
        std::fflush(stdout);
    }

    std::string folder_, root_;
    unsigned rate_;
    unsigned posts_ = 0;
    boost::asio::io_context loop_{1};
    boost::asio::thread_pool disk_{4};
    ManualClock clock_;
    Metrics metrics_;
    FastBatch batch_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<store::OwnFiles> files_;
    std::unique_ptr<jobs::EventBus> bus_;
    std::unique_ptr<jobs::Engine> engine_;
};

}  // namespace

}  // namespace berth::bench

int main(int count, char** words) {
    if (count != 4) {
        std::fprintf(stderr, "usage: bench_soak FOLDER HOURS RATE\n");
        return 2;
    }
    try {
        berth::log::set_level(berth::log::Level::warning);
        berth::bench::Soak soak(words[1], static_cast<unsigned>(std::stoul(words[3])));
        soak.run(static_cast<unsigned>(std::stoul(words[2])));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_soak: %s\n", error.what());
        return 1;
    }
}
