// Which entries there are, how large, and which goes next when room is needed.
//
// Eviction is S3-FIFO (Yang et al., SOSP 2023): a new entry waits in a small queue, a tenth of the
// capacity; what is asked for again there moves to the main queue, the rest leaves with nothing but
// its fingerprint, so that a scan of a whole repository passes by the working set. Pinned entries
// stay. About 60 bytes of memory for each entry.
//
// Pure: no files, no clock. Threads: one at a time. Entries: at most 2^32 - 2.
#pragma once

#include "cache/key.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace berth::cache {

struct IndexEntry {
    Key key = {};
    std::uint64_t size = 0;
    bool suspect = false;  // its bytes have not been hashed since an unclean stop
    bool pinned = false;
};

class Index {
public:
    explicit Index(std::uint64_t capacity_bytes) : capacity_(capacity_bytes) {}

    // Counts as a use.
    std::optional<IndexEntry> hit(const Key& key);
    std::optional<IndexEntry> find(const Key& key) const;
    // Adds an entry, or gives an existing one its new size. What had to go for it is gone from the
    // index; the entry itself is among them when it is larger than the capacity.
    std::vector<Key> insert(const IndexEntry& entry);
    bool remove(const Key& key);
    void set_suspect(const Key& key, bool suspect);
    void set_pinned(const Key& key, bool pinned);
    // A smaller one takes effect here. What had to go.
    std::vector<Key> set_capacity(std::uint64_t bytes);

    std::size_t size() const { return count_; }
    std::uint64_t bytes() const { return bytes_; }
    std::uint64_t capacity() const { return capacity_; }
    std::size_t memory_bytes() const;
    void for_each(const std::function<void(const IndexEntry&)>& visit) const;

private:
    static constexpr std::uint32_t none = UINT32_MAX;
    enum Flag : std::uint8_t {
        uses = 3,
        in_main = 4,
        suspect_flag = 8,
        pinned_flag = 16,
        used = 32
    };
    struct Slot {
        std::uint64_t size = 0;
        std::uint32_t next = none, previous = none;  // in its queue, oldest first
        Key key = {};
        std::uint8_t flags = 0;
    };
    struct Queue {
        std::uint32_t oldest = none, newest = none;
        std::uint64_t bytes = 0;
    };
    struct Ghost {
        std::uint32_t fingerprint = 0, turn = 0;
    };

    std::size_t place_of(const Key& key) const;
    std::uint32_t slot_of(const Key& key) const;
    Queue& queue_of(const Slot& slot) { return (slot.flags & in_main) != 0 ? main_ : small_; }
    void append(std::uint32_t at);
    void unlink(std::uint32_t at);
    void drop(std::uint32_t at);
    void grow_table();
    std::uint32_t new_slot();
    std::vector<Key> make_room();
    std::optional<Key> evict_one();
    std::optional<Key> evict_from_small();
    std::optional<Key> evict_from_main();
    void remember(const Key& key);
    bool recall(const Key& key) const;
    static IndexEntry entry_of(const Slot& slot);

    std::uint64_t capacity_;
    std::uint64_t bytes_ = 0;
    std::size_t count_ = 0;
    std::vector<Slot> slots_;
    std::uint32_t free_ = none;         // list of unused slots, by `next`
    std::vector<std::uint32_t> table_;  // open addressing; a power of two
    Queue small_, main_;
    std::vector<Ghost> ghosts_;
    std::uint32_t turn_ = 1;
};

}  // namespace berth::cache
