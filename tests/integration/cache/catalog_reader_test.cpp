// What is read from real catalogs, and what becomes of catalogs that mean harm.
#include "store/catalog_reader.hpp"

#include "integration/cache/sample_catalogs.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

namespace berth::test {
namespace {

using cache::NestedCatalog;
using cache::TreeObject;

// How often SQLite may be asked for more before a test gives up.
constexpr int calls_max = 100'000;

Result<std::vector<TreeObject>> all_of(cache::Catalog& catalog, std::size_t step) {
    std::vector<TreeObject> objects;
    for (int calls = 0; calls < calls_max; ++calls) {
        auto more = catalog.next(step);
        if (!more)
            return more.error();
        if (more->empty())
            return objects;
        objects.insert(objects.end(), more->begin(), more->end());
    }
    return Error{ErrorKind::internal, "it does not end"};
}

class CatalogReaderTest : public testing::Test {
protected:
    Result<std::unique_ptr<cache::Catalog>> open(const std::string& database,
                                                 const std::string& path = "",
                                                 const std::string& mount = "") {
        return reader_.open(file_of(packed(database)), mount, path);
    }
    // The numbers of id_of(), with the letter.
    std::set<std::string> objects(const std::string& database, const std::string& path) {
        auto catalog = open(database, path);
        EXPECT_TRUE(catalog) << catalog.error().message;
        auto found = all_of(**catalog, 3);
        EXPECT_TRUE(found) << found.error().message;
        std::set<std::string> result;
        for (const auto& object : *found)
            result.insert(std::to_string(object.id.digest[0]) +
                          (object.letter == 0 ? std::string() : std::string(1, object.letter)));
        return result;
    }
    // Reads all of it; the first error.
    Result<void> read_through(const std::string& bytes, const std::string& path) {
        auto catalog = reader_.open(file_of(bytes), "", path);
        if (!catalog)
            return catalog.error();
        if (const auto nested = (*catalog)->nested(); !nested)
            return nested.error();
        if (const auto found = all_of(**catalog, 100); !found)
            return found.error();
        return {};
    }
    ErrorKind fault(const std::string& sql, const std::string& path = "", bool with_tables = true) {
        const auto result = read_through(packed(database_of(sql, with_tables)), path);
        EXPECT_FALSE(result) << sql;
        EXPECT_FALSE(result.error().message.empty());
        return result.error().kind;
    }
    void walk(const std::string& repository, const std::string& path, const std::string& mount,
              const cache::ContentId& id, std::set<std::string>& found, int& catalogs) {
        auto catalog = reader_.open(file_of(sample_catalog(repository, id)), mount, path);
        ASSERT_TRUE(catalog) << catalog.error().message;
        ++catalogs;
        const auto objects = all_of(**catalog, 50);
        ASSERT_TRUE(objects) << objects.error().message;
        for (const auto& object : *objects)
            found.insert(object.id.text());
        const auto nested = (*catalog)->nested();
        ASSERT_TRUE(nested) << nested.error().message;
        for (const auto& one : *nested)
            walk(repository, path, one.path, one.id, found, catalogs);
    }

    TemporaryFolder folder_;
    store::CatalogFiles reader_{folder_.path()};
};

TEST_F(CatalogReaderTest, RealRepositoriesGiveExactlyTheObjectsOfASubTree) {
    const std::vector<std::pair<std::string, int>> parts = {
        {"", 5},           {"/releases", 5},          {"/releases/v1", 3},
        {"/README.md", 1}, {"/releases/v1/share", 3}, {"/bin", 1},
        {"/releas", 1},    {"/releases/v1/lib", 2},   {"/nothing/here", 1}};
    for (const auto& repository : sample_repositories())
        for (const auto& [path, catalogs_expected] : parts) {
            std::set<std::string> found;
            int catalogs = 0;
            walk(repository.name, path, "", repository.root, found, catalogs);
            EXPECT_EQ(found, sample_objects(repository.name, path)) << repository.name << path;
            EXPECT_EQ(catalogs, catalogs_expected) << repository.name << path;
        }
    EXPECT_EQ(sample_objects("sw.example.org", "").size(), 312U);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "unpacked catalogs are removed";
}

TEST_F(CatalogReaderTest, ARootCatalogSaysWhatItIs) {
    const auto repository = sample_repositories()[0];
    const auto bytes = sample_catalog(repository.name, repository.root);
    const auto whole = *reader_.open(file_of(bytes), "", "");
    EXPECT_EQ(whole->revision(), 2U);
    EXPECT_TRUE(whole->has_path());
    EXPECT_EQ(whole->promised_objects(), 316U);
    const std::vector<NestedCatalog> nested = {
        {"/releases/v1", *cache::content_id_from("ce0bee0081b0402af9ee9832ab737afc0f27cfb0")},
        {"/releases/v2", *cache::content_id_from("897094a6331c033d8926e4161a5526fdd4369590")}};
    EXPECT_EQ(*whole->nested(), nested);

    const auto part = *reader_.open(file_of(bytes), "", "/releases/v2/share/x");
    EXPECT_FALSE(part->has_path()) << "the rest of the path is in a nested catalog";
    EXPECT_EQ(part->promised_objects(), std::nullopt);
    EXPECT_EQ(*part->nested(), std::vector{nested[1]});
    EXPECT_TRUE((*reader_.open(file_of(bytes), "", "/bin/run.sh"))->has_path());

    const auto wrong_place = reader_.open(file_of(bytes), "/releases", "");
    EXPECT_EQ(wrong_place.error().kind, ErrorKind::invalid);
}

TEST_F(CatalogReaderTest, FlagsDecideWhichObjectsAnEntryHas) {
    const auto database =
        database_of(entry("", 1) + entry("/a", 1) + entry("/a/file", 4, digest(1)) +
                    entry("/a/link", 12, digest(2)) + entry("/a/special", 20, digest(3)) +
                    entry("/a/external", 132, digest(4)) + entry("/a/large", 68) +
                    chunk("/a/large", 0, digest(5)) + chunk("/a/large", 1, digest(6)) +
                    entry("/a/large2", 68, digest(7)) + chunk("/a/large2", 0, digest(8)) +
                    entry("/a/external2", 196) + chunk("/a/external2", 0, digest(9)) +
                    entry("/a/hidden", 4 | 0x8000, digest(10)) + entry("/a/bind", 0x4001) +
                    entry("/a/raw", 4 | 1 << 11, digest(11)) + entry("/b", 4, digest(12)) +
                    entry("/ab", 1) + entry("/ab/c", 4, digest(13)) + entry("/a/d", 1) +
                    entry("/a/d/e", 1) + entry("/a/d/e/f", 4, digest(14)) +
                    "INSERT INTO bind_mountpoints VALUES ('/a/bind', 'nothing', 1);");
    const std::set<std::string> a = {"1", "5P", "6P", "8P", "10", "11", "14"};
    auto all = a;
    all.insert({"12", "13"});
    EXPECT_EQ(objects(database, ""), all);
    EXPECT_EQ(objects(database, "/a"), a);
    EXPECT_EQ(objects(database, "/a/large"), (std::set<std::string>{"5P", "6P"}));
    EXPECT_EQ(objects(database, "/a/d/e/f"), std::set<std::string>{"14"});
    EXPECT_EQ(objects(database, "/a/link"), std::set<std::string>());
    EXPECT_EQ(objects(database, "/c"), std::set<std::string>());
    EXPECT_TRUE((*open(database))->nested()->empty());
}

TEST_F(CatalogReaderTest, ABombIsRefused) {
    store::CatalogFiles small(folder_.path(), {.unpacked_bytes_max = 1'000'000});
    const auto bomb = packed(std::string(50'000'000, '\0'));
    EXPECT_EQ(small.open(file_of(bomb), "", "").error().kind, ErrorKind::too_large);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(CatalogReaderTest, WhatIsNoCatalogIsRefused) {
    const auto kind = [this](const std::string& bytes) {
        return read_through(bytes, "").error().kind;
    };
    EXPECT_EQ(kind(""), ErrorKind::invalid);
    EXPECT_EQ(kind("not zlib"), ErrorKind::invalid);
    EXPECT_EQ(kind(packed("")), ErrorKind::invalid);
    EXPECT_EQ(kind(packed("not SQLite")), ErrorKind::invalid);
    EXPECT_EQ(kind(packed(std::string(100'000, 'x'))), ErrorKind::invalid);
    EXPECT_EQ(fault("CREATE TABLE other (a)", "", false), ErrorKind::invalid);
}

TEST_F(CatalogReaderTest, DamageAnywhereIsAnErrorOrHarmless) {
    const auto repository = sample_repositories()[0];
    const auto bytes = sample_catalog(repository.name, repository.root);
    auto unpacked = database_of(entry("", 1) + entry("/a", 1) + entry("/a/b", 4, digest(1)) +
                                entry("/a/c", 68) + chunk("/a/c", 0, digest(2)));
    std::mt19937 random(20261127);
    for (int round = 0; round < 100; ++round) {
        EXPECT_FALSE(read_through(bytes.substr(0, random() % bytes.size()), ""));
        static_cast<void>(read_through(packed(unpacked.substr(0, random() % unpacked.size())), ""));
        auto flipped = unpacked;
        for (int i = 0; i < 20; ++i)
            flipped[random() % flipped.size()] ^= static_cast<char>(1U << random() % 8);
        static_cast<void>(read_through(packed(flipped), round % 2 == 0 ? "" : "/a"));
    }
}

TEST_F(CatalogReaderTest, ValuesOfAWrongTypeAreErrors) {
    const auto in_a = [](const std::string& sql) { return entry("", 1) + entry("/a", 1) + sql; };
    for (const std::string& path : {std::string(), std::string("/a")}) {
        for (const auto* hash :
             {"NULL", "x''", "x'01'", "'text'", "7", "zeroblob(21)", "zeroblob(5000000)"})
            EXPECT_EQ(fault(in_a(entry("/a/f", 4, hash)), path), ErrorKind::invalid) << hash;
        EXPECT_EQ(fault(in_a(entry("/a/f", 4 | 7 << 8, digest(1))), path), ErrorKind::invalid);
        EXPECT_EQ(fault(in_a(entry("/a/f", 68) + chunk("/a/f", 0, "'x'")), path),
                  ErrorKind::invalid);
        EXPECT_EQ(fault(in_a(entry("/a/f", 4, digest(1)) + "UPDATE catalog SET flags = 'four'"
                                                           " WHERE name = 'f';"),
                        path),
                  ErrorKind::invalid);
    }
    EXPECT_EQ(fault(entry("/a", 1) + "UPDATE catalog SET parent_1 = 'x', flags = NULL", "/a"),
              ErrorKind::invalid);
    EXPECT_EQ(fault(in_a(entry("/a/f", 4, "zeroblob(40000000)"))), ErrorKind::too_large);
}

TEST_F(CatalogReaderTest, NestedCatalogsThatCannotBeOnesAreErrors) {
    const auto nested = [](const std::string& path, const std::string& hash) {
        return "INSERT INTO nested_catalogs VALUES (" + path + ", " + hash + ", 1);";
    };
    const auto good = "'" + id_of(1).text() + "'";
    EXPECT_TRUE(read_through(packed(database_of(nested("'/a'", good))), ""));
    for (const auto* path : {"NULL", "''", "'/'", "'a'", "'/a/../b'", "7", "x'2f61'"})
        EXPECT_EQ(fault(nested(path, good)), ErrorKind::invalid) << path;
    for (const auto* hash : {"NULL", "''", "'abc'", "7", "x'00'"})
        EXPECT_EQ(fault(nested("'/a'", hash)), ErrorKind::invalid) << hash;
    // Not below the catalog itself.
    const auto elsewhere =
        database_of("INSERT INTO properties VALUES ('root_prefix', '/m');" + nested("'/m'", good));
    EXPECT_EQ((*open(elsewhere, "", "/m"))->nested().error().kind, ErrorKind::invalid);
    store::CatalogFiles few(folder_.path(), {.nested_max = 1});
    const auto two = packed(database_of(nested("'/a'", good) + nested("'/b'", good)));
    EXPECT_EQ((*few.open(file_of(two), "", ""))->nested().error().kind, ErrorKind::too_large);
}

TEST_F(CatalogReaderTest, LoopsOfParentsEnd) {
    const auto says_loop = [this](const std::string& sql) {
        const auto result = read_through(packed(database_of(sql)), "/a");
        return !result && result.error().message == "catalog /: its directories form a loop";
    };
    // A directory that is its own parent, two that are each other's, and doubles without a key.
    EXPECT_TRUE(says_loop(entry("/a", 1) + "UPDATE catalog SET parent_1 = md5path_1,"
                                           " parent_2 = md5path_2"));
    EXPECT_TRUE(says_loop(entry("/a", 1) + entry("/a/b", 1) +
                          "UPDATE catalog SET parent_1 = b.md5path_1, parent_2 = b.md5path_2"
                          " FROM (SELECT * FROM catalog WHERE name = 'b') AS b"
                          " WHERE catalog.name = 'a';"));
    EXPECT_TRUE(says_loop(
        "DROP TABLE catalog; CREATE TABLE catalog (md5path_1, md5path_2, parent_1, parent_2, hash,"
        " flags, name);" +
        entry("/a", 1) + entry("/a/b", 1) + entry("/a/b", 1) +
        "INSERT INTO catalog SELECT md5path_1, md5path_2, md5path_1, md5path_2, NULL, 1, 'b'"
        " FROM catalog WHERE name = 'b';"));
}

TEST_F(CatalogReaderTest, NoSchemaCanMakeOtherThingsRun) {
    // A view in a table's place.
    EXPECT_EQ(fault("DROP TABLE chunks; CREATE VIEW chunks AS SELECT 1 AS md5path_1,"
                    " 2 AS md5path_2, 0 AS offset, 1 AS size, x'00' AS hash;"),
              ErrorKind::invalid);
    // A virtual table.
    EXPECT_EQ(
        fault("DROP TABLE properties; CREATE VIRTUAL TABLE properties USING fts5(key, value);"),
        ErrorKind::invalid);
    // A column that is computed, without an end in sight.
    store::CatalogFiles hasty(folder_.path(), {.time_max = std::chrono::seconds(1)});
    const auto slow = packed(database_of(
        "DROP TABLE statistics; DROP TABLE catalog; CREATE TABLE catalog (md5path_1, md5path_2,"
        " parent_1, parent_2, flags, hash AS (hex(hex(hex(hex(hex(hex(zeroblob(200000)))))))));"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " INSERT INTO catalog (md5path_1, md5path_2, flags) SELECT i, i, 4 FROM n;"));
    auto catalog = hasty.open(file_of(slow), "", "");
    if (catalog) {
        EXPECT_FALSE(all_of(**catalog, 100));
    }
}

TEST_F(CatalogReaderTest, ACatalogThatTakesTooLongIsGivenUp) {
    store::CatalogFiles hasty(folder_.path(), {.time_max = std::chrono::seconds(0)});
    std::string many = entry("", 1);
    for (int i = 0; i < 3000; ++i)
        many += entry("/" + std::to_string(i), 4, digest(1));
    const auto bytes = packed(database_of("BEGIN;" + many + "COMMIT;"));
    auto catalog = hasty.open(file_of(bytes), "", "");
    const auto error = catalog ? all_of(**catalog, 10'000).error() : catalog.error();
    EXPECT_EQ(error.kind, ErrorKind::timed_out) << error.message;
}

TEST_F(CatalogReaderTest, AFolderThatIsNotThereIsSaid) {
    store::CatalogFiles nowhere(folder_ / "missing");
    const auto bytes = packed(database_of(entry("", 1)));
    EXPECT_NE(nowhere.open(file_of(bytes), "", "").error().message.find("missing"),
              std::string::npos);
    // What URIs give a meaning is only a name here.
    const auto odd = folder_ / "100%41?mode=rw#x";
    std::filesystem::create_directory(odd);
    store::CatalogFiles reader(odd);
    EXPECT_TRUE(reader.open(file_of(bytes), "", ""));
}

}  // namespace
}  // namespace berth::test
