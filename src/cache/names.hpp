// What a request asks for, from its path alone.
#pragma once

#include "cache/content.hpp"

#include <string>
#include <string_view>

namespace berth::cache {

enum class Kind {
    content,    // /cvmfs/FQRN/data/XX/..., named by its hash
    manifest,   // /cvmfs/FQRN/.cvmfspublished
    whitelist,  // /cvmfs/FQRN/.cvmfswhitelist
    other,      // anything else: cached by its URL, as HTTP says
};

struct ObjectName {
    Kind kind = Kind::other;
    std::string repository = {};  // of /cvmfs/FQRN/...; "" elsewhere
    ContentId content = {};       // kind content
    char letter = 0;  // of a content object: 0 file, C catalog, P chunk, X certificate...
};

// `path` is percent-decoded and begins with '/'. A server may have its repositories below another
// folder than /cvmfs; what counts is the end "/FQRN/data/XX/..." or "/FQRN/.cvmfs...".
ObjectName name_of(std::string_view path);

}  // namespace berth::cache
