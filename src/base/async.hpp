// What an operation that waits and may fail returns, and waiting for work on another thread.
#pragma once

#include "base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <type_traits>
#include <utility>

namespace berth {

template <class T>
using Async = boost::asio::awaitable<Result<T>>;

// The token for a wait on another thread. Its empty slot keeps a cancellation of the caller from
// crossing threads, which in Asio 1.26 is a use after free; the caller learns of it at its next
// co_await.
inline auto elsewhere() {
    return boost::asio::bind_cancellation_slot(boost::asio::cancellation_slot(),
                                               boost::asio::use_awaitable);
}

// Calls function(arguments...) on `pool`; the caller resumes on its own executor. An exception
// from the function reaches the caller. The work cannot be stopped once it runs: give it a
// deadline of its own. Pass values as arguments, not as lambda captures (GCC 12, docs/style.md).
template <class Function, class... Arguments>
auto offload(boost::asio::thread_pool& pool, Function function, Arguments... arguments)
    -> boost::asio::awaitable<std::invoke_result_t<Function, Arguments...>> {
    using Value = std::invoke_result_t<Function, Arguments...>;
    auto work = [](Function f, Arguments... a) -> boost::asio::awaitable<Value> {
        co_return std::invoke(std::move(f), std::move(a)...);
    };
    co_return co_await boost::asio::co_spawn(
        pool, work(std::move(function), std::move(arguments)...), elsewhere());
}

}  // namespace berth
