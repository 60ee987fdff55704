// A decoded path must stay below its root, whatever its encoding was.
#include "base/text.hpp"
#include "http/framing.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto path = berth::http::decode_path(input);
    if (!path)
        return 0;
    bool holds = path->starts_with('/') && path->size() <= size && berth::is_utf8(*path);
    for (const char c : *path)
        holds = holds && static_cast<unsigned char>(c) >= 0x20 && c != 0x7F && c != '\\';
    for (const auto segment : berth::split(*path, '/'))
        holds = holds && segment != "." && segment != "..";
    // An encoded slash would give a segment that the encoded path does not have.
    holds = holds && berth::split(*path, '/').size() == berth::split(input, '/').size();
    if (!holds)
        std::abort();
    return 0;
}
