// Inputs that are several documents, and documents whose hash line must fit their text.
#pragma once

#include "cache/content.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace berth::fuzz {

// The parts between lines "====".
inline std::vector<std::string_view> documents_of(std::string_view input) {
    constexpr std::string_view line = "\n====\n";
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = std::min(input.find(line), input.size());
        parts.push_back(input.substr(0, end));
        if (end == input.size())
            return parts;
        input.remove_prefix(end + line.size());
    }
}

// The same document with a hash line that fits: no search would find one.
inline std::string with_hash(std::string_view document) {
    constexpr std::string_view mark = "--\n";
    const auto at = document.find(mark);
    if (at == std::string_view::npos)
        return std::string(document);
    const auto text = document.substr(0, at);
    const auto rest = document.substr(at + mark.size());
    const auto line = rest.substr(0, rest.find('\n'));
    auto algorithm = cache::Algorithm::sha1;
    for (const auto other : {cache::Algorithm::rmd160, cache::Algorithm::shake128})
        if (line.ends_with(suffix_of(other)))
            algorithm = other;
    return std::string(text) + std::string(mark) + content_id_of(algorithm, text).text() +
           std::string(rest.substr(line.size()));
}

}  // namespace berth::fuzz
