#include "store/session_files.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"
#include "store/session_paths.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dirent.h>

#include <cerrno>
#include <cstdio>
#include <functional>

namespace berth::store {

using jobs::Fence;
using jobs::session_path;

namespace {

constexpr std::size_t small_file_max = 1U << 20U;
constexpr int depth_max = 32;  // of folders that are listed

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Listing = std::unique_ptr<DIR, CloseDirectory>;

Result<void> make_directory(int directory, const std::string& name) {
    if (::mkdirat(directory, name.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error("make folder " + name, errno);
    return {};
}

// Writes a small file by temporary name and rename, so that a node never reads half of it.
Result<void> write_file(int directory, const std::string& name, std::string_view content,
                        unsigned mode) {
    const auto temporary = name + "." + random_base32(6);
    auto file = open_beneath(directory, temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (!file)
        return file.error();
    auto written = write_all(file->get(), content);
    if (written && ::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0)
        written = system_error("rename to " + name, errno);
    if (!written)
        ::unlinkat(directory, temporary.c_str(), 0);
    return written;
}

Result<std::string> read_small(int directory, const std::string& name) {
    auto file = open_beneath(directory, name, O_RDONLY | O_NOFOLLOW);
    if (!file)
        return file.error();
    std::string content;
    char buffer[4096];
    while (content.size() < small_file_max) {
        const auto got = ::read(file->get(), buffer, sizeof buffer);
        if (got < 0)
            return system_error("read " + name, errno);
        content.append(buffer, static_cast<std::size_t>(got));
        if (got < static_cast<ssize_t>(sizeof buffer))
            break;
    }
    return content;
}

// Writes a file that no node can see yet.
Result<void> write_unseen(int directory, const std::string& name, std::string_view content) {
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW;
    const auto file = open_beneath(directory, name, flags, 0600);
    if (!file)
        return file.error();
    return write_all(file->get(), content);
}

// A file that is written beside its place and renamed into it when it is complete.
class FileUpload final : public jobs::Upload {
public:
    FileUpload(Parent parent, Descriptor file, std::string temporary, std::uint64_t bytes_max)
        : parent_(std::move(parent)),
          file_(std::move(file)),
          temporary_(std::move(temporary)),
          left_(bytes_max) {}
    ~FileUpload() override {
        if (!temporary_.empty())
            ::unlinkat(parent_.directory.get(), temporary_.c_str(), 0);
    }

    Result<void> write(std::string_view bytes) override {
        if (bytes.size() > left_)
            return Error{ErrorKind::too_large,
                         "the file is larger than this site accepts, or the files of the job or "
                         "of its account together would be"};
        left_ -= bytes.size();
        size_ += bytes.size();
        return write_all(file_.get(), bytes);
    }

    std::uint64_t size() const override { return size_; }

    Result<bool> finish() override {
        struct stat old {};
        const bool fresh = ::fstatat(parent_.directory.get(), parent_.name.c_str(), &old,
                                     AT_SYMLINK_NOFOLLOW) != 0;
        if (!fresh && S_ISDIR(old.st_mode))
            return Error{ErrorKind::conflict, "there is a folder of this name"};
        if (::fsync(file_.get()) != 0)
            return system_error("fsync", errno);
        if (::renameat(parent_.directory.get(), temporary_.c_str(), parent_.directory.get(),
                       parent_.name.c_str()) != 0)
            return system_error("rename", errno);
        temporary_.clear();
        // The job goes on because of this file: the name must survive a crash as well.
        if (::fsync(parent_.directory.get()) != 0)
            return system_error("fsync", errno);
        return fresh;
    }

private:
    Parent parent_;
    Descriptor file_;
    std::string temporary_;
    std::uint64_t left_;
    std::uint64_t size_ = 0;
};

// Calls visit(path, info) for everything below `directory`, folders before what they hold, until
// it returns false. No link is followed. What lies deeper than depth_max is left out: each level
// holds a descriptor.
using Visit = std::function<bool(const std::string& path, const struct stat& info)>;
Result<bool> visit_below(int directory, const std::string& prefix, const Visit& visit,
                         int depth = 0) {
    const Listing listing(::fdopendir(::fcntl(directory, F_DUPFD_CLOEXEC, 0)));
    if (!listing)
        return system_error("list files", errno);
    ::rewinddir(listing.get());
    while (const auto* found = ::readdir(listing.get())) {
        const std::string name = found->d_name;
        struct stat info {};
        if (name == "." || name == ".." ||
            ::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (!visit(prefix + name, info))
            return false;
        if (!S_ISDIR(info.st_mode) || depth >= depth_max)
            continue;
        auto below = open_beneath(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!below)
            continue;
        auto goes_on = visit_below(below->get(), prefix + name + "/", visit, depth + 1);
        if (!goes_on || !*goes_on)
            return goes_on;
    }
    return true;
}

bool is_listed(const std::string& path, const struct stat& info) {
    const auto name = std::string_view(path).substr(path.rfind('/') + 1);
    return !name.starts_with(".berth-upload.") && is_utf8(path) &&
           (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode));
}

}  // namespace

Result<Descriptor> OwnFiles::open_root() const {
    Descriptor root(::open(settings_.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root)
        return system_error(settings_.root, errno);
    return root;
}

// Without its mark the root is not the session root (not mounted, for example): nothing may be made
// there, and what is not found there is not gone.
Result<Descriptor> OwnFiles::open_marked_root() const {
    auto root = open_root();
    if (root && read_small(root->get(), ".berth"))
        return root;
    return Error{ErrorKind::unavailable, root ? "the session root " + settings_.root +
                                                    " has no mark of Berth; is it mounted?"
                                              : root.error().message};
}

Result<void> OwnFiles::prepare_root() {
    if (::mkdir(settings_.root.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error("make the session root " + settings_.root, errno);
    auto root = open_root();
    if (!root)
        return root.error();
    const auto mark = read_small(root->get(), ".berth");
    if (mark && trim(*mark) != settings_.instance)
        return Error{ErrorKind::conflict,
                     "the session root " + settings_.root + " belongs to another store (instance " +
                         printable(trim(*mark), 20) + "); give each berthd a root of its own"};
    if (!mark && settings_.known)
        return Error{ErrorKind::unavailable,
                     "the session root " + settings_.root +
                         " has lost its mark; mount the file system before the start"};
    for (const auto* name : {"jobs", "scripts", "attempts", "events"})
        if (auto made = make_directory(root->get(), name); !made)
            return made;
    if (!mark)
        return write_file(root->get(), ".berth", settings_.instance + "\n", 0600);
    return {};
}

// Equal scripts are one file below scripts/, linked into the sessions; where links are not
// possible (too many, another file system) the session gets a copy.
Result<void> OwnFiles::keep_script(int root, const jobs::SessionInput& input) const {
    const auto shared = "scripts/" + input.script_hash;
    const auto own = session_path(input.job_id) + "/script";
    if (::linkat(root, shared.c_str(), root, own.c_str(), 0) == 0 || errno == EEXIST)
        return {};
    if (errno == ENOENT) {
        if (auto written = write_file(root, shared, input.script, 0500); !written)
            return written;
        if (::linkat(root, shared.c_str(), root, own.c_str(), 0) == 0 || errno == EEXIST)
            return {};
    }
    return write_file(root, own, input.script, 0500);
}

Result<void> OwnFiles::make(const std::string&, const jobs::SessionInput& input) {
    auto root = open_marked_root();
    if (!root)
        return root.error();
    const auto path = session_path(input.job_id);
    struct stat known {};
    const bool first =
        input.fresh && ::fstatat(root->get(), path.c_str(), &known, AT_SYMLINK_NOFOLLOW) != 0;
    if (!input.fresh) {
        const auto there = open_beneath(root->get(), path + "/files", O_RDONLY | O_DIRECTORY);
        if (!there)
            return there.error();
    } else {
        for (const auto& name : {path.substr(0, path.rfind('/')), path, path + "/files"})
            if (auto made = make_directory(root->get(), name); !made)
                return made;
    }
    if (input.launch.empty())
        return {};  // made for uploads; the rest follows with the submission
    if (!input.script_hash.empty())
        if (auto kept = keep_script(root->get(), input); !kept)
            return kept;
    const auto write = [&](const std::string& name, const std::string& content) {
        // In a directory that was there a start may read the file right now, and a crash must leave
        // the attempts that the launch file names.
        return first ? write_unseen(root->get(), path + name, content)
                     : write_file(root->get(), path + name, content, 0600);
    };
    if (auto written = write("/secret", input.secret); !written)
        return written;
    const auto launch = launch_text(root->get(), input, first);
    if (!launch)
        return launch.error();
    return write("/launch", *launch);
}

Result<void> OwnFiles::write_manifest(const std::string&, const std::string& tag,
                                      const std::vector<std::string>& job_ids) {
    auto root = open_marked_root();
    if (!root)
        return root.error();
    std::string text;
    for (const auto& id : job_ids)
        text += settings_.root + "/" + session_path(id) + "\n";
    return write_file(root->get(), "attempts/" + tag, text, 0600);
}

Fence OwnFiles::read_fence(int root, const std::string& job_id) const {
    const auto path = session_path(job_id);
    // Opening the directory makes an NFS client ask the server for its present content.
    const auto session = open_beneath(root, path, O_RDONLY | O_DIRECTORY);
    if (!session) {
        const bool gone = session.error().kind == ErrorKind::not_found;
        return {.kind = gone ? Fence::Kind::missing : Fence::Kind::unreadable};
    }
    char link[512];
    const auto length = ::readlinkat(session->get(), "fence", link, sizeof link);
    if (length < 0)
        return {.kind = errno == ENOENT ? Fence::Kind::free : Fence::Kind::unreadable};
    return jobs::parse_fence({link, static_cast<std::size_t>(length)});
}

jobs::SessionView OwnFiles::look(const std::string&, const std::string& job_id) {
    auto root = open_marked_root();
    if (!root)
        return {};
    jobs::SessionView view{.fence = read_fence(root->get(), job_id)};
    if (view.fence.kind != Fence::Kind::taken)
        return view;
    const auto text = read_small(root->get(), session_path(job_id) + "/exit." + view.fence.nonce);
    if (text)
        view.marker = jobs::parse_marker(*text);
    if (view.marker && view.marker->nonce != view.fence.nonce)
        view.marker.reset();
    return view;
}

Fence OwnFiles::void_fence(const std::string&, const std::string& job_id) {
    auto root = open_marked_root();
    if (!root)
        return {};
    const auto own = "void:" + random_base32(16);
    const auto path = session_path(job_id) + "/fence";
    static_cast<void>(::symlinkat(own.c_str(), root->get(), path.c_str()));
    return read_fence(root->get(), job_id);  // what is there counts, not what symlink said
}

Result<std::vector<jobs::SessionEvent>> OwnFiles::take_events(std::size_t most) {
    auto root = open_marked_root();
    if (!root)
        return root.error();
    auto folder = open_beneath(root->get(), "events", O_RDONLY | O_DIRECTORY);
    if (!folder)
        return Error{ErrorKind::unavailable, folder.error().message};
    const Listing listing(::fdopendir(folder->release()));
    if (!listing)
        return system_error("list events", errno);
    const int here = ::dirfd(listing.get());
    std::vector<jobs::SessionEvent> events;
    while (const auto* found = ::readdir(listing.get())) {
        if (events.size() >= most)
            break;
        const std::string name = found->d_name;
        if (name == "." || name == "..")
            continue;
        struct stat info {};
        if (::fstatat(here, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (auto event = jobs::parse_event_name(name);
            event && S_ISREG(info.st_mode) && info.st_uid == ::geteuid())
            events.push_back(std::move(*event));
        ::unlinkat(here, name.c_str(), 0);
    }
    return events;
}

Result<void> OwnFiles::remove(const std::string&, const std::string& job_id) {
    auto root = open_marked_root();
    if (!root)
        return root.error();
    // The script's shared copy goes with its last session.
    struct stat script {};
    const auto own = session_path(job_id) + "/script";
    const bool last = ::fstatat(root->get(), own.c_str(), &script, AT_SYMLINK_NOFOLLOW) == 0 &&
                      script.st_nlink == 2;
    auto removed = remove_tree(root->get(), session_path(job_id));
    if (!removed || !last)
        return removed;
    auto scripts = open_beneath(root->get(), "scripts", O_RDONLY | O_DIRECTORY);
    if (!scripts)
        return removed;
    const Listing listing(::fdopendir(scripts->release()));
    while (const auto* found = listing ? ::readdir(listing.get()) : nullptr) {
        if (found->d_ino != script.st_ino)
            continue;
        ::unlinkat(::dirfd(listing.get()), found->d_name, 0);
        break;
    }
    return removed;
}

Result<jobs::Usage> OwnFiles::measure(const std::string&, const std::string& job_id) {
    auto root = open_marked_root();
    if (!root)
        return root.error();
    auto session = open_beneath(root->get(), session_path(job_id), O_RDONLY | O_DIRECTORY);
    if (!session)
        return session.error();
    jobs::Usage usage{.files = 1};
    const Visit add = [&](const std::string&, const struct stat& info) {
        ++usage.files;
        if (S_ISREG(info.st_mode))
            usage.bytes += static_cast<std::uint64_t>(info.st_size);
        return true;
    };
    if (auto visited = visit_below(session->get(), "", add); !visited)
        return visited.error();
    return usage;
}

Result<void> OwnFiles::remove_manifest(const std::string&, const std::string& tag) {
    auto root = open_marked_root();
    if (!root)
        return root.error();
    if (::unlinkat(root->get(), ("attempts/" + tag).c_str(), 0) != 0 && errno != ENOENT)
        return system_error("remove manifest " + tag, errno);
    return {};
}

Result<Descriptor> OwnFiles::open_files(const std::string& job_id) const {
    auto root = open_marked_root();
    if (!root)
        return root.error();
    return open_beneath(root->get(), session_path(job_id) + "/files", O_RDONLY | O_DIRECTORY);
}

Result<std::vector<jobs::FileEntry>> OwnFiles::list(const std::string&, const std::string& job_id,
                                                    std::size_t most) {
    auto files = open_files(job_id);
    if (!files)
        return files.error();
    std::vector<jobs::FileEntry> entries;
    const Visit add = [&](const std::string& path, const struct stat& info) {
        if (!is_listed(path, info))
            return true;
        if (entries.size() >= most)
            return false;
        const bool folder = S_ISDIR(info.st_mode);
        entries.push_back({.path = path,
                           .size = folder ? 0 : static_cast<std::uint64_t>(info.st_size),
                           .modified_s = info.st_mtime,
                           .directory = folder});
        return true;
    };
    if (auto listed = visit_below(files->get(), "", add); !listed)
        return listed.error();
    return entries;
}

Result<Descriptor> OwnFiles::open(const std::string&, const std::string& job_id,
                                  const std::string& path) {
    auto files = open_files(job_id);
    if (!files)
        return files.error();
    auto file = open_beneath(files->get(), path, O_RDONLY | O_NONBLOCK);
    if (!file)
        return file;
    struct stat info {};
    if (::fstat(file->get(), &info) == 0 && S_ISDIR(info.st_mode))
        return Error{ErrorKind::conflict, "this is a folder, not a file"};
    if (!S_ISREG(info.st_mode))
        return Error{ErrorKind::not_found, "not a regular file"};
    return file;
}

Result<std::unique_ptr<jobs::Upload>> OwnFiles::upload(const std::string& account,
                                                       const std::string& job_id,
                                                       const std::string& path,
                                                       std::uint64_t bytes_max) {
    auto present = list(account, job_id, settings_.session_files_max + 1);
    if (!present)
        return present.error();
    std::uint64_t used = 0;
    for (const auto& entry : *present)
        used += entry.size;
    if (present->size() > settings_.session_files_max || used > settings_.session_bytes_max)
        return Error{ErrorKind::too_large, "the job's files are at their limit; delete some first"};
    auto files = open_files(job_id);
    if (!files)
        return files.error();
    auto parent = make_parent(files->get(), path);
    if (!parent)
        return parent.error();
    const auto temporary = ".berth-upload." + random_base32(12);
    // Executable, so that an uploaded script can be the payload; only the owner has access.
    auto file = open_beneath(parent->directory.get(), temporary, O_WRONLY | O_CREAT | O_EXCL, 0700);
    if (!file)
        return file.error();
    const auto most =
        std::min({settings_.upload_bytes_max, settings_.session_bytes_max - used, bytes_max});
    return std::unique_ptr<jobs::Upload>(
        std::make_unique<FileUpload>(std::move(*parent), std::move(*file), temporary, most));
}

Result<void> OwnFiles::remove_file(const std::string&, const std::string& job_id,
                                   const std::string& path) {
    auto files = open_files(job_id);
    if (!files)
        return files.error();
    const auto slash = path.rfind('/');
    Descriptor folder(::fcntl(files->get(), F_DUPFD_CLOEXEC, 0));
    if (slash != std::string::npos) {
        auto opened = open_beneath(files->get(), path.substr(0, slash), O_RDONLY | O_DIRECTORY);
        if (!opened)
            return opened.error();
        folder = std::move(*opened);
    }
    const auto name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (::unlinkat(folder.get(), name.c_str(), 0) == 0)
        return {};
    if (errno == EISDIR)
        return Error{ErrorKind::conflict, "this is a folder, not a file"};
    return system_error("remove the file", errno);
}

}  // namespace berth::store
