// The documents of token issuers, over net::Fetcher.
#pragma once

#include "auth/key_cache.hpp"
#include "net/fetch.hpp"

namespace berth::transfers {

// Lifetime: the fetcher must outlive it.
class KeyFetcher final : public auth::KeyFetcher {
public:
    explicit KeyFetcher(net::Fetcher& fetcher) : fetcher_(fetcher) {}

    // Errors: not_found for 404; rejected for any other status but 200 and for a content type
    // that no key set is served with; else those of net::Fetcher::get().
    Async<std::string> fetch(std::string url, auth::FetchRules rules) override;

private:
    net::Fetcher& fetcher_;
};

}  // namespace berth::transfers
