#include "http/authority.hpp"

#include "base/text.hpp"
#include "http/characters.hpp"

namespace berth::http {

namespace {

constexpr ByteClass host_bytes = byte_class("-._~");
constexpr ByteClass literal_bytes = byte_class("0123456789abcdefABCDEF:.", false);

}  // namespace

std::optional<Authority> read_authority(std::string_view text) {
    Authority result;
    std::size_t end = 0;
    if (text.starts_with('[')) {
        end = text.find(']');
        if (end == std::string_view::npos || end < 3 ||
            !all_of(text.substr(1, end - 1), literal_bytes) || text.find(':') > end)
            return std::nullopt;
        ++end;
    } else {
        end = std::min(text.find(':'), text.size());
        if (end == 0 || !all_of(text.substr(0, end), host_bytes))
            return std::nullopt;
    }
    result.host = text.substr(0, end);
    if (end == text.size())
        return result;
    const auto digits = text.substr(end + 1);
    const auto port = to_number<std::uint16_t>(digits);
    if (text[end] != ':' || digits.size() > 5 || !port || *port == 0)
        return std::nullopt;
    result.port = *port;
    return result;
}

}  // namespace berth::http
