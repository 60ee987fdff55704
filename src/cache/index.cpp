#include "cache/index.hpp"

#include <algorithm>

namespace berth::cache {

namespace {

constexpr std::size_t table_min = 1024;
constexpr std::uint64_t small_share = 10;  // the small queue has one part in ten

std::uint32_t fingerprint_of(const Key& key) {
    std::uint32_t value = 0;
    std::memcpy(&value, key.digest.data() + 8, sizeof value);
    return value ^ key.space;
}

}  // namespace

IndexEntry Index::entry_of(const Slot& slot) {
    return {.key = slot.key,
            .size = slot.size,
            .suspect = (slot.flags & suspect_flag) != 0,
            .pinned = (slot.flags & pinned_flag) != 0};
}

// Where the key is in the table, or where it would go.
std::size_t Index::place_of(const Key& key) const {
    const auto mask = table_.size() - 1;
    auto place = std::hash<Key>()(key) & mask;
    while (table_[place] != none && !(slots_[table_[place]].key == key))
        place = (place + 1) & mask;
    return place;
}

std::uint32_t Index::slot_of(const Key& key) const {
    return table_.empty() ? none : table_[place_of(key)];
}

std::optional<IndexEntry> Index::find(const Key& key) const {
    const auto at = slot_of(key);
    return at == none ? std::nullopt : std::optional(entry_of(slots_[at]));
}

std::optional<IndexEntry> Index::hit(const Key& key) {
    const auto at = slot_of(key);
    if (at == none)
        return std::nullopt;
    auto& slot = slots_[at];
    if ((slot.flags & uses) < uses)
        ++slot.flags;
    return entry_of(slot);
}

void Index::append(std::uint32_t at) {
    auto& slot = slots_[at];
    auto& queue = queue_of(slot);
    slot.next = none;
    slot.previous = queue.newest;
    if (queue.newest != none)
        slots_[queue.newest].next = at;
    else
        queue.oldest = at;
    queue.newest = at;
    queue.bytes += slot.size;
}

void Index::unlink(std::uint32_t at) {
    auto& slot = slots_[at];
    auto& queue = queue_of(slot);
    (slot.previous != none ? slots_[slot.previous].next : queue.oldest) = slot.next;
    (slot.next != none ? slots_[slot.next].previous : queue.newest) = slot.previous;
    queue.bytes -= slot.size;
}

void Index::grow_table() {
    table_.assign(std::max(table_min, table_.size() * 2), none);
    for (std::uint32_t at = 0; at < slots_.size(); ++at)
        if ((slots_[at].flags & used) != 0)
            table_[place_of(slots_[at].key)] = at;
    // One fingerprint for each place: as many as the main queue can have entries.
    ghosts_.assign(table_.size() / 2, Ghost());
}

std::uint32_t Index::new_slot() {
    if (free_ == none) {
        slots_.emplace_back();
        return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const auto at = free_;
    free_ = slots_[at].next;
    return at;
}

// Takes a slot out of the table and the queues. Entries behind it move up, so that a search never
// meets a hole.
void Index::drop(std::uint32_t at) {
    unlink(at);
    auto& slot = slots_[at];
    bytes_ -= slot.size;
    --count_;
    const auto mask = table_.size() - 1;
    auto hole = place_of(slot.key);
    for (auto next = (hole + 1) & mask; table_[next] != none; next = (next + 1) & mask) {
        const auto home = std::hash<Key>()(slots_[table_[next]].key) & mask;
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            table_[hole] = table_[next];
            hole = next;
        }
    }
    table_[hole] = none;
    slot = Slot();
    slot.next = free_;
    free_ = at;
}

std::vector<Key> Index::insert(const IndexEntry& entry) {
    if (entry.size > capacity_) {
        remove(entry.key);
        return {entry.key};
    }
    if ((count_ + 1) * 4 > table_.size() * 3)
        grow_table();
    auto at = slot_of(entry.key);
    const auto marks = static_cast<std::uint8_t>((entry.suspect ? suspect_flag : 0) |
                                                 (entry.pinned ? pinned_flag : 0));
    if (at != none) {
        unlink(at);
        auto& slot = slots_[at];
        bytes_ = bytes_ - slot.size + entry.size;
        slot.size = entry.size;
        slot.flags = static_cast<std::uint8_t>((slot.flags & (uses | in_main | used)) | marks);
    } else {
        at = new_slot();
        auto& slot = slots_[at];
        slot.key = entry.key;
        slot.size = entry.size;
        slot.flags = static_cast<std::uint8_t>(used | marks | (recall(entry.key) ? in_main : 0));
        table_[place_of(entry.key)] = at;
        bytes_ += entry.size;
        ++count_;
    }
    append(at);
    return make_room();
}

bool Index::remove(const Key& key) {
    const auto at = slot_of(key);
    if (at == none)
        return false;
    drop(at);
    return true;
}

void Index::set_suspect(const Key& key, bool suspect) {
    if (const auto at = slot_of(key); at != none)
        slots_[at].flags = static_cast<std::uint8_t>((slots_[at].flags & ~suspect_flag) |
                                                     (suspect ? suspect_flag : 0));
}

void Index::set_pinned(const Key& key, bool pinned) {
    if (const auto at = slot_of(key); at != none)
        slots_[at].flags = static_cast<std::uint8_t>((slots_[at].flags & ~pinned_flag) |
                                                     (pinned ? pinned_flag : 0));
}

std::vector<Key> Index::set_capacity(std::uint64_t bytes) {
    capacity_ = bytes;
    return make_room();
}

std::vector<Key> Index::make_room() {
    std::vector<Key> gone;
    while (bytes_ > capacity_) {
        const auto key = evict_one();
        if (!key)
            break;  // all that is left is pinned
        gone.push_back(*key);
    }
    return gone;
}

// Each step gives an entry its next chance or takes it out; chances are used up, so this ends.
std::optional<Key> Index::evict_one() {
    const bool small_first = small_.bytes >= capacity_ / small_share;
    if (small_first)
        if (auto key = evict_from_small())
            return key;
    if (auto key = evict_from_main())
        return key;
    return evict_from_small();
}

std::optional<Key> Index::evict_from_small() {
    auto at = small_.oldest;
    while (at != none) {
        const auto next = slots_[at].next;
        auto& slot = slots_[at];
        if ((slot.flags & pinned_flag) != 0 || (slot.flags & uses) > 0) {
            unlink(at);
            slot.flags = static_cast<std::uint8_t>((slot.flags & ~uses) | in_main);
            append(at);
        } else {
            const auto key = slot.key;
            drop(at);
            remember(key);
            return key;
        }
        at = next;
    }
    return std::nullopt;
}

std::optional<Key> Index::evict_from_main() {
    // Every entry has at most three uses and may be pinned: four rounds see the end.
    for (std::size_t steps = 4 * count_ + 1; steps > 0 && main_.oldest != none; --steps) {
        const auto at = main_.oldest;
        auto& slot = slots_[at];
        const bool pinned = (slot.flags & pinned_flag) != 0;
        if (!pinned && (slot.flags & uses) == 0) {
            const auto key = slot.key;
            drop(at);
            return key;
        }
        unlink(at);
        if (!pinned)
            --slot.flags;
        append(at);
    }
    return std::nullopt;
}

void Index::remember(const Key& key) {
    auto& ghost = ghosts_[std::hash<Key>()(key) % ghosts_.size()];
    ghost = {.fingerprint = fingerprint_of(key), .turn = turn_++};
}

// What left the small queue within as many evictions as there are entries.
bool Index::recall(const Key& key) const {
    const auto& ghost = ghosts_[std::hash<Key>()(key) % ghosts_.size()];
    return ghost.turn != 0 && ghost.fingerprint == fingerprint_of(key) &&
           turn_ - ghost.turn <= std::max<std::size_t>(count_, 1);
}

std::size_t Index::memory_bytes() const {
    return slots_.capacity() * sizeof(Slot) + table_.capacity() * sizeof(std::uint32_t) +
           ghosts_.capacity() * sizeof(Ghost);
}

void Index::for_each(const std::function<void(const IndexEntry&)>& visit) const {
    for (const auto* queue : {&main_, &small_})
        for (auto at = queue->oldest; at != none; at = slots_[at].next)
            visit(entry_of(slots_[at]));
}

}  // namespace berth::cache
