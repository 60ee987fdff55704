#include "sites/lanes.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace berth::sites {

namespace asio = boost::asio;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

}  // namespace

// The queue of a lane is as long as its callers: the engine's own limit on work in hand.
asio::awaitable<void> Lanes::enter(std::string name, unsigned width) {
    Lane& lane = lanes_[name];
    lane.width = width;
    if (lane.running < width) {
        ++lane.running;
        co_return;
    }
    const auto mine = lane.waiting.emplace(lane.waiting.end(), loop_);
    mine->expires_at(asio::steady_timer::time_point::max());
    co_await mine->async_wait(as_result);
    // leave() moves the deadline of the one whose turn it is, and counts it as running.
    const bool called = mine->expiry() != asio::steady_timer::time_point::max();
    lane.waiting.erase(mine);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() == asio::cancellation_type::none)
        co_return;
    if (called)
        leave(name);
    throw boost::system::system_error(asio::error::operation_aborted);
}

void Lanes::leave(const std::string& name) {
    Lane& lane = lanes_[name];
    --lane.running;
    // The width may have changed: nobody's turn, or more than one.
    for (auto& next : lane.waiting) {
        if (lane.running >= lane.width)
            return;
        if (next.expiry() != asio::steady_timer::time_point::max())
            continue;
        next.expires_at(asio::steady_timer::time_point::min());  // wakes it; the place is its own
        ++lane.running;
    }
}

}  // namespace berth::sites
