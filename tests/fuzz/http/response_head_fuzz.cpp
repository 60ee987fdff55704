// An accepted head of an answer must have one meaning only, must not be decided on less than its
// bytes, and what follows it must not matter.
#include "base/text.hpp"
#include "fuzz/require.hpp"
#include "http/field_line.hpp"
#include "http/response_head.hpp"

namespace {

using namespace berth::http;
using berth::fuzz::require;

void check(const ResponseHeadResult& result, std::string_view input, bool to_head,
           const ResponseLimits& limits) {
    const auto& head = *result.head;
    require(result.bytes <= limits.head_bytes_max + 2 && result.bytes <= input.size());
    require(input.substr(0, result.bytes).ends_with("\r\n\r\n"));
    require(head.status >= 100 && head.status <= 599);
    require(head.minor_version == 0 || head.minor_version == 1);
    require(head.headers.all().size() <= limits.fields_max);
    require(!(head.chunked && head.length));
    require(!head.chunked || head.minor_version == 1);
    require(head.headers.count("Content-Length") == (head.length ? 1U : 0U));
    require(head.headers.count("Transfer-Encoding") == (head.chunked ? 1U : 0U));
    require(!to_head || !head.has_body);
    // A body that only the close ends cannot be followed by another answer.
    require(!head.keep_alive || !head.has_body || head.chunked || head.length);
    for (const auto& [name, value] : head.headers.all()) {
        require(!name.empty() && name.find_first_of(" \t\r\n:") == name.npos);
        require(value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos);
        require(read_field_line(name + ":" + value).value == value);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const ResponseLimits limits{.head_bytes_max = 2048, .fields_max = 20};
    for (const bool to_head : {false, true}) {
        const auto result = read_response_head(input, to_head, limits);
        require(!(result.head && !result.error.empty()));
        if (!result.head)
            continue;
        check(result, input, to_head, limits);
        const auto alone = read_response_head(input.substr(0, result.bytes), to_head, limits);
        require(alone.head && alone.bytes == result.bytes);
        for (std::size_t length = 0; length < result.bytes; ++length) {
            const auto part = read_response_head(input.substr(0, length), to_head, limits);
            require(!part.head && part.error.empty());
        }
    }
    return 0;
}
