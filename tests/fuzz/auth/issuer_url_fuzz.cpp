// URLs of issuers and of their keys: who is asked must not depend on who reads the URL.
#include "auth/discovery.hpp"
#include "base/text.hpp"
#include "fuzz/require.hpp"

#include <cstdint>
#include <string>

using namespace berth;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto url = auth::parse_https_url(text);
    if (!url)
        return 0;
    require(!url->host.empty() && url->port != 0 && to_lower(url->host) == url->host);
    require(url->host.find_first_of("/@\\#? ") == std::string::npos);
    require(url->path.empty() || url->path.starts_with('/'));
    // Put together again, it names the same place.
    const auto again =
        auth::parse_https_url("https://" + url->host + ":" + std::to_string(url->port) + url->path);
    require(size > 2000 || (again && again->host == url->host && again->port == url->port &&
                            again->path == url->path));
    // The documents of an issuer are on its host.
    for (const auto& document : {auth::openid_metadata_url(text), auth::oauth_metadata_url(text)}) {
        const auto place = auth::parse_https_url(document);
        require(size > 1900 || (place && place->host == url->host && place->port == url->port));
    }
    return 0;
}
