#include "store/open_catalog.hpp"

#include <algorithm>
#include <utility>

namespace berth::store {

namespace {

using cache::Algorithm;
using cache::TreeObject;

// catalog.flags
constexpr std::int64_t directory = 1, mount_point = 2, file = 4, symbolic_link = 8, special = 16,
                       chunked = 64, external = 128;
constexpr unsigned algorithm_shift = 8, algorithm_mask = 7;
constexpr char chunk_letter = 'P';

Error wrong(std::string what) {
    return {ErrorKind::invalid, std::move(what)};
}

Result<Algorithm> algorithm_of(std::int64_t flags) {
    const auto number = static_cast<std::uint64_t>(flags) >> algorithm_shift & algorithm_mask;
    if (number > static_cast<unsigned>(Algorithm::shake128))
        return wrong("an entry has the unknown hash algorithm " + std::to_string(number));
    return static_cast<Algorithm>(number);
}

Result<TreeObject> object_of(const CatalogQuery& row, int column, Algorithm algorithm,
                             char letter) {
    TreeObject object{.id = {.algorithm = algorithm}, .letter = letter};
    const auto digest = row.blob(column);
    if (!digest || digest->size() != object.id.digest.size())
        return wrong("a file or a piece of one has no hash of 20 bytes");
    std::ranges::copy(*digest, object.id.digest.begin());
    return object;
}

}  // namespace

Result<void> OpenCatalog::find_path() {
    CatalogQuery count;
    if (auto prepared = count.prepare(database_->handle(), "SELECT count(*) FROM catalog");
        !prepared)
        return prepared;
    const auto counted = count.step();
    if (!counted)
        return counted.error();
    rows_ = static_cast<std::uint64_t>(count.number(0).value_or(0));
    CatalogQuery entry;
    if (auto prepared = entry.prepare(database_->handle(),
                                      "SELECT md5path_1, md5path_2, flags, hash FROM catalog"
                                      " WHERE md5path_1=?1 AND md5path_2=?2 LIMIT 1");
        !prepared)
        return prepared;
    const auto hash = cache::hash_of_path(path_);
    entry.restart(hash.first, hash.second);
    const auto found = entry.step();
    if (!found)
        return found.error();
    has_path_ = *found;
    if (!has_path_)
        return {};
    return take_entry(entry, first_);
}

Result<std::vector<TreeObject>> OpenCatalog::read_next(std::size_t count) {
    auto objects = std::exchange(first_, {});
    while (objects.size() < count) {
        const auto more = advance(objects);
        if (!more)
            return more.error();
        if (!*more)
            break;
    }
    return objects;
}

// One row; false when there is none left.
Result<bool> OpenCatalog::advance(std::vector<TreeObject>& objects) {
    if (in_chunks_) {
        const auto row = chunks_.step();
        if (!row)
            return row.error();
        in_chunks_ = *row;
        if (!*row)
            return true;
        const auto object = object_of(chunks_, 0, chunks_algorithm_, chunk_letter);
        if (!object)
            return object.error();
        objects.push_back(*object);
        return true;
    }
    if (in_entries_) {
        const auto row = entries_.step();
        if (!row)
            return row.error();
        in_entries_ = *row;
        const auto taken = *row ? take_entry(entries_, objects) : Result<void>();
        if (!taken)
            return taken.error();
        return true;
    }
    if (waiting_.empty())
        return false;
    // Where no entry has two parents, no more directories than rows can come.
    if (++walked_ > rows_)
        return wrong("its directories form a loop");
    entries_.restart(waiting_.back().first, waiting_.back().second);
    waiting_.pop_back();
    in_entries_ = true;
    return true;
}

Result<void> OpenCatalog::take_entry(const CatalogQuery& row, std::vector<TreeObject>& objects) {
    const auto flags = row.number(2);
    if (!flags)
        return wrong("an entry has no flags");
    if ((*flags & directory) == 0)
        return take_file(row, *flags, objects);
    // What is below a mount point is in another catalog.
    if (whole_ || (*flags & mount_point) != 0)
        return {};
    const auto first = row.number(0), second = row.number(1);
    if (!first || !second)
        return wrong("a directory has no key");
    if (waiting_.size() >= limits_.directories_max)
        return Error{ErrorKind::too_large, "it has too many directories"};
    waiting_.push_back({.first = *first, .second = *second});
    return {};
}

Result<void> OpenCatalog::take_file(const CatalogQuery& row, std::int64_t flags,
                                    std::vector<TreeObject>& objects) {
    if ((flags & file) == 0 || (flags & (symbolic_link | special | external)) != 0)
        return {};
    const auto algorithm = algorithm_of(flags);
    if (!algorithm)
        return algorithm.error();
    if ((flags & chunked) != 0) {
        const auto first = row.number(0), second = row.number(1);
        if (!first || !second)
            return wrong("a file in pieces has no key");
        chunks_.restart(*first, *second);
        chunks_algorithm_ = *algorithm;
        in_chunks_ = true;
        return {};
    }
    const auto object = object_of(row, 3, *algorithm, 0);
    if (!object)
        return object.error();
    objects.push_back(*object);
    return {};
}

}  // namespace berth::store
