#include "http/range.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <limits>

namespace berth::http {

namespace {

// A position of plain digits; one that is too large for the type becomes the largest value.
std::optional<std::uint64_t> position(std::string_view digits) {
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
        return std::nullopt;
    return to_number<std::uint64_t>(digits).value_or(std::numeric_limits<std::uint64_t>::max());
}

RangeAnswer partial(std::uint64_t first, std::uint64_t length) {
    return RangeAnswer{RangeVerdict::partial, ByteRange{first, length}};
}

RangeAnswer suffix(std::string_view digits, std::uint64_t size) {
    const auto length = position(digits);
    if (!length)
        return {};
    if (*length == 0)
        return RangeAnswer{RangeVerdict::unsatisfiable};
    if (size == 0)
        return {};  // satisfiable (RFC 9110 14.1.2), but no Content-Range can say "nothing"
    const auto taken = std::min(*length, size);
    return partial(size - taken, taken);
}

}  // namespace

RangeAnswer read_range(std::string_view field_value, std::uint64_t size) {
    const auto equals = field_value.find('=');
    if (equals == std::string_view::npos ||
        !equal_ignoring_case(field_value.substr(0, equals), "bytes"))
        return {};
    const auto range = trim(field_value.substr(equals + 1));
    const auto dash = range.find('-');
    if (dash == std::string_view::npos)
        return {};
    if (dash == 0)
        return suffix(range.substr(1), size);
    const auto first = position(range.substr(0, dash));
    const auto rest = range.substr(dash + 1);
    const auto last =
        rest.empty() ? std::optional(std::numeric_limits<std::uint64_t>::max()) : position(rest);
    if (!first || !last || *last < *first)
        return {};
    if (*first >= size)
        return RangeAnswer{RangeVerdict::unsatisfiable};
    return partial(*first, std::min(*last, size - 1) - *first + 1);
}

}  // namespace berth::http
