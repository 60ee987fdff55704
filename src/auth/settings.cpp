#include "auth/settings.hpp"

#include <algorithm>

namespace berth::auth {

const IssuerSettings* AuthSettings::find_url(std::string_view url) const {
    const auto at = std::ranges::find(issuers, url, &IssuerSettings::url);
    return at == issuers.end() ? nullptr : &*at;
}

const IssuerSettings* AuthSettings::find_name(std::string_view name) const {
    const auto at = std::ranges::find(issuers, name, &IssuerSettings::name);
    return at == issuers.end() ? nullptr : &*at;
}

}  // namespace berth::auth
