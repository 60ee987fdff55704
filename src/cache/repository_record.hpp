// What outlives a restart of a repository: the last good manifest with what vouches for it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth::cache {

struct RepositoryRecord {
    std::string manifest = {}, whitelist = {};
    std::string certificate = {};  // the content object, PEM in zlib
};

// "berth repository 1\n", then each part as its length in decimal, "\n" and its bytes.
std::string encode(const RepositoryRecord& record);
// Nothing when the text is not whole.
std::optional<RepositoryRecord> decode_repository(std::string_view text);

}  // namespace berth::cache
