// Files with the errors and the durability that a service needs.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace berth {

// Owns one file descriptor.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor();

    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_ = -1;
};

// The Error for a failed system call: "what: strerror". ENOENT is not_found, EEXIST conflict,
// ENOSPC, EDQUOT, EROFS, EIO unavailable, EACCES and EPERM forbidden, anything else internal.
Error system_error(std::string_view what, int error_number);

// Errors: too_large when the file has more than `most` bytes.
Result<std::string> read_file(const std::string& path, std::size_t most = 16U << 20U);

// Replaces `path` as a whole: a temporary file beside it, fsync, rename, fsync of the folder.
// Readers see the old content or the new, never a part.
Result<void> replace_file(const std::string& path, std::string_view content, unsigned mode = 0600);

Result<void> write_all(int fd, std::string_view content);

}  // namespace berth
