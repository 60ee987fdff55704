// base64url: every value has one text and every accepted text one value.
#include "auth/base64url.hpp"
#include "fuzz/require.hpp"

#include <cstdint>

using berth::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace berth::auth;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto bytes = decode_base64url(text))
        require(encode_base64url(*bytes) == text);
    const auto encoded = encode_base64url(text);
    const auto decoded = decode_base64url(encoded);
    require(decoded && *decoded == text);
    return 0;
}
