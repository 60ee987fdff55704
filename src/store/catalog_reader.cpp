#include "store/catalog_reader.hpp"

#include "cache/inflate.hpp"

#include <cerrno>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

namespace berth::store {

namespace {

constexpr std::size_t step_bytes = 256U << 10U;

// A file that is removed with this object.
class UnpackedFile {
public:
    explicit UnpackedFile(std::string pattern) : path_(std::move(pattern)) {
        file_ = Descriptor(::mkostemp(path_.data(), O_CLOEXEC));
    }
    ~UnpackedFile() {
        if (file_)
            ::unlink(path_.c_str());
    }
    UnpackedFile(const UnpackedFile&) = delete;
    UnpackedFile& operator=(const UnpackedFile&) = delete;

    const std::string& path() const { return path_; }
    const Descriptor& file() const { return file_; }

private:
    std::string path_;
    Descriptor file_;
};

Result<std::uint64_t> unpack(const Descriptor& from, const Descriptor& to, std::uint64_t most) {
    std::string piece(step_bytes, '\0');
    off_t at = 0;
    const auto read = [&]() -> Result<std::string_view> {
        const auto count = ::pread(from.get(), piece.data(), piece.size(), at);
        if (count < 0)
            return system_error("read the stored object", errno);
        at += count;
        return std::string_view(piece).substr(0, static_cast<std::size_t>(count));
    };
    const auto write = [&](std::string_view bytes) { return write_all(to.get(), bytes); };
    return cache::inflate(read, write, most);
}

}  // namespace

Result<std::unique_ptr<cache::Catalog>> CatalogFiles::open(Descriptor packed, std::string mount,
                                                           std::string path) {
    const auto what = "catalog " + (mount.empty() ? std::string("/") : mount);
    const UnpackedFile unpacked(folder_ + "/catalog.XXXXXX");
    if (!unpacked.file())
        return system_error(what + ": make a file in " + folder_, errno);
    const auto bytes = unpack(packed, unpacked.file(), limits_.unpacked_bytes_max);
    if (!bytes)
        return Error(bytes.error()).within(what);
    return open_catalog(unpacked.path(), mount, path, limits_);
}

}  // namespace berth::store
