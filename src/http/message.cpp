#include "http/message.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "http/characters.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace berth::http {

namespace {

// One part of a query: "+" is a space. Nothing when an escape is ill-formed, or when the result is
// not UTF-8 or has a NUL byte.
std::optional<std::string> decode_part(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0)
            return std::nullopt;
        result += static_cast<char>(high * 16 + low);
        i += 2;
    }
    if (!is_utf8(result))
        return std::nullopt;
    return result;
}

// These say where the message ends; only the server writes them.
bool is_framing(std::string_view name) {
    return equal_ignoring_case(name, "content-length") ||
           equal_ignoring_case(name, "transfer-encoding") ||
           equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "keep-alive");
}

bool is_safe(const std::string& name, const std::string& value) {
    constexpr std::string_view breaks("\r\n\0", 3);
    return is_token(name) && value.find_first_of(breaks) == std::string::npos;
}

void append_number(std::string& out, std::int64_t value) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
}

}  // namespace

void Headers::add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string_view name, std::string value) {
    remove(name);
    add(std::string(name), std::move(value));
}

void Headers::remove(std::string_view name) {
    std::erase_if(fields_, [&](const auto& f) { return equal_ignoring_case(f.first, name); });
}

std::string_view Headers::get(std::string_view name) const {
    for (const auto& [key, value] : fields_)
        if (key.size() == name.size() && equal_ignoring_case(key, name))
            return value;
    return {};
}

bool Headers::contains(std::string_view name) const {
    return count(name) > 0;
}

std::size_t Headers::count(std::string_view name) const {
    const auto same = [&](const auto& f) { return equal_ignoring_case(f.first, name); };
    return static_cast<std::size_t>(std::ranges::count_if(fields_, same));
}

Result<std::vector<std::pair<std::string, std::string>>> query_values(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto part : split(query, '&')) {
        if (part.empty())
            continue;
        const auto equals = std::min(part.find('='), part.size());
        auto name = decode_part(part.substr(0, equals));
        auto value = decode_part(part.substr(std::min(equals + 1, part.size())));
        if (!name || !value) {
            const auto shown = printable(name ? *name : part.substr(0, equals), 60);
            return Error{ErrorKind::invalid,
                         "the query parameter \"" + shown + "\" is not percent-encoded UTF-8 text",
                         shown.empty() ? "query" : shown};
        }
        all.emplace_back(std::move(*name), std::move(*value));
    }
    return all;
}

void append_head(std::string& out, const Response& response, const HeadOptions& options) {
    out += "HTTP/1.1 ";
    append_number(out, response.status);
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\n";
    bool has_date = false, has_server = false;
    for (const auto& [name, value] : response.headers.all()) {
        if (is_framing(name))
            continue;
        if (!is_safe(name, value)) {
            log::warning("response_field_dropped", {{"name", name}});
            continue;
        }
        has_date = has_date || equal_ignoring_case(name, "date");
        has_server = has_server || equal_ignoring_case(name, "server");
        append_field(out, name, value);
    }
    if (!has_date && !options.date.empty())
        append_field(out, "Date", options.date);
    if (!has_server)
        append_field(out, "Server", "berth");
    if (options.length >= 0) {
        out += "Content-Length: ";
        append_number(out, options.length);
        out += "\r\n";
    }
    if (options.chunked)
        append_field(out, "Transfer-Encoding", "chunked");
    append_field(out, "Connection", options.keep_alive ? "keep-alive" : "close");
    out += "\r\n";
}

std::string serialize_head(const Response& response, const HeadOptions& options) {
    std::string out;
    append_head(out, response, options);
    return out;
}

std::string format_date(std::int64_t unix_seconds) {
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t time = unix_seconds;
    std::tm utc{};
    gmtime_r(&time, &utc);
    char text[64];
    const int length = std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                     days[utc.tm_wday], utc.tm_mday, months[utc.tm_mon],
                                     utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    return std::string(text, static_cast<std::size_t>(length));
}

std::optional<std::string_view> text_body(const Response& response) {
    if (const auto* own = std::get_if<std::string>(&response.body))
        return *own;
    if (const auto* shared = std::get_if<std::shared_ptr<const std::string>>(&response.body))
        return std::string_view(**shared);
    return std::nullopt;
}

std::string_view reason_phrase(int status) {
    switch (status) {
            // clang-format off
        case 100: return "Continue";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 203: return "Non-Authoritative Information";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 207: return "Multi-Status";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 407: return "Proxy Authentication Required";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Content";
        case 425: return "Too Early";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 507: return "Insufficient Storage";
        case 508: return "Loop Detected";
            // clang-format on
        default:
            return "";
    }
}

}  // namespace berth::http
