#include "store/object_files.hpp"

#include "base/text.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

#include <dirent.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace berth::store {

using cache::Index;
using cache::JournalRecord;
using cache::Key;

namespace {

constexpr std::size_t record_bytes = 40;
constexpr std::size_t read_bytes = record_bytes * 25'600;  // of the journal, at a time
constexpr std::uint8_t pinned_flag = 1;
constexpr std::size_t saved_bytes_max = 16U << 20U;

// kind, key (21), flags, size (8, little-endian), 5 spare, CRC-32 of all that.
using Record = std::array<std::uint8_t, record_bytes>;

std::uint32_t checksum(const std::uint8_t* bytes) {
    return static_cast<std::uint32_t>(::crc32(0, bytes, record_bytes - 4));
}

Record encode(const JournalRecord& record) {
    Record bytes{};
    bytes[0] = static_cast<std::uint8_t>(record.kind);
    std::memcpy(&bytes[1], record.key.digest.data(), record.key.digest.size());
    bytes[21] = record.key.space;
    bytes[22] = record.pinned ? pinned_flag : 0;
    for (unsigned i = 0; i < 8; ++i)
        bytes[23 + i] = static_cast<std::uint8_t>(record.size >> (8 * i));
    const auto sum = checksum(bytes.data());
    std::memcpy(&bytes[record_bytes - 4], &sum, sizeof sum);
    return bytes;
}

bool decode(const std::uint8_t* bytes, JournalRecord& record) {
    std::uint32_t sum = 0;
    std::memcpy(&sum, bytes + record_bytes - 4, sizeof sum);
    if (sum != checksum(bytes) || bytes[0] < 1 || bytes[0] > 4)
        return false;
    record.kind = static_cast<JournalRecord::Kind>(bytes[0]);
    std::memcpy(record.key.digest.data(), bytes + 1, record.key.digest.size());
    record.key.space = bytes[21];
    record.pinned = (bytes[22] & pinned_flag) != 0;
    record.size = 0;
    for (unsigned i = 0; i < 8; ++i)
        record.size |= static_cast<std::uint64_t>(bytes[23 + i]) << (8 * i);
    return true;
}

std::string folder_of(const std::string& hex) {
    return "objects/" + hex.substr(0, 2) + "/" + hex.substr(2, 2);
}

std::string path_of(const Key& key) {
    const auto hex = key.hex();
    return folder_of(hex) + "/" + hex;
}

// Beside its place, with a name of its own until it is kept.
class File final : public cache::NewObject {
public:
    File(int folder, std::string name, Descriptor file)
        : folder_(folder), name_(std::move(name)), file_(std::move(file)) {}
    ~File() override {
        if (!name_.empty())
            ::unlinkat(folder_, name_.c_str(), 0);
    }
    Result<void> write(std::string_view bytes) override { return write_all(file_.get(), bytes); }
    int descriptor() const override { return file_.get(); }

    // False with errno: renameat failed.
    bool move_to(const std::string& path) {
        if (::renameat(folder_, name_.c_str(), folder_, path.c_str()) != 0)
            return false;
        name_.clear();
        return true;
    }

private:
    int folder_;
    std::string name_;
    Descriptor file_;
};

void clear_folder(int parent, const char* name) {
    Descriptor folder(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR* listing = folder ? ::fdopendir(folder.release()) : nullptr;
    if (listing == nullptr)
        return;
    while (const auto* entry = ::readdir(listing))
        if (entry->d_name[0] != '.')
            ::unlinkat(::dirfd(listing), entry->d_name, 0);
    ::closedir(listing);
}

// What a journal says, applied in its order.
class Replay {
public:
    explicit Replay(Index& index) : index_(index) {}

    void apply(const JournalRecord& record) {
        ++records_;
        clean_ = record.kind == JournalRecord::Kind::closed;
        if (record.kind == JournalRecord::Kind::remove)
            index_.remove(record.key);
        else if (record.kind == JournalRecord::Kind::insert)
            for (const auto& gone :
                 index_.insert({.key = record.key, .size = record.size, .pinned = record.pinned}))
                outlived_.push_back(gone);
    }
    void found_damage() { damaged_ = true; }
    bool clean() const { return clean_ && !damaged_; }
    std::uint64_t records() const { return records_; }
    // What the journal had and the capacity does not admit any more.
    const std::vector<Key>& outlived() const { return outlived_; }

private:
    Index& index_;
    std::uint64_t records_ = 0;
    bool clean_ = false, damaged_ = false;
    std::vector<Key> outlived_;
};

Result<void> replay_file(int journal, Replay& replay) {
    std::string buffer(read_bytes, '\0');
    std::uint64_t offset = 0;
    for (;;) {
        const auto got = ::pread(journal, buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (got < 0)
            return system_error("read the cache's journal", errno);
        const auto whole = static_cast<std::size_t>(got) / record_bytes;
        for (std::size_t i = 0; i < whole; ++i) {
            JournalRecord record;
            const auto* bytes =
                reinterpret_cast<const std::uint8_t*>(buffer.data()) + i * record_bytes;
            if (!decode(bytes, record)) {
                replay.found_damage();  // what follows a damaged record is not believed
                return {};
            }
            replay.apply(record);
        }
        offset += whole * record_bytes;
        if (whole == 0) {
            if (got > 0)
                replay.found_damage();
            return {};
        }
    }
}

}  // namespace

Result<std::unique_ptr<ObjectFiles>> ObjectFiles::open(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error("make the cache's folder " + path, errno);
    Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder)
        return system_error("open the cache's folder " + path, errno);
    Descriptor lock(::openat(folder.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock)
        return system_error("open " + path + "/lock", errno);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return Error{ErrorKind::conflict,
                     "another berthd uses the cache " + path +
                         "; stop it, or give this one a folder of its own ([cache] path)"};
    for (const auto* name : {"objects", "new", "saved"})
        if (::mkdirat(folder.get(), name, 0700) != 0 && errno != EEXIST)
            return system_error("make " + path + "/" + name, errno);
    clear_folder(folder.get(), "new");
    return std::unique_ptr<ObjectFiles>(new ObjectFiles(path, std::move(folder), std::move(lock)));
}

ObjectFiles::ObjectFiles(std::string path, Descriptor folder, Descriptor lock)
    : path_(std::move(path)), folder_(std::move(folder)), lock_(std::move(lock)) {}

Result<std::unique_ptr<cache::NewObject>> ObjectFiles::create() {
    auto name = "new/" + std::to_string(next_new_++);
    Descriptor file(
        ::openat(folder_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file)
        return system_error("make a file of the cache", errno);
    return std::unique_ptr<cache::NewObject>(
        std::make_unique<File>(folder_.get(), std::move(name), std::move(file)));
}

Result<void> ObjectFiles::keep(std::unique_ptr<cache::NewObject> object, const Key& key) {
    auto& file = static_cast<File&>(*object);  // create() makes no other
    const auto path = path_of(key);
    if (file.move_to(path))
        return {};
    if (errno == ENOENT) {
        const auto folder = folder_of(key.hex());
        ::mkdirat(folder_.get(), folder.substr(0, folder.rfind('/')).c_str(), 0700);
        ::mkdirat(folder_.get(), folder.c_str(), 0700);
        if (file.move_to(path))
            return {};
    }
    return system_error("keep a file of the cache", errno);
}

Result<Descriptor> ObjectFiles::open(const Key& key) {
    Descriptor file(::openat(folder_.get(), path_of(key).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        return system_error("open a file of the cache", errno);
    return file;
}

void ObjectFiles::remove(const Key& key) {
    ::unlinkat(folder_.get(), path_of(key).c_str(), 0);
}

Result<void> ObjectFiles::load(Index& index) {
    journal_ = Descriptor(
        ::openat(folder_.get(), "journal", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!journal_)
        return system_error("open " + path_ + "/journal", errno);
    Replay replay(index);
    if (auto done = replay_file(journal_.get(), replay); !done)
        return done;
    for (const auto& key : replay.outlived())
        if (!index.find(key))
            remove(key);
    if (!replay.clean()) {
        std::vector<Key> all;
        index.for_each([&](const cache::IndexEntry& entry) { all.push_back(entry.key); });
        for (const auto& key : all)
            index.set_suspect(key, true);
    }
    const bool wasteful = replay.records() > 2 * index.size() + 1000;
    if (wasteful || (!replay.clean() && replay.records() > 0))
        if (auto written = write_journal_anew(index); !written)
            return written;
    return append({JournalRecord{.kind = JournalRecord::Kind::opened}});
}

Result<void> ObjectFiles::write_journal_anew(const Index& index) {
    std::string text;
    text.reserve(index.size() * record_bytes);
    index.for_each([&](const cache::IndexEntry& entry) {
        const auto bytes = encode({.key = entry.key, .size = entry.size, .pinned = entry.pinned});
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
    if (auto replaced = replace_file(path_ + "/journal", text); !replaced)
        return replaced;
    journal_ = Descriptor(::openat(folder_.get(), "journal", O_RDWR | O_APPEND | O_CLOEXEC));
    if (!journal_)
        return system_error("open " + path_ + "/journal", errno);
    return {};
}

Result<void> ObjectFiles::append(const std::vector<JournalRecord>& records) {
    std::string text;
    text.reserve(records.size() * record_bytes);
    for (const auto& record : records) {
        const auto bytes = encode(record);
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    return write_all(journal_.get(), text);
}

Result<void> ObjectFiles::save(std::string name, std::string text) {
    return replace_file(path_ + "/saved/" + name, text);
}

Result<std::string> ObjectFiles::saved(std::string name) {
    return read_file(path_ + "/saved/" + name, saved_bytes_max);
}

Result<std::uint64_t> ObjectFiles::free_bytes() {
    struct statvfs space {};
    if (::fstatvfs(folder_.get(), &space) != 0)
        return system_error("look at the cache's disk", errno);
    return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
}

}  // namespace berth::store
