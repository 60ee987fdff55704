#include "base/ids.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace berth {

namespace {

constexpr std::string_view sortable = "0123456789abcdefghijklmnopqrstuv";

}  // namespace

void random_bytes(std::span<unsigned char> bytes) {
    while (!bytes.empty()) {
        const auto got = getrandom(bytes.data(), bytes.size(), 0);
        if (got > 0)
            bytes = bytes.subspan(static_cast<std::size_t>(got));
        else if (errno != EINTR)
            std::abort();
    }
}

std::string random_base32(std::size_t length) {
    static constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
    std::string text(length, '\0');
    random_bytes({reinterpret_cast<unsigned char*>(text.data()), length});
    for (char& c : text)
        c = alphabet[static_cast<unsigned char>(c) & 31U];
    return text;
}

std::string make_job_id(std::int64_t now_ms) {
    std::string text(22, '\0');
    auto rest = static_cast<std::uint64_t>(now_ms);
    for (std::size_t i = 10; i-- > 0; rest >>= 5U)
        text[i] = sortable[rest & 31U];
    random_bytes({reinterpret_cast<unsigned char*>(text.data()) + 10, 12});
    for (std::size_t i = 10; i < text.size(); ++i)
        text[i] = sortable[static_cast<unsigned char>(text[i]) & 31U];
    return text;
}

bool is_job_id(std::string_view text) {
    return text.size() == 22 && std::ranges::all_of(text, [](char c) {
               return sortable.find(c) != std::string_view::npos;
           });
}

}  // namespace berth
