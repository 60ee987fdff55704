#include "base/tasks.hpp"

#include "base/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <utility>

namespace berth {

namespace asio = boost::asio;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

void report(const std::string& name, std::exception_ptr failure) {
    try {
        std::rethrow_exception(std::move(failure));
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted)
            log::error("task_failed", {{"task", name}, {"error", error.what()}});
    } catch (const std::exception& error) {
        log::error("task_failed", {{"task", name}, {"error", error.what()}});
    }
}

}  // namespace

void TaskGroup::spawn(std::string name, asio::awaitable<void> task) {
    if (stopping_)
        return;
    const auto entry = running_.emplace(running_.end());
    auto done = [this, entry, name = std::move(name)](std::exception_ptr failure) {
        if (failure)
            report(name, std::move(failure));
        running_.erase(entry);
        if (running_.empty())
            empty_.cancel();
    };
    asio::co_spawn(loop_, std::move(task),
                   asio::bind_cancellation_slot(entry->slot(), std::move(done)));
}

asio::awaitable<bool> TaskGroup::idle(std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!running_.empty() && std::chrono::steady_clock::now() < deadline) {
        empty_.expires_at(deadline);
        co_await empty_.async_wait(as_result);
    }
    co_return running_.empty();
}

asio::awaitable<void> TaskGroup::stop() {
    stopping_ = true;
    // emit() may end a task and erase its entry at once, so each signal is sent from a turn of
    // the loop of its own.
    std::list<asio::cancellation_signal*> signals;
    for (auto& signal : running_)
        signals.push_back(&signal);
    for (auto* signal : signals) {
        const auto alive = [&] {
            for (auto& entry : running_)
                if (&entry == signal)
                    return true;
            return false;
        };
        if (alive())
            signal->emit(asio::cancellation_type::all);
        co_await asio::post(asio::use_awaitable);
    }
    while (!running_.empty()) {
        empty_.expires_after(std::chrono::seconds(1));
        co_await empty_.async_wait(as_result);
    }
}

void Wakeup::notify() {
    notified_ = true;
    timer_.cancel();
}

asio::awaitable<void> Wakeup::wait(std::chrono::milliseconds limit) {
    if (!notified_) {
        timer_.expires_after(limit);
        co_await timer_.async_wait(as_result);
    }
    notified_ = false;
}

asio::awaitable<void> sleep_for(std::chrono::milliseconds duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(duration);
    co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace berth
