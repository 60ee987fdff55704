// The port for what the cache keeps on disk: a file for each entry, and a journal of the index.
//
// Threads: blocking; called on a pool of its own, several at a time, but for the journal, whose
// calls come one after another. Errors of all calls: unavailable (full, read-only, I/O error),
// not_found.
#pragma once

#include "base/files.hpp"
#include "cache/index.hpp"
#include "cache/key.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cache {

// A file that is being filled. It can be read from the start while it grows; without keep() it is
// gone with this object.
class NewObject {
public:
    virtual ~NewObject() = default;
    virtual Result<void> write(std::string_view bytes) = 0;
    virtual int descriptor() const = 0;
};

struct JournalRecord {
    enum class Kind : std::uint8_t { insert = 1, remove = 2, opened = 3, closed = 4 };
    Kind kind = Kind::insert;
    Key key = {};
    std::uint64_t size = 0;
    bool pinned = false;
};

class Files {
public:
    virtual ~Files() = default;

    virtual Result<std::unique_ptr<NewObject>> create() = 0;
    // Puts it under its key in one step, over what was there.
    virtual Result<void> keep(std::unique_ptr<NewObject> object, const Key& key) = 0;
    virtual Result<Descriptor> open(const Key& key) = 0;
    virtual void remove(const Key& key) = 0;

    // Fills the index from the journal; entries are suspect when the last stop was not clean or
    // the journal has a damaged end. Then writes the journal anew if much of it is outlived.
    virtual Result<void> load(Index& index) = 0;
    virtual Result<void> append(const std::vector<JournalRecord>& records) = 0;
    virtual Result<std::uint64_t> free_bytes() = 0;

    // Small texts that must outlive the process, by name (letters, digits, "." and "-"): replaced
    // in one step and durable when the call returns.
    virtual Result<void> save(std::string name, std::string text) = 0;
    virtual Result<std::string> saved(std::string name) = 0;
};

}  // namespace berth::cache
