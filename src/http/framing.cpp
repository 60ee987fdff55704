#include "http/framing.hpp"

#include "base/text.hpp"
#include "http/authority.hpp"
#include "http/characters.hpp"
#include "http/field_line.hpp"

#include <algorithm>

namespace berth::http {

namespace {

constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t version_bytes = 8;  // "HTTP/1.1"
constexpr std::size_t usual_fields = 12;

using Refusal = std::optional<GateError>;

GateError refuse(std::string reason, int status = 400) {
    return GateError{status, std::move(reason)};
}

// Fields that decide about more than framing, and of which other readers might take the other one.
bool is_single(std::string_view name) {
    return equal_ignoring_case(name, "authorization") || equal_ignoring_case(name, "content-type");
}

// Reads one head. Each step returns a refusal or nothing.
class HeadReader {
public:
    HeadReader(std::string_view input, const GateSettings& settings)
        : input_(input), settings_(settings) {}

    GateResult read();

private:
    enum class Line { none, whole, refused };

    Line next_line(std::string_view& line, Refusal& refusal);
    Refusal unfinished() const;
    Refusal request_line(std::string_view line);
    Refusal method(std::string_view text);
    Refusal version(std::string_view text);
    Refusal target(std::string_view text);
    Refusal absolute_target(std::string_view text);
    Refusal path_and_query(std::string_view text);
    Refusal field(std::string_view line);
    Refusal known_field(std::string_view name, std::string_view value);
    Refusal content_length(std::string_view value);
    Refusal connection(std::string_view value);
    Refusal finish();

    std::string_view input_;
    const GateSettings& settings_;
    std::size_t at_ = 0;
    GateHead result_;
    bool has_length_ = false;
    bool close_ = false;
    bool keep_ = false;
    std::optional<std::string> host_;
};

// The next line without its CRLF.
HeadReader::Line HeadReader::next_line(std::string_view& line, Refusal& refusal) {
    const auto end = input_.find('\n', at_);
    if (end == std::string_view::npos)
        return Line::none;
    if (end == at_ || input_[end - 1] != '\r') {
        refusal = refuse("a line does not end with CRLF");
        return Line::refused;
    }
    line = input_.substr(at_, end - 1 - at_);
    at_ = end + 1;
    return Line::whole;
}

// The head has no end yet: is it already too long?
Refusal HeadReader::unfinished() const {
    if (at_ == 0 && input_.size() > settings_.target_bytes_max + method_bytes_max + version_bytes)
        return refuse("the request target is too long", 414);
    if (input_.size() >= settings_.head_bytes_max)
        return refuse("the request head is too large", 431);
    return {};
}

GateResult HeadReader::read() {
    GateResult result;
    std::string_view line;
    const auto step = [&] {
        if (const auto got = next_line(line, result.error); got != Line::none)
            return got;
        result.error = unfinished();
        return result.error ? Line::refused : Line::none;
    };
    if (step() != Line::whole)
        return result;
    result.error = request_line(line);
    result_.head.headers.reserve(usual_fields);
    while (!result.error) {
        if (step() != Line::whole)
            return result;
        if (at_ > settings_.head_bytes_max)
            result.error = refuse("the request head is too large", 431);
        else if (line.empty())
            break;
        else
            result.error = field(line);
    }
    if (!result.error)
        result.error = finish();
    if (result.error)
        return result;
    result_.bytes = at_;
    result.head.emplace(std::move(result_));
    return result;
}

Refusal HeadReader::request_line(std::string_view line) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        return refuse("the request line does not have three parts");
    if (auto refusal = method(line.substr(0, first)))
        return refusal;
    if (auto refusal = version(line.substr(last + 1)))
        return refusal;
    return target(line.substr(first + 1, last - first - 1));
}

Refusal HeadReader::method(std::string_view text) {
    if (!is_token(text))
        return refuse("the method is not a token");
    for (std::string_view rest = settings_.methods; !rest.empty();) {
        const auto end = std::min(rest.find(' '), rest.size());
        if (rest.substr(0, end) == text) {
            result_.head.method = text;
            return {};
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return refuse("the method is not implemented here", 501);
}

Refusal HeadReader::version(std::string_view text) {
    if (text == "HTTP/1.1" || text == "HTTP/1.0") {
        result_.head.minor_version = text.back() - '0';
        return {};
    }
    const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
    if (text.size() == version_bytes && text.starts_with("HTTP/") && digit(5) && text[6] == '.' &&
        digit(7))
        return refuse("the HTTP version is not supported", 505);
    return refuse("the HTTP version is ill-formed");
}

Refusal HeadReader::target(std::string_view text) {
    if (text.size() > settings_.target_bytes_max)
        return refuse("the request target is too long", 414);
    if (text.empty() || !all_of(text, target_bytes))
        return refuse("the request target has bytes that no URI may have");
    result_.head.target = text;
    if ((result_.head.method == "CONNECT") != (text[0] != '/' && text.find('/') == text.npos))
        return refuse("the form of the request target does not fit the method");
    if (result_.head.method == "CONNECT") {
        const auto authority = read_authority(text);
        if (!settings_.allow_authority || !authority || authority->port == 0)
            return refuse("the request target is not an acceptable host and port");
        result_.form = TargetForm::authority;
        result_.authority = text;
        return {};
    }
    return text[0] == '/' ? path_and_query(text) : absolute_target(text);
}

Refusal HeadReader::absolute_target(std::string_view text) {
    const auto colon = text.find("://");
    const auto scheme = to_lower(text.substr(0, std::min(colon, text.size())));
    if (!settings_.allow_absolute || (scheme != "http" && scheme != "https"))
        return refuse("the form of the request target is not accepted here");
    text.remove_prefix(colon + 3);
    const auto end = std::min(text.find_first_of("/?"), text.size());
    if (!read_authority(text.substr(0, end)))
        return refuse("the authority of the request target is ill-formed");
    result_.form = TargetForm::absolute;
    result_.authority = text.substr(0, end);
    return path_and_query(text.substr(end));
}

Refusal HeadReader::path_and_query(std::string_view text) {
    const auto question = std::min(text.find('?'), text.size());
    if (question < text.size())
        result_.head.query = text.substr(question + 1);
    auto path = text.substr(0, question);
    if (path.empty())
        path = "/";
    auto decoded = decode_path(path);
    // A proxy passes an absolute target on as it is; only what is served here must be decodable.
    if (!decoded && result_.form == TargetForm::origin)
        return refuse("the path is not acceptable");
    result_.head.path = std::move(decoded).value_or(std::string());
    return {};
}

Refusal HeadReader::field(std::string_view line) {
    if (result_.head.headers.all().size() >= settings_.fields_max)
        return refuse("there are too many fields", 431);
    const auto read = read_field_line(line);
    if (read.refusal != nullptr)
        return refuse(read.refusal);
    if (auto refusal = known_field(read.name, read.value))
        return refusal;
    result_.head.headers.add(std::string(read.name), std::string(read.value));
    return {};
}

// The fields that decide about framing and routing.
Refusal HeadReader::known_field(std::string_view name, std::string_view value) {
    auto& head = result_.head;
    if (equal_ignoring_case(name, "host")) {
        if (host_)
            return refuse("there are several Host fields");
        if (!read_authority(value))
            return refuse("the Host field is ill-formed");
        host_ = value;
    } else if (equal_ignoring_case(name, "content-length")) {
        return content_length(value);
    } else if (equal_ignoring_case(name, "transfer-encoding")) {
        if (head.chunked || value != "chunked")
            return refuse("Transfer-Encoding is not exactly one \"chunked\"");
        head.chunked = true;
    } else if (equal_ignoring_case(name, "connection")) {
        return connection(value);
    } else if (equal_ignoring_case(name, "expect")) {
        if (!equal_ignoring_case(value, "100-continue"))
            return refuse("the expectation is not known", 417);
        head.expects_continue = true;
    } else if (is_single(name) && head.headers.contains(name)) {
        return refuse("a field that may come once comes twice");
    }
    return {};
}

Refusal HeadReader::content_length(std::string_view value) {
    const auto length = read_content_length(value);
    if (has_length_ || !length)
        return refuse("Content-Length is not exactly one plain number");
    has_length_ = true;
    result_.head.content_length = *length;
    return {};
}

Refusal HeadReader::connection(std::string_view value) {
    for (;;) {
        const auto comma = std::min(value.find(','), value.size());
        const auto option = trim(value.substr(0, comma));
        close_ = close_ || equal_ignoring_case(option, "close");
        keep_ = keep_ || equal_ignoring_case(option, "keep-alive");
        if (comma == value.size())
            return {};
        value.remove_prefix(comma + 1);
    }
}

// The rules that need all fields.
Refusal HeadReader::finish() {
    auto& head = result_.head;
    const bool old = head.minor_version == 0;
    if (!host_ && !old)
        return refuse("there is no Host field");
    if (head.chunked && has_length_)
        return refuse("there are both Content-Length and Transfer-Encoding");
    if (head.chunked && old)
        return refuse("Transfer-Encoding in HTTP/1.0");
    const bool body = head.chunked || head.content_length > 0;
    if (head.method == "CONNECT" && (head.chunked || has_length_))
        return refuse("CONNECT with a body");
    // A body there has no meaning (RFC 9110 section 9.3.1) and is known as a carrier of smuggled
    // requests and of poison for caches.
    if (body && (head.method == "GET" || head.method == "HEAD"))
        return refuse("GET or HEAD with a body");
    head.keep_alive = !close_ && (keep_ || !old);
    head.expects_continue = head.expects_continue && body && !old;
    if (result_.form == TargetForm::origin)
        result_.authority = std::move(host_).value_or(std::string());
    else if (host_ != result_.authority)  // RFC 9112 section 3.2.2: the target wins
        head.headers.set("Host", result_.authority);
    return {};
}

}  // namespace

GateResult read_head(std::string_view input, const GateSettings& settings) {
    return HeadReader(input, settings).read();
}

}  // namespace berth::http
