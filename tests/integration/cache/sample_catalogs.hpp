// Catalogs for tests: those of repositories that cvmfs_server 2.12 made (data/), and ones that are
// made here, good and hostile.
#pragma once

#include "cache/catalogs.hpp"
#include "support/packed.hpp"

#include <set>
#include <string>
#include <vector>

namespace berth::test {

// An open file with these bytes.
Descriptor file_of(const std::string& bytes);

struct SampleRepository {
    std::string name;
    cache::ContentId root;
};
std::vector<SampleRepository> sample_repositories();
// The bytes of one of their catalogs.
std::string sample_catalog(const std::string& repository, const cache::ContentId& id);
// The objects of all files within `path`, from a list that was made by their names.
std::set<std::string> sample_objects(const std::string& repository, const std::string& path);

// An unpacked catalog: the tables of schema 2.5, then `sql`.
std::string database_of(const std::string& sql, bool with_tables = true);
// "INSERT INTO catalog ..." for an entry with the MD5 of its path; `hash` as SQL, like "x'00'".
std::string entry(const std::string& path, int flags, const std::string& hash = "NULL");
std::string chunk(const std::string& path, int offset, const std::string& hash);
// x'0101...', 20 bytes.
std::string digest(unsigned number);
cache::ContentId id_of(unsigned number);

}  // namespace berth::test
