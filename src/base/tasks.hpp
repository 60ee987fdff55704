// Background work that is owned: it can be waited for, and its failures are seen.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <list>
#include <string>

namespace berth {

// Coroutines on one loop, under one owner. An exception that leaves a task is logged.
//
// Threads: the loop's only.
// Lifetime: the owner calls stop() and waits for it before it dies; what a task refers to must
// live until then.
class TaskGroup {
public:
    explicit TaskGroup(boost::asio::io_context& loop) : loop_(loop), empty_(loop) {}
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    void spawn(std::string name, boost::asio::awaitable<void> task);
    std::size_t size() const { return running_.size(); }
    bool stopping() const { return stopping_; }

    // Waits until no task runs, at most `limit`; true if it is so.
    boost::asio::awaitable<bool> idle(std::chrono::milliseconds limit);
    // Cancels every task and waits for them. New tasks are refused from here on.
    boost::asio::awaitable<void> stop();

private:
    boost::asio::io_context& loop_;
    boost::asio::steady_timer empty_;
    std::list<boost::asio::cancellation_signal> running_;
    bool stopping_ = false;
};

// Wakes one waiting coroutine, or lets the next wait return at once.
//
// Threads: the loop's only.
class Wakeup {
public:
    explicit Wakeup(boost::asio::io_context& loop) : timer_(loop) {}
    void notify();
    // Returns when notified, or after `limit`; also on cancellation (the next wait throws).
    boost::asio::awaitable<void> wait(std::chrono::milliseconds limit);

private:
    boost::asio::steady_timer timer_;
    bool notified_ = false;
};

// Waits on the caller's executor. Throws operation_aborted when the caller is cancelled.
boost::asio::awaitable<void> sleep_for(std::chrono::milliseconds duration);

}  // namespace berth
