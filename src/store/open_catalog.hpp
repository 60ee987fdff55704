// The reading of one catalog: from an entry to those below it, or, when all of the catalog is
// asked for, straight through its table.
//
// Threads: one call at a time, on any thread.
#pragma once

#include "cache/tree_path.hpp"
#include "store/catalog_database.hpp"
#include "store/catalog_reader.hpp"

#include <type_traits>
#include <utility>

namespace berth::store {

class OpenCatalog final : public cache::Catalog {
public:
    OpenCatalog(std::unique_ptr<CatalogDatabase> database, std::string mount, std::string path,
                const CatalogLimits& limits)
        : database_(std::move(database)),
          mount_(std::move(mount)),
          path_(std::move(path)),
          limits_(limits) {}

    Result<void> start() {
        return timed([this] { return begin(); });
    }
    std::uint64_t revision() const override { return revision_; }
    bool has_path() const override { return has_path_; }
    std::optional<std::uint64_t> promised_objects() const override { return promised_; }
    Result<std::vector<cache::NestedCatalog>> nested() override {
        return timed([this] { return read_nested(); });
    }
    Result<std::vector<cache::TreeObject>> next(std::size_t count) override {
        return timed([this, count] { return read_next(count); });
    }

private:
    // Calls within the budget, and says in errors which catalog it is.
    template <class Function>
    std::invoke_result_t<Function> timed(Function function) {
        database_->budget().start();
        auto result = function();
        database_->budget().stop();
        if (!result)
            result.error() = std::move(result.error())
                                 .within("catalog " + (mount_.empty() ? std::string("/") : mount_));
        return result;
    }

    Result<void> begin();
    Result<void> check_tables();
    Result<void> read_properties();
    void read_promise();
    Result<void> find_path();
    Result<std::vector<cache::NestedCatalog>> read_nested();
    Result<std::vector<cache::TreeObject>> read_next(std::size_t count);
    Result<bool> advance(std::vector<cache::TreeObject>& objects);
    Result<void> take_entry(const CatalogQuery& row, std::vector<cache::TreeObject>& objects);
    Result<void> take_file(const CatalogQuery& row, std::int64_t flags,
                           std::vector<cache::TreeObject>& objects);

    std::unique_ptr<CatalogDatabase> database_;  // outlives the queries
    std::string mount_, path_;
    CatalogLimits limits_;
    bool whole_ = false;  // all entries are asked for
    bool has_path_ = false;
    std::uint64_t revision_ = 0;
    std::optional<std::uint64_t> promised_;

    CatalogQuery entries_, chunks_;
    bool in_entries_ = false, in_chunks_ = false;
    cache::Algorithm chunks_algorithm_ = cache::Algorithm::sha1;
    std::vector<cache::PathHash> waiting_;  // directories
    std::uint64_t walked_ = 0, rows_ = 0;
    std::vector<cache::TreeObject> first_;  // of the path itself
};

}  // namespace berth::store
