#include "base/files.hpp"

#include "base/ids.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace berth {

namespace {

ErrorKind kind_of(int error_number) {
    switch (error_number) {
        case ENOENT:
        case ENOTDIR:
            return ErrorKind::not_found;
        case EEXIST:
            return ErrorKind::conflict;
        case EACCES:
        case EPERM:
        case ELOOP:
        case EXDEV:
            return ErrorKind::forbidden;
        case ENOSPC:
        case EDQUOT:
        case EROFS:
        case EIO:
        case ESTALE:
        case EMFILE:
        case ENFILE:
            return ErrorKind::unavailable;
        default:
            return ErrorKind::internal;
    }
}

}  // namespace

Descriptor::~Descriptor() {
    if (fd_ >= 0)
        ::close(fd_);
}

Error system_error(std::string_view what, int error_number) {
    return Error{kind_of(error_number),
                 std::string(what) + ": " + std::generic_category().message(error_number)};
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        return system_error("open " + path, errno);
    std::string content;
    char buffer[65536];
    for (;;) {
        const auto got = ::read(file.get(), buffer, sizeof buffer);
        if (got == 0)
            return content;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return system_error("read " + path, errno);
        content.append(buffer, static_cast<std::size_t>(got));
        if (content.size() > most)
            return Error{ErrorKind::too_large,
                         path + " is larger than " + std::to_string(most) + " bytes"};
    }
}

Result<void> write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const auto wrote = ::write(fd, content.data(), content.size());
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return system_error("write", errno);
        content.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
}

Result<void> replace_file(const std::string& path, std::string_view content, unsigned mode) {
    const auto slash = path.rfind('/');
    const auto folder = slash == std::string::npos ? std::string(".") : path.substr(0, slash + 1);
    const auto temporary = path + "." + random_base32(8);
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file)
        return system_error("create " + temporary, errno);
    auto written = write_all(file.get(), content);
    if (written && ::fsync(file.get()) != 0)
        written = system_error("fsync " + temporary, errno);
    if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
        written = system_error("rename to " + path, errno);
    if (!written) {
        ::unlink(temporary.c_str());
        return std::move(written.error()).within(path);
    }
    const Descriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent || ::fsync(parent.get()) != 0)
        return system_error("fsync " + folder, errno);
    return {};
}

}  // namespace berth
