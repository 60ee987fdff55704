// What an operation that waits and may fail returns, and waiting for work on another thread.
#pragma once

#include "base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

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

// Calls function(argument) on `pool` for each of `arguments`, side by side; the results in their
// order. The function must not throw. A caller that is cancelled leaves the work to itself.
template <class Function, class Argument>
auto offload_each(boost::asio::thread_pool& pool, Function function,
                  std::vector<Argument> arguments)
    -> boost::asio::awaitable<std::vector<std::invoke_result_t<Function, Argument>>> {
    using Value = std::invoke_result_t<Function, Argument>;
    struct Shared {
        Shared(boost::asio::any_io_executor executor, std::size_t count)
            : results(count),
              left(count),
              done(executor, boost::asio::steady_timer::time_point::max()) {}
        std::vector<Value> results;
        std::size_t left;
        boost::asio::steady_timer done;
    };
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto shared = std::make_shared<Shared>(executor, arguments.size());
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        boost::asio::post(
            pool, [shared, executor, i, function, argument = std::move(arguments[i])]() mutable {
                auto value = std::invoke(function, std::move(argument));
                boost::asio::post(executor, [shared, i, value = std::move(value)]() mutable {
                    shared->results[i] = std::move(value);
                    if (--shared->left == 0)
                        shared->done.cancel();
                });
            });
    }
    constexpr auto as_result = boost::asio::as_tuple(boost::asio::use_awaitable);
    while (shared->left > 0)
        co_await shared->done.async_wait(as_result);
    co_return std::move(shared->results);
}

}  // namespace berth
