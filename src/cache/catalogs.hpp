// The port for reading a repository's catalogs: which objects lie below a path, and in which
// further catalogs the rest of the tree is. A catalog is an SQLite database in zlib, so the room
// store implements it.
//
// A catalog has been verified when it is read here; it is treated as hostile all the same.
// Threads: blocking; one call at a time for each catalog, on any thread.
#pragma once

#include "base/files.hpp"
#include "cache/content.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::cache {

struct NestedCatalog {
    std::string path = {};  // where it is mounted
    ContentId id = {};
    bool operator==(const NestedCatalog&) const = default;
};

struct TreeObject {
    ContentId id = {};
    char letter = 0;  // 'P' for a piece of a large file
    bool operator==(const TreeObject&) const = default;
};

// Errors of all calls: invalid (damaged, or not what a catalog is), too_large, timed_out (a limit
// of the reader), unavailable (disk).
class Catalog {
public:
    virtual ~Catalog() = default;

    virtual std::uint64_t revision() const = 0;
    // Whether there is anything at the path that was asked for.
    virtual bool has_path() const = 0;
    // When all of this catalog is asked for: how many objects its own counters promise for it and
    // for everything nested in it. A promise, for an estimate only.
    virtual std::optional<std::uint64_t> promised_objects() const = 0;
    // Those on the way to the path and those below it.
    virtual Result<std::vector<NestedCatalog>> nested() = 0;
    // The next objects of the path and below it, at most `count`; none is the end. Objects may
    // come more than once. Symbolic links have none, and external files are not in the servers'
    // stores.
    virtual Result<std::vector<TreeObject>> next(std::size_t count) = 0;
};

class CatalogReader {
public:
    virtual ~CatalogReader() = default;
    // `packed`: the object as servers send it, read from its beginning. `mount`: where the
    // catalog is mounted, "" for the root catalog. `path`: what is asked for; it is within the
    // mount, or the mount is within it.
    virtual Result<std::unique_ptr<Catalog>> open(Descriptor packed, std::string mount,
                                                  std::string path) = 0;
};

}  // namespace berth::cache
