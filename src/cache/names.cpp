#include "cache/names.hpp"

#include <algorithm>
#include <vector>

namespace berth::cache {

namespace {

// "a.b-c_d" with at least one dot, as repository names are.
bool is_repository(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
    };
    return !text.empty() && text.front() != '.' && text.find('.') != std::string_view::npos &&
           std::ranges::all_of(text, fits);
}

std::vector<std::string_view> segments_of(std::string_view path) {
    std::vector<std::string_view> segments;
    while (!path.empty()) {
        path.remove_prefix(1);  // '/'
        const auto end = std::min(path.find('/'), path.size());
        segments.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return segments;
}

// "0123...-rmd160C" without its first two digits, which are the folder's name.
bool read_content(std::string_view folder, std::string_view file, ObjectName& name) {
    if (!file.empty() && file.back() >= 'A' && file.back() <= 'Z') {
        name.letter = file.back();
        file.remove_suffix(1);
    }
    if (folder.size() != 2)
        return false;
    const auto id = content_id_from(std::string(folder) + std::string(file));
    if (!id)
        return false;
    name.content = *id;
    return true;
}

}  // namespace

ObjectName name_of(std::string_view path) {
    ObjectName name;
    if (path.empty() || path.front() != '/')
        return name;
    const auto segments = segments_of(path);
    const auto count = segments.size();
    if (count >= 2 && is_repository(segments[count - 2])) {
        if (segments.back() == ".cvmfspublished")
            name.kind = Kind::manifest;
        else if (segments.back() == ".cvmfswhitelist")
            name.kind = Kind::whitelist;
        if (name.kind != Kind::other) {
            name.repository = segments[count - 2];
            return name;
        }
    }
    if (count >= 4 && segments[count - 3] == "data" && is_repository(segments[count - 4]) &&
        read_content(segments[count - 2], segments[count - 1], name)) {
        name.kind = Kind::content;
        name.repository = segments[count - 4];
        return name;
    }
    if (count >= 2 && segments[0] == "cvmfs" && is_repository(segments[1]))
        name.repository = segments[1];
    return name;
}

}  // namespace berth::cache
