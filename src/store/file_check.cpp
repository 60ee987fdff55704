#include "store/file_check.hpp"

#include "base/files.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace berth::store {

namespace {

// Big-endian numbers of the database header (sqlite.org/fileformat2.html 1.3).
constexpr std::size_t header_size = 100;
constexpr std::uint64_t page_size_min = 512;
using Header = std::array<unsigned char, header_size>;

std::uint64_t number_at(const Header& header, std::size_t place, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        value = value << 8U | header[place + i];
    return value;
}

}  // namespace

bool looks_cut(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0)
        return false;  // a new store, or one that SQLite cannot open either
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size < page_size_min)
        throw DatabaseError{SQLITE_CORRUPT,
                            "the file has no content; if there never was a store, "
                            "remove the file to begin one"};
    Header header{};
    if (::pread(file.get(), header.data(), header.size(), 0) != header_size)
        return true;
    const auto coded = number_at(header, 16, 2);
    const std::uint64_t page = coded == 1 ? 65536 : coded;
    if (page == 0)
        return true;
    // The count of pages holds only if it was written with the last change of the file.
    const bool count_holds = number_at(header, 24, 4) == number_at(header, 92, 4);
    return size % page != 0 || (count_holds && size < page * number_at(header, 28, 4));
}

void check_pages(Database& database, const std::string& path) {
    auto check = database.prepare("PRAGMA quick_check(1)");
    const auto words = check.step() ? check.text(0) : std::string("no answer");
    if (words != "ok")
        throw DatabaseError{SQLITE_CORRUPT, "the file is damaged: " + words};
    // SQLite takes the missing part of a page for zeros, which may look right.
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    auto size = database.prepare("PRAGMA page_size");
    struct stat info {};
    if (!size.step() || ::stat(path.c_str(), &info) != 0 || info.st_size % size.number(0) != 0)
        throw DatabaseError{SQLITE_CORRUPT, "the file ends within a page"};
}

}  // namespace berth::store
