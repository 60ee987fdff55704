// A repository's manifest (.cvmfspublished) and whitelist (.cvmfswhitelist), and whether they can
// be believed.
//
// The chain: the site trusts a repository's master key; its whitelist, signed by that key, names
// certificates; the manifest is signed by one of them and names the root catalog. Formats as in
// CernVM-FS 2.12 manifest.cc and whitelist.cc. Pure functions of bytes and of the time.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "cache/content.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cache {

struct Manifest {
    ContentId root_catalog = {};
    ContentId certificate = {};
    std::optional<ContentId> history = {}, meta = {};
    std::string repository = {};
    std::uint64_t revision = 0;
    std::int64_t published_s = 0;  // since 1970; 0 = not given
    unsigned ttl_s = 0;
    std::string signed_hash = {};  // the line that the signature is over, as text
    std::string signature = {};
};
// Also checks that the hash line fits the text. Errors: invalid.
Result<Manifest> read_manifest(std::string_view bytes);

struct Whitelist {
    std::string repository = {};
    WallTime expires = {};
    std::vector<std::string> fingerprints = {};  // "AA:BB:...[-SHAKE128]", upper case
    std::string signed_hash = {};
    std::string signature = {};
};
// Errors: invalid.
Result<Whitelist> read_whitelist(std::string_view bytes);

// Whether one of `master_keys` (PEM) signed it, for this repository, and it has not expired.
// Errors: rejected; the sentence says what is wrong.
Result<void> check_whitelist(const Whitelist& whitelist, std::string_view repository,
                             const std::vector<std::string>& master_keys, WallTime now);

// Whether the certificate (the content object that the manifest names, as on the wire: PEM in
// zlib) is on the whitelist and signed the manifest. Errors: rejected.
Result<void> check_manifest(const Manifest& manifest, std::string_view repository,
                            std::string_view certificate_object, const Whitelist& whitelist);

// True if `next` must not follow `known`: revisions and times of publication never go back.
bool is_older(const Manifest& next, const Manifest& known);

}  // namespace berth::cache
