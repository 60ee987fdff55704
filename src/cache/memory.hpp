// Small hot bodies in memory, bounded by bytes; what goes is chosen as on disk (index.hpp).
//
// Threads: the control loop.
#pragma once

#include "cache/index.hpp"

#include <memory>
#include <string>
#include <unordered_map>

namespace berth::cache {

class MemoryTier {
public:
    using Body = std::shared_ptr<const std::string>;

    explicit MemoryTier(std::uint64_t capacity_bytes) : index_(capacity_bytes) {}

    Body get(const Key& key) {
        const auto found = bodies_.find(key);
        if (found == bodies_.end())
            return nullptr;
        index_.hit(key);
        return found->second;
    }
    void put(const Key& key, Body body) {
        const auto size = body->size() + overhead_bytes;
        bodies_[key] = std::move(body);
        for (const auto& gone : index_.insert({.key = key, .size = size}))
            bodies_.erase(gone);
    }
    void remove(const Key& key) {
        if (index_.remove(key))
            bodies_.erase(key);
    }
    std::uint64_t bytes() const { return index_.bytes(); }
    std::size_t size() const { return bodies_.size(); }

private:
    static constexpr std::uint64_t overhead_bytes = 200;  // of the two maps

    Index index_;
    std::unordered_map<Key, Body> bodies_;
};

}  // namespace berth::cache
