#include "auth/key_files.hpp"

#include "auth/digest.hpp"
#include "auth/keys.hpp"
#include "base/files.hpp"
#include "base/log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace berth::auth {

namespace {

constexpr std::size_t file_bytes_max = 4U << 20U;

std::string saved_path(const std::string& directory, const std::string& issuer) {
    return directory + "/" + sha256_hex(issuer) + ".json";
}

}  // namespace

Result<FileReading> read_keys_file(std::string path, FileStamp known) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        return system_error("read the keys file " + path, errno);
    FileReading reading;
    reading.stamp = {status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec, status.st_ino,
                     static_cast<std::uint64_t>(status.st_size)};
    if (reading.stamp == known)
        return reading;
    auto text = read_file(path, jwks_bytes_max);
    if (!text)
        return text.error();
    reading.changed = true;
    reading.text = std::move(*text);
    return reading;
}

Result<std::string> read_trusted_file(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!file)
        return system_error("open " + path, errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0)
        return system_error("stat " + path, errno);
    if (!S_ISREG(status.st_mode) || (status.st_uid != ::geteuid() && status.st_uid != 0) ||
        (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return Error{ErrorKind::forbidden,
                     path + " is not a file that only this user or root can write"};
    // By descriptor: what was checked is what is read.
    return read_file("/proc/self/fd/" + std::to_string(file.get()), file_bytes_max);
}

Result<CachedKeys> load_saved_keys(std::string directory, std::string issuer) {
    const auto text = read_trusted_file(saved_path(directory, issuer));
    if (!text)
        return text.error();
    return read_cache_file(*text, issuer);
}

Result<void> save_keys(std::string directory, std::string issuer, CachedKeys keys) {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error("make " + directory, errno);
    return replace_file(saved_path(directory, issuer), write_cache_file(issuer, keys));
}

Result<CachedKeys> load_system_keys(std::vector<std::string> places, std::string issuer,
                                    WallTime now) {
    for (const auto& place : places) {
        const auto path = place.ends_with('/') ? place + sha256_hex(issuer) : place;
        const auto text = read_trusted_file(path);
        if (!text) {
            if (text.error().kind != ErrorKind::not_found)
                log::warning("system_key_cache_refused", {{"error", text.error().message}});
            continue;
        }
        auto keys = read_cache_file(*text, issuer);
        if (keys && keys->expires > now)
            return keys;
    }
    return Error{ErrorKind::not_found, "the system JWKS cache does not have this issuer"};
}

}  // namespace berth::auth
