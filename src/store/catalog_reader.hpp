// cache::CatalogReader: unpacks a catalog into a file that has no name and reads it with a
// confined SQLite (store/catalog_database.hpp). Tables and flags as in CernVM-FS 2.12
// catalog_sql.h, schema 2.5.
//
// Threads: any, several at a time. Errors: as the port says.
#pragma once

#include "cache/catalogs.hpp"

#include <chrono>

namespace berth::store {

struct CatalogLimits {
    std::uint64_t unpacked_bytes_max = 4ULL << 30U;
    std::size_t nested_max = 100'000;
    std::size_t directories_max = 4'000'000;  // that wait to be walked
    std::chrono::seconds time_max{120};       // in SQLite, for all of one catalog
};

class CatalogFiles final : public cache::CatalogReader {
public:
    // `folder` has room for an unpacked catalog. A crash can leave one there: take a folder that is
    // emptied at the start, as ObjectFiles does with PATH/new.
    explicit CatalogFiles(std::string folder, CatalogLimits limits = {})
        : folder_(std::move(folder)), limits_(limits) {}

    Result<std::unique_ptr<cache::Catalog>> open(Descriptor packed, std::string mount,
                                                 std::string path) override;

private:
    std::string folder_;
    CatalogLimits limits_;
};

// The same for a database that is unpacked already; the file may be removed afterwards.
Result<std::unique_ptr<cache::Catalog>> open_catalog(const std::string& file,
                                                     const std::string& mount,
                                                     const std::string& path,
                                                     const CatalogLimits& limits);

}  // namespace berth::store
