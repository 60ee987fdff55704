#include "integration/cache/sample_catalogs.hpp"

#include "base/files.hpp"
#include "cache/tree_path.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <sstream>

#include <sys/mman.h>

namespace berth::test {

namespace {

const std::string data = std::string(BERTH_TEST_DATA) + "/data/";

constexpr const char* tables =
    "CREATE TABLE catalog (md5path_1 INTEGER, md5path_2 INTEGER, parent_1 INTEGER,"
    " parent_2 INTEGER, hardlinks INTEGER, hash BLOB, size INTEGER, mode INTEGER, mtime INTEGER,"
    " mtimens INTEGER, flags INTEGER, name TEXT, symlink TEXT, uid INTEGER, gid INTEGER,"
    " xattr BLOB, CONSTRAINT pk_catalog PRIMARY KEY (md5path_1, md5path_2));"
    "CREATE INDEX idx_catalog_parent ON catalog (parent_1, parent_2);"
    "CREATE TABLE chunks (md5path_1 INTEGER, md5path_2 INTEGER, offset INTEGER, size INTEGER,"
    " hash BLOB, CONSTRAINT pk_chunks PRIMARY KEY (md5path_1, md5path_2, offset, size));"
    "CREATE TABLE nested_catalogs (path TEXT, sha1 TEXT, size INTEGER,"
    " CONSTRAINT pk_nested_catalogs PRIMARY KEY (path));"
    "CREATE TABLE bind_mountpoints (path TEXT, sha1 TEXT, size INTEGER,"
    " CONSTRAINT pk_bind_mountpoints PRIMARY KEY (path));"
    "CREATE TABLE statistics (counter TEXT, value INTEGER);"
    "CREATE TABLE properties (key TEXT, value TEXT, CONSTRAINT pk_properties PRIMARY KEY (key));";

std::string content_of(const std::string& path) {
    auto text = read_file(path, 64U << 20U);
    EXPECT_TRUE(text) << path;
    return text ? *text : std::string();
}

std::string key(const std::string& path) {
    const auto hash = cache::hash_of_path(path);
    return std::to_string(hash.first) + ", " + std::to_string(hash.second);
}

}  // namespace

Descriptor file_of(const std::string& bytes) {
    Descriptor file(::memfd_create("bytes", MFD_CLOEXEC));
    EXPECT_TRUE(write_all(file.get(), bytes));
    return file;
}

std::vector<SampleRepository> sample_repositories() {
    const auto id = [](const char* text) { return *cache::content_id_from(text); };
    return {{"sw.example.org", id("b212d221a273dc7902a3a6284ec2ba4b8392667d")},
            {"rmd160.example.org", id("f9b88d29cb3981fb86b3880445ad0f14dcefd84a-rmd160")},
            {"shake128.example.org", id("fae14b475a0b5fdc4727d9256099f2ddf282b085-shake128")}};
}

std::string sample_catalog(const std::string& repository, const cache::ContentId& id) {
    return content_of(data + repository + "/" + id.text() + "C");
}

std::set<std::string> sample_objects(const std::string& repository, const std::string& path) {
    std::istringstream lines(content_of(data + repository + "/objects"));
    std::set<std::string> result;
    for (std::string object, name; lines >> object >> name;)
        if (name == path || name.starts_with(path + "/"))
            result.insert(object);
    return result;
}

std::string database_of(const std::string& sql, bool with_tables) {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open(":memory:", &database), SQLITE_OK);
    const auto all = (with_tables ? std::string(tables) : std::string()) + sql;
    EXPECT_EQ(sqlite3_exec(database, all.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_int64 size = 0;
    auto* const bytes = sqlite3_serialize(database, "main", &size, 0);
    const std::string result(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    sqlite3_free(bytes);
    sqlite3_close(database);
    return result;
}

std::string entry(const std::string& path, int flags, const std::string& hash) {
    const auto slash = path.rfind('/');
    const bool is_root = slash == std::string::npos;
    return "INSERT INTO catalog (md5path_1, md5path_2, parent_1, parent_2, flags, hash, name)"
           " VALUES (" +
           key(path) + ", " + (is_root ? "0, 0" : key(path.substr(0, slash))) + ", " +
           std::to_string(flags) + ", " + hash + ", '" +
           (is_root ? std::string() : path.substr(slash + 1)) + "');";
}

std::string chunk(const std::string& path, int offset, const std::string& hash) {
    return "INSERT INTO chunks VALUES (" + key(path) + ", " + std::to_string(offset) + ", 1, " +
           hash + ");";
}

std::string digest(unsigned number) {
    return "x'" + id_of(number).text() + "'";
}

cache::ContentId id_of(unsigned number) {
    cache::ContentId id;
    id.digest.fill(static_cast<std::uint8_t>(number));
    return id;
}

}  // namespace berth::test
