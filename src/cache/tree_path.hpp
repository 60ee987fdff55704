// Paths inside a repository, as catalogs know them. Pure.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cache {

// "/releases/v1", as it is; "/" and "" become "", the whole repository. A slash at the end goes.
// Errors: invalid (not absolute; empty, "." and ".." segments; too long).
Result<std::string> read_tree_path(std::string_view text);

// Whether `path` is `top` or below it. Both as read_tree_path gives them.
bool is_within(std::string_view path, std::string_view top);

// Sorted, without those that lie within another.
std::vector<std::string> without_overlaps(std::vector<std::string> paths);

// How a catalog names an entry: the MD5 of its path as two little-endian numbers (CernVM-FS 2.12
// shortstring and catalog_sql). It is a key of a table, not a protection.
struct PathHash {
    std::int64_t first = 0, second = 0;
    bool operator==(const PathHash&) const = default;
};
PathHash hash_of_path(std::string_view path);

}  // namespace berth::cache
