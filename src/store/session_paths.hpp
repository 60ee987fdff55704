// Opening paths below a directory so that neither ".." nor a symbolic link can lead out.
#pragma once

#include "base/files.hpp"

#include <string>

namespace berth::store {

// openat2 with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS (Linux 5.6). Links that stay below
// `directory` are followed. Errors: forbidden for a path that leads out.
Result<Descriptor> open_beneath(int directory, const std::string& path, int flags,
                                unsigned mode = 0);

// The directory of `path` below `directory`, made with its parents where they are missing, and the
// last component. No link is followed while directories are made.
struct Parent {
    Descriptor directory;
    std::string name;
};
Result<Parent> make_parent(int directory, const std::string& path);

// Removes a tree without following links. Errors: not_found, else the first failure.
Result<void> remove_tree(int directory, const std::string& name);

}  // namespace berth::store
