// A path, a line feed, and a catalog: in zlib or as an SQLite file. It is read or refused in
// bounded time and memory; nested catalogs lie where they can, and nothing is left in the folder.
#include "cache/tree_path.hpp"
#include "fuzz/require.hpp"
#include "store/catalog_reader.hpp"

#include <filesystem>

#include <stdlib.h>
#include <sys/mman.h>

namespace {

using namespace berth;
using berth::fuzz::require;

constexpr std::size_t objects_max = 100'000;
const store::CatalogLimits limits{.unpacked_bytes_max = 8U << 20U,
                                  .nested_max = 100,
                                  .directories_max = 1000,
                                  .time_max = std::chrono::seconds(2)};

// In memory where that is possible: there are thousands of files each second. The name has what
// URIs give a meaning.
std::string make_folder() {
    std::string path = std::filesystem::is_directory("/dev/shm") ? "/dev/shm/fuzz%?#.XXXXXX"
                                                                 : "/tmp/fuzz%?#.XXXXXX";
    require(::mkdtemp(path.data()) != nullptr);
    return path;
}

struct Folder {
    ~Folder() { std::filesystem::remove_all(path); }
    const std::string path = make_folder();
};

Descriptor file_of(std::string_view bytes) {
    Descriptor file(::memfd_create("input", MFD_CLOEXEC));
    require(file && write_all(file.get(), bytes));
    return file;
}

void read_through(cache::Catalog& catalog, const std::string& path) {
    if (const auto nested = catalog.nested()) {
        require(nested->size() <= limits.nested_max);
        for (const auto& one : *nested)
            require(!one.path.empty() &&
                    (cache::is_within(one.path, path) || cache::is_within(path, one.path)));
    }
    static_cast<void>(catalog.promised_objects());
    for (std::size_t count = 0; count < objects_max;) {
        const auto objects = catalog.next(100);
        if (!objects) {
            require(!objects.error().message.empty());
            return;
        }
        if (objects->empty())
            return;
        require(catalog.has_path() && objects->size() <= 100);
        for (const auto& object : *objects)
            require(object.letter == 0 || object.letter == 'P');
        count += objects->size();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    static const Folder folder;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto end = input.find('\n');
    if (end == std::string_view::npos)
        return 0;
    const auto path = cache::read_tree_path(input.substr(0, end));
    if (!path)
        return 0;
    const auto bytes = input.substr(end + 1);
    Result<std::unique_ptr<cache::Catalog>> catalog;
    if (bytes.starts_with("SQLite format 3")) {
        const auto name = folder.path + "/unpacked";
        require(bool(replace_file(name, bytes)));
        catalog = store::open_catalog(name, "", *path, limits);
        std::filesystem::remove(name);
    } else {
        store::CatalogFiles reader(folder.path, limits);
        catalog = reader.open(file_of(bytes), "", *path);
    }
    require(std::filesystem::is_empty(folder.path));
    if (catalog)
        read_through(**catalog, *path);
    else
        require(!catalog.error().message.empty());
    return 0;
}
