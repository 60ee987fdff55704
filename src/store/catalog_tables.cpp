#include "base/text.hpp"
#include "store/open_catalog.hpp"

#include <algorithm>

namespace berth::store {

using cache::NestedCatalog;

namespace {

Error wrong(std::string what) {
    return {ErrorKind::invalid, std::move(what)};
}

}  // namespace

Result<void> OpenCatalog::begin() {
    whole_ = cache::is_within(mount_, path_);
    if (auto checked = check_tables(); !checked)
        return checked;
    if (auto read = read_properties(); !read)
        return read;
    const auto* sql = whole_ ? "SELECT md5path_1, md5path_2, flags, hash FROM catalog"
                             : "SELECT md5path_1, md5path_2, flags, hash FROM catalog"
                               " WHERE parent_1=?1 AND parent_2=?2";
    if (auto prepared = entries_.prepare(database_->handle(), sql); !prepared)
        return prepared;
    if (auto prepared = chunks_.prepare(
            database_->handle(), "SELECT hash FROM chunks WHERE md5path_1=?1 AND md5path_2=?2");
        !prepared)
        return prepared;
    if (!whole_)
        return find_path();
    in_entries_ = has_path_ = true;
    read_promise();
    return {};
}

// Views and virtual tables have no root page.
Result<void> OpenCatalog::check_tables() {
    CatalogQuery query;
    if (auto prepared = query.prepare(
            database_->handle(),
            "SELECT count(*) FROM sqlite_master WHERE type='table' AND rootpage>0 AND name IN "
            "('catalog', 'chunks', 'nested_catalogs', 'properties')");
        !prepared)
        return prepared;
    const auto row = query.step();
    if (!row)
        return row.error();
    if (query.number(0) != 4)
        return wrong("it does not have the tables of a catalog");
    return {};
}

Result<void> OpenCatalog::read_properties() {
    CatalogQuery query;
    if (auto prepared = query.prepare(
            database_->handle(),
            "SELECT key, value FROM properties WHERE key IN ('root_prefix', 'revision') LIMIT 3");
        !prepared)
        return prepared;
    std::string prefix;
    for (;;) {
        const auto row = query.step();
        if (!row)
            return row.error();
        if (!*row)
            break;
        const auto value = query.text(1).value_or("");
        if (query.text(0) == "root_prefix")
            prefix = value;
        else
            revision_ = to_number<std::uint64_t>(value).value_or(0);
    }
    if (prefix != mount_)
        return wrong("it says that it is mounted at \"" + printable(prefix, 200) + '"');
    return {};
}

// A part of a file takes the place of the file, and external ones are elsewhere.
void OpenCatalog::read_promise() {
    CatalogQuery query;
    if (!query.prepare(database_->handle(), "SELECT counter, value FROM statistics LIMIT 200"))
        return;
    std::int64_t sum = 0;
    constexpr std::int64_t believable = 100'000'000'000;
    for (auto row = query.step(); row && *row; row = query.step()) {
        const auto name = query.text(0).value_or("");
        const auto value = std::clamp(query.number(1).value_or(0), std::int64_t(0), believable);
        const auto what = name.substr(std::min(name.find('_') + 1, name.size()));
        if (!name.starts_with("self_") && !name.starts_with("subtree_"))
            continue;
        if (what == "regular" || what == "chunks")
            sum += value;
        else if (what == "chunked" || what == "external")
            sum -= value;
    }
    promised_ = static_cast<std::uint64_t>(std::max(sum, std::int64_t(0)));
}

Result<std::vector<NestedCatalog>> OpenCatalog::read_nested() {
    CatalogQuery query;
    if (auto prepared =
            query.prepare(database_->handle(), "SELECT path, sha1 FROM nested_catalogs");
        !prepared)
        return prepared.error();
    std::vector<NestedCatalog> result;
    for (;;) {
        const auto row = query.step();
        if (!row)
            return row.error();
        if (!*row)
            return result;
        const auto path = cache::read_tree_path(query.text(0).value_or(""));
        const auto id = cache::content_id_from(query.text(1).value_or(""));
        // Only what lies deeper can be nested, so that no walk goes in circles.
        if (!path || !id || *path == mount_ || !cache::is_within(*path, mount_))
            return wrong("it names a nested catalog that cannot be one: \"" +
                         printable(query.text(0).value_or(""), 200) + '"');
        if (!cache::is_within(*path, path_) && !cache::is_within(path_, *path))
            continue;
        if (result.size() == limits_.nested_max)
            return Error{ErrorKind::too_large, "it has too many nested catalogs"};
        result.push_back({.path = *path, .id = *id});
    }
}

Result<std::unique_ptr<cache::Catalog>> open_catalog(const std::string& file_path,
                                                     const std::string& mount,
                                                     const std::string& path,
                                                     const CatalogLimits& limits) {
    auto database = CatalogDatabase::open(file_path, limits.time_max);
    if (!database)
        return std::move(database.error()).within("catalog " + mount);
    auto catalog = std::make_unique<OpenCatalog>(std::move(*database), mount, path, limits);
    if (const auto started = catalog->start(); !started)
        return started.error();
    return std::unique_ptr<cache::Catalog>(std::move(catalog));
}

}  // namespace berth::store
