// Key sets on disk: the file of an issuer, the last good sets of this gateway, and the WLCG
// system JWKS cache. The functions block; the key cache calls them on a pool.
#pragma once

#include "auth/discovery.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace berth::auth {

// Tells whether a file is still the one that was read.
struct FileStamp {
    std::int64_t modified_ns = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    bool operator==(const FileStamp&) const = default;
};

struct FileReading {
    FileStamp stamp = {};
    bool changed = false;  // `text` was read because the file is not that of `known`
    std::string text = {};
};
// The configured JWK set of an issuer.
Result<FileReading> read_keys_file(std::string path, FileStamp known);

// A file that only this user or root may have written: no symbolic link, a regular file, not
// writable by group or others, at most 4 MiB.
// Errors: forbidden when it is not such a file.
Result<std::string> read_trusted_file(const std::string& path);

// The last good set of `issuer`, as save_keys() wrote it.
Result<CachedKeys> load_saved_keys(std::string directory, std::string issuer);
Result<void> save_keys(std::string directory, std::string issuer, CachedKeys keys);

// The first unexpired set of `issuer` in `places`; one that ends with '/' is a folder in which
// the file's name is the SHA-256 of the issuer in hex.
Result<CachedKeys> load_system_keys(std::vector<std::string> places, std::string issuer,
                                    WallTime now);

}  // namespace berth::auth
