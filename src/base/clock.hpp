// Time as the rules see it: a wall clock for what is shown and stored and for token claims, and a
// steady one for every wait and age, so that a jump of the wall clock moves no deadline.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

// Milliseconds since 1970-01-01 UTC; this is also how the store keeps times.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

// Threads: any.
class Clock {
public:
    virtual ~Clock() = default;
    virtual WallTime wall() const = 0;
    virtual SteadyTime steady() const = 0;
};

class SystemClock final : public Clock {
public:
    WallTime wall() const override;
    SteadyTime steady() const override;
};

// A clock that moves only when a test moves it.
class ManualClock final : public Clock {
public:
    WallTime wall() const override { return wall_; }
    SteadyTime steady() const override { return steady_; }

    void set_wall(WallTime time) { wall_ = time; }
    void jump(std::chrono::milliseconds by) { wall_ += by; }  // the wall clock alone
    void advance(std::chrono::milliseconds by) {              // both: time passes
        wall_ += by;
        steady_ += by;
    }

private:
    WallTime wall_{std::chrono::seconds(1'800'000'000)};
    SteadyTime steady_{std::chrono::hours(1)};
};

// RFC 3339 with milliseconds in UTC: "2026-11-23T10:50:00.000Z".
std::string to_rfc3339(WallTime time);
// Errors: nullopt when `text` is not of the form that to_rfc3339 writes (fraction optional).
std::optional<WallTime> from_rfc3339(std::string_view text);

inline std::int64_t to_ms(WallTime time) {
    return time.time_since_epoch().count();
}
inline WallTime from_ms(std::int64_t ms) {
    return WallTime(std::chrono::milliseconds(ms));
}

}  // namespace berth
