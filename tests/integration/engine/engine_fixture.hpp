// The engine with a real store and real session directories, a batch system in memory, and the
// test in the place of the nodes. Time for the rules is the test's; waits are short and real.
#pragma once

#include "integration/sites/run_loop.hpp"
#include "jobs/engine.hpp"
#include "store/session_files.hpp"
#include "store/sqlite_store.hpp"
#include "support/fake_batch.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace berth::test {

inline constexpr std::chrono::seconds patience{10};

class EngineTest : public testing::Test {
protected:
    EngineTest();
    ~EngineTest() override;

    void start();
    // Ends the engine as a restart would, and begins anew from the store.
    void stop();
    void restart() {
        stop();
        start();
    }

    // Accepts jobs that may travel together (one `directives`); their ids.
    std::vector<std::string> accept(std::size_t count, std::uint64_t directives = 1,
                                    jobs::State state = jobs::State::accepted);
    std::string accept_one(std::uint64_t directives = 1) { return accept(1, directives).front(); }

    jobs::JobRow row(const std::string& id);
    jobs::Status status(const std::string& id) { return row(id).status; }
    Result<void> cancel(const std::string& id);
    Result<void> hold(const std::string& id);
    Result<void> release(const std::string& id);

    // Whether the stored job comes to `state`; the clock of the rules stands still.
    bool reaches(const std::string& id, jobs::State state, std::chrono::seconds limit = patience);
    // Lets everything go on for a while; true if the job is in `state` all the time.
    bool stays(const std::string& id, jobs::State state,
               std::chrono::milliseconds time = std::chrono::milliseconds(1500));
    bool until(const std::function<bool()>& done, std::chrono::seconds limit = patience);

    // ---- what a node does
    std::string session(const std::string& id) const;
    // The wrapper's start: true if it wins.
    bool take_fence(const std::string& id, const std::string& tag, const std::string& batch_id,
                    const std::string& nonce = "n1");
    std::string fence_text(const std::string& id) const;
    void write_marker(const std::string& id, int code, const std::string& told = "",
                      const std::string& nonce = "n1");
    void tell(const std::string& tag, const std::string& kind, unsigned index = 0,
              const std::string& nonce = "n1");
    // A start that wins and is seen.
    void run_payload(const std::string& id, unsigned index = 0);

    TemporaryFolder folder_;
    boost::asio::io_context loop_{1};
    boost::asio::thread_pool disk_{2};
    ManualClock clock_;
    FakeBatch batch_{clock_};
    Metrics metrics_;
    jobs::EngineSettings settings_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<store::OwnFiles> files_;
    std::unique_ptr<jobs::EventBus> bus_;
    std::unique_ptr<jobs::Engine> engine_;
};

}  // namespace berth::test
