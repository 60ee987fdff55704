#include "http/response_head.hpp"

#include "base/text.hpp"
#include "http/field_line.hpp"

#include <algorithm>

namespace berth::http {

namespace {

class Reader {
public:
    Reader(std::string_view input, bool to_head, const ResponseLimits& limits)
        : input_(input), to_head_(to_head), limits_(limits) {}

    ResponseHeadResult read() {
        std::string_view line;
        if (!next_line(line))
            return std::move(result_);
        if (!status_line(line))
            return refuse("the status line is ill-formed");
        for (;;) {
            if (!next_line(line))
                return std::move(result_);
            if (line.empty())
                break;
            if (!field(line))
                return std::move(result_);
        }
        return finish();
    }

private:
    ResponseHeadResult refuse(std::string_view reason) {
        result_.error = reason;
        return std::move(result_);
    }

    // False: more is needed, or result_.error says what is wrong.
    bool next_line(std::string_view& line) {
        const auto end = input_.find('\n', at_);
        if (std::min(end, input_.size()) > limits_.head_bytes_max)
            result_.error = "the head is too large";
        else if (end != std::string_view::npos && (end == at_ || input_[end - 1] != '\r'))
            result_.error = "a line does not end with CRLF";
        if (end == std::string_view::npos || !result_.error.empty())
            return false;
        line = input_.substr(at_, end - 1 - at_);
        at_ = end + 1;
        return true;
    }

    // "HTTP/1.1 200 OK"; the reason may be missing with its space (RFC 9112 section 4).
    bool status_line(std::string_view line) {
        if (!line.starts_with("HTTP/1.0 ") && !line.starts_with("HTTP/1.1 "))
            return false;
        head_.minor_version = line[7] - '0';
        const auto digits = line.substr(9, 3);
        const auto status = to_number<int>(digits);
        if (!status || digits.size() != 3 || *status < 100 || *status > 599 ||
            (line.size() > 12 && line[12] != ' '))
            return false;
        head_.status = *status;
        return true;
    }

    bool field(std::string_view line) {
        const auto read = read_field_line(line);
        if (read.refusal != nullptr)
            result_.error = read.refusal;
        else if (head_.headers.all().size() >= limits_.fields_max)
            result_.error = "there are too many fields";
        else if (known_field(to_lower(read.name), read.value))
            head_.headers.add(std::string(read.name), std::string(read.value));
        return result_.error.empty();
    }

    bool known_field(const std::string& name, std::string_view value) {
        if (name == "content-length") {
            const auto length = read_content_length(value);
            if (!length || head_.length)
                result_.error = "Content-Length is not exactly one plain number";
            head_.length = length;
        } else if (name == "transfer-encoding") {
            if (head_.chunked || to_lower(value) != "chunked")
                result_.error = "Transfer-Encoding is not exactly one \"chunked\"";
            head_.chunked = true;
        } else if (name == "connection" || name == "proxy-connection") {
            const auto options = to_lower(value);
            close_ = close_ || options.find("close") != std::string::npos;
            keep_ = keep_ || options.find("keep-alive") != std::string::npos;
        }
        return result_.error.empty();
    }

    ResponseHeadResult finish() {
        head_.has_body =
            !to_head_ && head_.status >= 200 && head_.status != 204 && head_.status != 304;
        if (head_.chunked && head_.length)
            return refuse("there are both Content-Length and Transfer-Encoding");
        if (head_.chunked && head_.minor_version == 0)
            return refuse("Transfer-Encoding in HTTP/1.0");
        const bool ends_itself = !head_.has_body || head_.chunked || head_.length;
        head_.keep_alive = ends_itself && !close_ && (keep_ || head_.minor_version == 1);
        result_.bytes = at_;
        result_.head.emplace(std::move(head_));
        return std::move(result_);
    }

    std::string_view input_;
    bool to_head_;
    const ResponseLimits& limits_;
    std::size_t at_ = 0;
    bool close_ = false, keep_ = false;
    ResponseHead head_;
    ResponseHeadResult result_;
};

}  // namespace

ResponseHeadResult read_response_head(std::string_view input, bool to_head,
                                      const ResponseLimits& limits) {
    return Reader(input, to_head, limits).read();
}

}  // namespace berth::http
