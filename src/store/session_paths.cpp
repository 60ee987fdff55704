#include "store/session_paths.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dirent.h>

#include <cerrno>
#include <memory>
#include <vector>

namespace berth::store {

namespace {

constexpr int depth_max = 64;
constexpr unsigned rounds_max = 10'000;  // of depth_max levels each

Result<Descriptor> open_how(int directory, const std::string& path, int flags, unsigned mode,
                            std::uint64_t resolve) {
    struct open_how how {};
    how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = resolve;
    const auto fd =
        static_cast<int>(::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how));
    if (fd < 0)
        return system_error(printable(path), errno);
    return Descriptor(fd);
}

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

// A payload may leave folders behind that even their owner may not change or read.
void allow_changes(int directory, const std::string& name) {
    const auto folder = open_how(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
                                 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (folder)  // by descriptor, so that no link can be put in its place
        static_cast<void>(
            ::chmod(("/proc/self/fd/" + std::to_string(folder->get())).c_str(), 0700));
}

// What is nested deeper than depth_max is moved to `deep`, to be removed in the next round.
struct Deep {
    int directory;
    std::vector<std::string> names = {};
};

Result<void> remove_below(int directory, const std::string& name, int depth, Deep& deep) {
    if (::unlinkat(directory, name.c_str(), 0) == 0)
        return {};
    if (errno != EISDIR && errno != EPERM)
        return system_error("remove " + printable(name), errno);
    allow_changes(directory, name);
    if (depth >= depth_max) {
        const auto away = ".berth-deep." + random_base32(12);
        if (::renameat(directory, name.c_str(), deep.directory, away.c_str()) != 0)
            return system_error("move " + printable(name), errno);
        deep.names.push_back(away);
        return {};
    }
    auto opened =
        open_how(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH);
    if (!opened)
        return opened.error();
    const std::unique_ptr<DIR, CloseDirectory> listing(::fdopendir(opened->release()));
    if (!listing)
        return system_error("list " + printable(name), errno);
    const int here = ::dirfd(listing.get());
    std::vector<std::string> children;
    while (const auto* entry = ::readdir(listing.get())) {
        const std::string child = entry->d_name;
        if (child != "." && child != "..")
            children.push_back(child);
    }
    for (const auto& child : children)
        if (auto removed = remove_below(here, child, depth + 1, deep); !removed)
            return removed;
    if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0)
        return system_error("remove " + printable(name), errno);
    return {};
}

}  // namespace

Result<Descriptor> open_beneath(int directory, const std::string& path, int flags, unsigned mode) {
    return open_how(directory, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

Result<Parent> make_parent(int directory, const std::string& path) {
    Parent parent{.directory = Descriptor(::fcntl(directory, F_DUPFD_CLOEXEC, 0)), .name = {}};
    if (!parent.directory)
        return system_error("open directory", errno);
    const auto parts = split(path, '/');
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const std::string name(parts[i]);
        if (::mkdirat(parent.directory.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
            return system_error("make folder " + printable(name), errno);
        auto next = open_how(parent.directory.get(), name, O_RDONLY | O_DIRECTORY, 0,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (!next) {
            struct stat info {};
            const bool is_file =
                ::fstatat(parent.directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(info.st_mode);
            if (is_file)
                return Error{ErrorKind::conflict, printable(name) + " is a file, not a folder"};
            return next.error();
        }
        parent.directory = std::move(*next);
    }
    parent.name = parts.back();
    return parent;
}

Result<void> remove_tree(int directory, const std::string& name) {
    const auto slash = name.rfind('/');
    const auto parent = slash == std::string::npos ? std::string(".") : name.substr(0, slash);
    const auto above = open_beneath(directory, parent, O_RDONLY | O_DIRECTORY);
    if (!above)
        return above.error();
    Deep deep{.directory = above->get()};
    auto removed = remove_below(directory, name, 0, deep);
    for (unsigned next = 0; removed && next < deep.names.size(); ++next) {
        if (next >= rounds_max)
            return Error{ErrorKind::unavailable, "the folder is nested too deeply to be removed"};
        removed = remove_below(above->get(), std::string(deep.names[next]), 0, deep);
    }
    return removed;
}

}  // namespace berth::store
