// A whitelist and master keys, between lines "====". What is believed is of this repository and
// has not expired, and no key means no belief.
#include "cache/manifest.hpp"

#include "fuzz/cache/documents.hpp"
#include "fuzz/require.hpp"

namespace {

using namespace berth::cache;
using berth::fuzz::require;

constexpr std::string_view fqrn = "sw.example.org";
const berth::WallTime now = berth::from_ms(1'800'000'000'000);

void check(std::string_view bytes, const std::vector<std::string>& keys) {
    const auto whitelist = read_whitelist(bytes);
    if (!whitelist) {
        require(!whitelist.error().message.empty());
        return;
    }
    require(bytes.find("\nN" + whitelist->repository + "\n") != bytes.npos);
    require(bytes.ends_with(whitelist->signature) && !whitelist->signature.empty());
    for (const auto& fingerprint : whitelist->fingerprints)
        require(fingerprint.size() >= 59 && fingerprint.find(' ') == fingerprint.npos);
    require(!check_whitelist(*whitelist, whitelist->repository, {}, now));
    const auto checked = check_whitelist(*whitelist, fqrn, keys, now);
    require(!checked || (whitelist->repository == fqrn && whitelist->expires > now));
    auto current = *whitelist;
    current.repository = fqrn;
    current.expires = now + std::chrono::hours(1);
    static_cast<void>(check_whitelist(current, fqrn, keys, now));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const auto documents = berth::fuzz::documents_of({reinterpret_cast<const char*>(data), size});
    const std::vector<std::string> keys(documents.begin() + 1, documents.end());
    check(documents[0], keys);
    check(berth::fuzz::with_hash(documents[0]), keys);
    return 0;
}
