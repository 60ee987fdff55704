// HTTP requests and responses as values. No sockets, no coroutines.
#pragma once

#include "base/files.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace berth::http {

// Fields in the order of the message; names compare without case.
class Headers {
public:
    Headers() = default;
    Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

    void reserve(std::size_t fields) { fields_.reserve(fields); }
    void add(std::string name, std::string value);
    void set(std::string_view name, std::string value);  // replaces all of that name
    void remove(std::string_view name);
    // The first value of that name, or "" when there is none.
    std::string_view get(std::string_view name) const;
    bool contains(std::string_view name) const;
    std::size_t count(std::string_view name) const;

    const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

// The head of a request that has passed the framing gate (http/framing.hpp).
struct RequestHead {
    std::string method;  // upper case, from the allow-list of the listener
    std::string target;  // as sent; origin-form unless the listener permits others
    std::string path;    // percent-decoded, without dot segments; begins with '/'. Empty for
                         // authority-form and for an absolute-form that decode_path() refuses
    std::string query;   // without '?', not decoded
    Headers headers;
    int minor_version = 1;  // HTTP/1.0 or HTTP/1.1
    bool keep_alive = true;
    bool expects_continue = false;  // and there is a body to wait for
    bool chunked = false;
    std::uint64_t content_length = 0;  // 0 when chunked or without a body
};

// All parameters in order, percent- and plus-decoded. Errors: invalid with the parameter's name as
// field, when an escape is ill-formed, or a name or value is not UTF-8 or has a NUL byte.
Result<std::vector<std::pair<std::string, std::string>>> query_values(std::string_view query);

// A part of a file; the server sends it without reading it whole.
struct FileBody {
    Descriptor file;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

// A body made while it is sent (server-sent events). net::Server asks for the next piece when the
// last one is on its way. The interface is in http/stream.hpp, because it waits.
class Stream;

struct Response {
    int status = 200;
    Headers headers = {};
    // The shared text is for bodies that many clients get.
    std::variant<std::string, FileBody, std::shared_ptr<Stream>, std::shared_ptr<const std::string>>
        body = std::string();
    // After this response the connection closes (set by the server on framing errors).
    bool close = false;
};

// The body when it is a text, shared or not; else nothing.
std::optional<std::string_view> text_body(const Response& response);

std::string_view reason_phrase(int status);

// How the end of a response is marked, and what the server adds.
struct HeadOptions {
    std::int64_t length = -1;  // Content-Length unless it is -1
    bool chunked = false;
    bool keep_alive = true;
    std::string_view date = {};  // IMF-fixdate, used when the response has no Date of its own
};

// Appends the status line and fields of `response`, ending with the empty line. Framing fields
// that the response brings are replaced. A field whose name is not a token or whose value has CR,
// LF or NUL is left out and logged: no value can end the head.
void append_head(std::string& out, const Response& response, const HeadOptions& options);
std::string serialize_head(const Response& response, const HeadOptions& options);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
std::string format_date(std::int64_t unix_seconds);

}  // namespace berth::http
