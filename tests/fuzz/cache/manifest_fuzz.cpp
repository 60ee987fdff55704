// A manifest, the certificate object that it names and a whitelist, between lines "====". What is
// read has the parts without which it is useless, and what is believed is of this repository.
#include "cache/manifest.hpp"

#include "fuzz/cache/documents.hpp"
#include "fuzz/require.hpp"

namespace {

using namespace berth::cache;
using berth::fuzz::require;

constexpr std::string_view fqrn = "sw.example.org";

void check(std::string_view bytes, std::string_view certificate, const Whitelist& whitelist) {
    const auto manifest = read_manifest(bytes);
    if (!manifest) {
        require(!manifest.error().message.empty());
        return;
    }
    require(bytes.find("\nN" + manifest->repository + "\n") != bytes.npos ||
            bytes.starts_with("N" + manifest->repository + "\n"));
    require(bytes.find(manifest->root_catalog.text()) != bytes.npos);
    require(bytes.ends_with(manifest->signature) && !manifest->signature.empty());
    require(content_id_from(manifest->signed_hash).has_value());
    require(!is_older(*manifest, *manifest));
    const auto checked = check_manifest(*manifest, fqrn, certificate, whitelist);
    require(!checked || (manifest->repository == fqrn && !whitelist.fingerprints.empty()));
    // With the right certificate the rest of the way is walked, too.
    auto named = *manifest;
    named.repository = fqrn;
    named.certificate = content_id_of(named.certificate.algorithm, certificate);
    static_cast<void>(check_manifest(named, fqrn, certificate, whitelist));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const auto documents = berth::fuzz::documents_of({reinterpret_cast<const char*>(data), size});
    const auto certificate = documents.size() > 1 ? documents[1] : std::string_view();
    const auto whitelist =
        documents.size() > 2 ? read_whitelist(documents[2]) : berth::Result<Whitelist>(Whitelist());
    check(documents[0], certificate, whitelist ? *whitelist : Whitelist());
    check(berth::fuzz::with_hash(documents[0]), certificate, whitelist ? *whitelist : Whitelist());
    return 0;
}
