// One walk of cache/warm.hpp: what it was ordered to do and how far it is.
//
// Threads: the control loop.
#pragma once

#include "cache/warm.hpp"

#include <algorithm>
#include <deque>

namespace berth::cache {

// How fast a count grows, over the last one or two windows.
class Pace {
public:
    explicit Pace(SteadyTime now) : before_{now, 0}, last_{now, 0} {}
    void note(SteadyTime now, std::uint64_t count) {
        if (now - last_.time < window)
            return;
        before_ = last_;
        last_ = {now, count};
    }
    std::optional<std::chrono::seconds> time_for(std::uint64_t more, SteadyTime now,
                                                 std::uint64_t count) const {
        const std::chrono::duration<double> passed = now - before_.time;
        const auto grown = static_cast<double>(count - before_.count);
        if (grown <= 0)
            return std::nullopt;
        const auto estimate = std::min(passed.count() * static_cast<double>(more) / grown, 1e9);
        return std::chrono::seconds(static_cast<std::int64_t>(estimate));
    }

private:
    static constexpr std::chrono::seconds window{30};
    struct Mark {
        SteadyTime time;
        std::uint64_t count;
    };
    Mark before_, last_;
};

struct Warmer::Walk {
    Walk(boost::asio::io_context& loop, WarmOrder wanted, const Clock& clock)
        : order(std::move(wanted)),
          changed(loop, boost::asio::steady_timer::time_point::max()),
          pace(clock.steady()) {
        status.repository = order.repository;
        status.revision = order.revision;
        status.paths = order.paths;
        status.started = clock.wall();
    }
    bool ended() const { return status.state != WarmStatus::State::running; }
    bool is_complete() const { return status.failures == 0 && status.objects_done == found; }
    void fail(std::string sentence, std::size_t in_a_row_max) {
        constexpr std::size_t named_max = 10;
        ++status.failures;
        if (status.first_failures.size() < named_max)
            status.first_failures.push_back(std::move(sentence));
        if (++failures_in_a_row >= in_a_row_max)
            end_as(WarmStatus::State::failed);
    }
    // No object is asked for from here on.
    void end_as(WarmStatus::State state) {
        if (!ended())
            status.state = state;
        waiting.clear();
        changed.cancel();
    }

    WarmOrder order;
    WarmStatus status;
    std::deque<TreeObject> waiting;
    bool all_read = false;  // nothing more will wait
    std::size_t bringing = 0;
    std::size_t failures_in_a_row = 0;
    std::uint64_t found = 0, promised = 0;  // objects
    bool has_path = false;
    boost::asio::steady_timer changed;  // cancelled to wake all that wait for a change
    Pace pace;
};

}  // namespace berth::cache
