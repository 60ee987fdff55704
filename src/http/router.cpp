#include "http/router.hpp"

namespace berth::http {

namespace {

// Cuts the first segment off `path`.
std::string_view next_segment(std::string_view& path) {
    const auto slash = path.find('/');
    const auto segment = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    return segment;
}

}  // namespace

std::optional<std::map<std::string, std::string>> match_path(std::string_view pattern,
                                                             std::string_view path) {
    if (!pattern.starts_with('/') || !path.starts_with('/'))
        return std::nullopt;
    std::map<std::string, std::string> parameters;
    pattern.remove_prefix(1);
    path.remove_prefix(1);
    for (;;) {
        const bool pattern_goes_on = pattern.find('/') != std::string_view::npos;
        const bool path_goes_on = path.find('/') != std::string_view::npos;
        const auto wanted = next_segment(pattern);
        if (wanted.starts_with('{') && wanted.ends_with("...}")) {
            parameters.emplace(wanted.substr(1, wanted.size() - 5), path);
            return parameters;
        }
        const auto segment = next_segment(path);
        if (wanted.starts_with('{') && wanted.ends_with('}')) {
            if (segment.empty())
                return std::nullopt;
            parameters.emplace(wanted.substr(1, wanted.size() - 2), segment);
        } else if (wanted != segment) {
            return std::nullopt;
        }
        if (pattern_goes_on != path_goes_on)
            return std::nullopt;
        if (!pattern_goes_on)
            return parameters;
    }
}

}  // namespace berth::http
