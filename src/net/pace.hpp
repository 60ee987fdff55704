// Is a body moving fast enough? Counts only the time spent waiting for the peer, so that a slow
// handler or disk is never held against it.
#pragma once

#include "net/server.hpp"

#include <chrono>
#include <cstddef>

namespace berth::net {

class Pace {
public:
    explicit Pace(const ServerSettings& settings)
        : stall_(settings.stall_timeout),
          window_(settings.slow_window),
          rate_min_(settings.slow_bytes_per_s_min) {}

    std::chrono::seconds stall_timeout() const { return stall_; }
    void moved(std::size_t bytes) { bytes_ += bytes; }
    void waited(std::chrono::steady_clock::duration time) { waited_ += time; }

    // At the end of each window: was it too slow? Begins the next window.
    bool too_slow() {
        if (waited_ < window_)
            return false;
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(waited_).count();
        const bool slow = bytes_ < rate_min_ * static_cast<std::size_t>(seconds);
        bytes_ = 0;
        waited_ = {};
        return slow;
    }

private:
    std::chrono::seconds stall_;
    std::chrono::seconds window_;
    std::size_t rate_min_;
    std::size_t bytes_ = 0;
    std::chrono::steady_clock::duration waited_{};
};

}  // namespace berth::net
