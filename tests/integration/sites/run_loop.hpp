// Drives one loop for a test.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include <stdlib.h>

namespace berth::test {

// Runs `task` on `loop` until it has ended; background tasks of the loop go on in between.
template <class T>
T run_on(boost::asio::io_context& loop, boost::asio::awaitable<T> task,
         std::chrono::seconds limit = std::chrono::seconds(60)) {
    auto result = boost::asio::co_spawn(loop, std::move(task), boost::asio::use_future);
    loop.restart();
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error("the task did not end in time");
        loop.run_one_for(std::chrono::milliseconds(200));
    }
    return result.get();
}

// Lets the loop work until `done()` or the limit; what done() says in the end.
template <class Done>
bool run_until(boost::asio::io_context& loop, Done done,
               std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    loop.restart();
    while (!done() && std::chrono::steady_clock::now() < deadline)
        loop.run_one_for(std::chrono::milliseconds(20));
    return done();
}

// A folder of its own below TMPDIR or /tmp, removed with all it holds.
class TemporaryFolder {
public:
    TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace berth::test
