// Errors that a caller is expected to act on.
//
// A function that can fail in a way its caller should handle returns Result<T>. Exceptions are
// left for what nobody can handle on the spot: a bug, a broken configuration, no memory.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace berth {

// What went wrong, in the caller's terms. Each kind has one HTTP status (http/problem.cpp).
enum class ErrorKind {
    invalid,        // the request is malformed; repeating it cannot help
    unprocessable,  // well formed, but a value is not acceptable; `field` names it
    unauthorized,   // no valid token
    forbidden,      // a valid token that does not allow this
    not_found,
    gone,      // was here and has been forgotten on request
    conflict,  // the thing is in a state that does not allow this
    too_large,
    unsupported_media,
    rejected,  // a site or remote service refused; its words are in `message`
    too_many,  // a limit of this client is reached; try again later
    unavailable,
    timed_out,
    slow_client,  // the client itself did not send in time
    internal,     // our fault; the message is logged and never sent
};

struct Error {
    ErrorKind kind = ErrorKind::internal;
    std::string message;      // one sentence that its reader can act on
    std::string field = {};   // the request field or configuration key at fault, if there is one
    int retry_after_s = 0;    // when a retry makes sense; 0 = unknown
    std::string old_id = {};  // gone: the id of what was here

    // The same error with "what: " in front, for the log line of an outer operation.
    Error within(std::string_view what) && {
        message.insert(0, std::string(what) + ": ");
        return std::move(*this);
    }
};

// A value or an Error. The names follow std::expected so that C++23 can replace it.
template <class T>
class [[nodiscard]] Result {
public:
    // An internal error. Asio needs it: it makes an empty result when a spawned coroutine throws.
    Result() : Result(Error()) {}
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    T& operator*() & { return checked(); }
    T&& operator*() && { return std::move(checked()); }
    const T& operator*() const& { return const_cast<Result&>(*this).checked(); }
    T* operator->() { return &checked(); }
    const T* operator->() const { return &**this; }

    Error& error() { return std::get<1>(state_); }
    const Error& error() const { return std::get<1>(state_); }

private:
    T& checked() {
        assert(has_value());
        return *std::get_if<0>(&state_);
    }

    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool has_value() const { return !error_; }
    explicit operator bool() const { return has_value(); }
    Error& error() { return *error_; }
    const Error& error() const { return *error_; }

private:
    std::optional<Error> error_;
};

}  // namespace berth
