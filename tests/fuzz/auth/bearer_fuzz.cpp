// The fields of a request, one on each line: the one bearer token among them, or a refusal that
// says whether the request or only its sign-in is wrong.
#include "auth/reason.hpp"
#include "auth/token.hpp"
#include "base/text.hpp"
#include "fuzz/require.hpp"

#include <cstdint>
#include <string>

using namespace berth;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    http::Headers headers;
    std::size_t fields = 0;
    for (const auto line : split(text, '\n')) {
        const auto colon = line.find(':');
        if (colon == std::string_view::npos)
            continue;
        const auto name = line.substr(0, colon);
        headers.add(std::string(name), std::string(line.substr(colon + 1)));
        fields += equal_ignoring_case(name, "authorization") ? 1 : 0;
    }
    const auto token = auth::read_bearer(headers);
    if (token) {
        require(fields == 1 && !token->empty());
        require(token->find_first_of(" \t,\"\r\n") == std::string::npos);
        require(trim(headers.get("Authorization")).ends_with(*token));
        return 0;
    }
    require(!token.error().field.empty());
    if (fields == 0)
        require(token.error().kind == ErrorKind::unauthorized);
    if (fields > 1)
        require(token.error().kind == ErrorKind::invalid);
    return 0;
}
