// An accepted head must keep the promises of http/framing.hpp, must not be decided on less than
// its bytes, and what follows it must not matter.
#include "base/text.hpp"
#include "fuzz/require.hpp"
#include "http/framing.hpp"

namespace {

using namespace berth::http;
using berth::fuzz::require;

void check(const GateHead& head, std::string_view input, const GateSettings& settings) {
    const auto& h = head.head;
    require(head.bytes <= settings.head_bytes_max && head.bytes <= input.size());
    require(input.substr(0, head.bytes).ends_with("\r\n\r\n"));
    require(h.target.size() <= settings.target_bytes_max);
    require(h.headers.all().size() <= settings.fields_max + 1);  // a Host may have been added
    require(h.headers.count("Host") <= 1);
    require(h.minor_version == 0 || !h.headers.get("Host").empty());
    require(!(h.chunked && h.content_length > 0));
    require(h.chunked == (h.headers.count("Transfer-Encoding") == 1));
    require(h.headers.count("Content-Length") <= (h.chunked ? 0U : 1U));
    require(!h.chunked || h.minor_version == 1);
    require(head.form != TargetForm::origin || h.path.starts_with('/'));
    require((head.form == TargetForm::authority) == (h.method == "CONNECT"));
    for (const auto& [name, value] : h.headers.all()) {
        require(!name.empty() && name.find_first_of(" \t\r\n:") == name.npos);
        require(value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    GateSettings settings;
    settings.methods = "GET HEAD POST PUT DELETE CONNECT";
    settings.allow_authority = true;
    settings.head_bytes_max = 2048;
    settings.target_bytes_max = 512;
    settings.fields_max = 20;
    const auto result = read_head(input, settings);
    require(!(result.head && result.error));
    if (!result.head)
        return 0;
    check(*result.head, input, settings);
    const auto bytes = result.head->bytes;
    const auto alone = read_head(input.substr(0, bytes), settings);
    require(alone.head && alone.head->bytes == bytes);
    for (std::size_t length = 0; length < bytes; ++length) {
        const auto part = read_head(input.substr(0, length), settings);
        require(!part.head && !part.error);
    }
    return 0;
}
