// The decoder must give the same data, end and verdict however its input is split and however
// little is asked for at a time.
#include "fuzz/require.hpp"
#include "support/decode_chunks.hpp"

using berth::fuzz::require;
using berth::test::decode_chunks;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto at_once = decode_chunks(input, size + 1);
    auto bytewise = decode_chunks(input, 1);
    auto small = decode_chunks(input, 7, 3);
    require(!at_once.broke_limits);
    if (at_once.refused)  // how much was taken before the refusal may differ
        bytewise.used = small.used = at_once.used;
    require(bytewise == at_once && small == at_once);
    return 0;
}
