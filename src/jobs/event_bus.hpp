// News of jobs to those who wait for it on the control loop.
//
// Threads: the control loop. Lifetime: outlives every subscription.
#pragma once

#include "base/tasks.hpp"
#include "jobs/rows.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <deque>
#include <list>
#include <optional>
#include <vector>

namespace berth::jobs {

class EventBus {
public:
    explicit EventBus(boost::asio::io_context& loop) : loop_(loop) {}
    EventBus(const EventBus&) = delete;
    EventBus& operator=(const EventBus&) = delete;

    // The last event that the store has at start.
    void start_after(std::int64_t seq) { last_ = seq; }
    // Durable events, in order.
    void publish(const std::vector<EventRow>& events);
    std::int64_t last() const { return last_; }

    // The events after `after`, when all of them are still kept here; else nothing, and the store
    // has to be asked.
    std::optional<std::vector<EventRow>> since(std::int64_t after) const;

    // Returns after the next event of that job (0 = of any job), or after `limit`.
    boost::asio::awaitable<void> wait(JobSeq job, std::chrono::milliseconds limit);

    // Wakes everyone; from here on wait() returns at once.
    void close();
    bool closed() const { return closed_; }

private:
    struct Waiter {
        explicit Waiter(boost::asio::io_context& loop, JobSeq wanted) : job(wanted), wakeup(loop) {}
        JobSeq job;
        Wakeup wakeup;
    };

    boost::asio::io_context& loop_;
    std::deque<EventRow> kept_;
    std::list<Waiter> waiters_;
    std::int64_t last_ = 0;
    bool closed_ = false;
};

}  // namespace berth::jobs
