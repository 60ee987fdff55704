// cache::Files below one folder (docs/formats.md): PATH/objects/AA/BB/KEY, PATH/new for what is
// being filled, PATH/saved/NAME, PATH/journal. PATH/lock is held: one daemon at a time.
//
// No fsync on the way: after an unclean stop every entry is hashed at its first use, and what the
// journal lost is fetched again.
#pragma once

#include "cache/files.hpp"

#include <atomic>
#include <memory>
#include <string>

namespace berth::store {

class ObjectFiles final : public cache::Files {
public:
    // Errors: conflict (another daemon), unavailable.
    static Result<std::unique_ptr<ObjectFiles>> open(const std::string& path);

    Result<std::unique_ptr<cache::NewObject>> create() override;
    Result<void> keep(std::unique_ptr<cache::NewObject> object, const cache::Key& key) override;
    Result<Descriptor> open(const cache::Key& key) override;
    void remove(const cache::Key& key) override;
    Result<void> load(cache::Index& index) override;
    Result<void> append(const std::vector<cache::JournalRecord>& records) override;
    Result<std::uint64_t> free_bytes() override;
    Result<void> save(std::string name, std::string text) override;
    Result<std::string> saved(std::string name) override;

private:
    ObjectFiles(std::string path, Descriptor folder, Descriptor lock);
    Result<void> write_journal_anew(const cache::Index& index);

    std::string path_;
    Descriptor folder_, lock_, journal_;
    std::atomic<std::uint64_t> next_new_{1};
};

}  // namespace berth::store
