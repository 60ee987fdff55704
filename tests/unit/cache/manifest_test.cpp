// The trust chain on repositories that the real server tools (CernVM-FS 2.12) have signed.
#include "cache/manifest.hpp"

#include "base/files.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

namespace berth::cache {
namespace {

const WallTime now = from_ms(1'800'000'000'000);

std::string data(const std::string& name) {
    auto text = read_file(std::string(BERTH_TEST_DATA) + "/data/" + name);
    EXPECT_TRUE(text) << name;
    return text ? *text : std::string();
}

struct Repository {
    explicit Repository(const std::string& name) : fqrn(name + ".example.org") {
        manifest = *read_manifest(data(name + ".published"));
        whitelist = *read_whitelist(data(name + ".whitelist"));
        certificate = data(name + ".certificate");
        keys = {data(name + ".pub")};
    }
    std::string fqrn, certificate;
    std::vector<std::string> keys;
    Manifest manifest;
    Whitelist whitelist;
};

TEST(Manifest, RealRepositoriesAreBelieved) {
    for (const auto* name : {"sw", "rmd160", "shake128"}) {
        const Repository repository(name);
        const auto listed =
            check_whitelist(repository.whitelist, repository.fqrn, repository.keys, now);
        EXPECT_TRUE(listed) << name << ": " << listed.error().message;
        const auto checked = check_manifest(repository.manifest, repository.fqrn,
                                            repository.certificate, repository.whitelist);
        EXPECT_TRUE(checked) << name << ": " << checked.error().message;
    }
}

TEST(Manifest, ItsLinesAreRead) {
    const auto manifest = read_manifest(data("sw.published"));
    ASSERT_TRUE(manifest);
    EXPECT_EQ(manifest->repository, "sw.example.org");
    EXPECT_EQ(manifest->root_catalog.text(), "b212d221a273dc7902a3a6284ec2ba4b8392667d");
    EXPECT_EQ(manifest->certificate.text(), "a0bb0bd709c55bdbaa866c9282615c3949221540");
    EXPECT_EQ(manifest->ttl_s, 240U);
    EXPECT_EQ(manifest->published_s, 1795425717);
    EXPECT_TRUE(manifest->history);
}

TEST(Manifest, AnEarlierRevisionIsOlder) {
    const auto first = read_manifest(data("sw.published.1"));
    const auto second = read_manifest(data("sw.published"));
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(is_older(*first, *second));
    EXPECT_FALSE(is_older(*second, *first));
    EXPECT_FALSE(is_older(*second, *second));
    auto published_before = *second;
    --published_before.published_s;
    EXPECT_TRUE(is_older(published_before, *second)) << "the same revision, made anew earlier";
}

// Whatever bit is changed: it is refused when it is read or when it is checked.
TEST(Manifest, NoChangedBitIsBelieved) {
    const Repository repository("sw");
    for (const auto* document : {"sw.published", "sw.whitelist"}) {
        const auto good = data(document);
        for (std::size_t i = 0; i < good.size(); ++i) {
            auto bad = good;
            bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
            if (document == std::string("sw.published")) {
                const auto manifest = read_manifest(bad);
                EXPECT_FALSE(manifest &&
                             check_manifest(*manifest, repository.fqrn, repository.certificate,
                                            repository.whitelist))
                    << "byte " << i;
            } else {
                const auto whitelist = read_whitelist(bad);
                EXPECT_FALSE(whitelist &&
                             check_whitelist(*whitelist, repository.fqrn, repository.keys, now))
                    << "byte " << i;
            }
        }
    }
}

TEST(Manifest, AnotherRepositorysDocumentsAreRefused) {
    const Repository sw("sw"), other("rmd160");
    EXPECT_EQ(check_whitelist(sw.whitelist, other.fqrn, sw.keys, now).error().kind,
              ErrorKind::rejected);
    EXPECT_FALSE(check_whitelist(sw.whitelist, sw.fqrn, other.keys, now));
    EXPECT_FALSE(check_whitelist(sw.whitelist, sw.fqrn, {}, now));
    EXPECT_FALSE(check_whitelist(sw.whitelist, sw.fqrn, {"no key"}, now));
    EXPECT_TRUE(check_whitelist(sw.whitelist, sw.fqrn, {other.keys[0], sw.keys[0]}, now));
    EXPECT_FALSE(check_manifest(sw.manifest, other.fqrn, sw.certificate, sw.whitelist));
    EXPECT_FALSE(check_manifest(sw.manifest, sw.fqrn, other.certificate, sw.whitelist));
    EXPECT_FALSE(check_manifest(sw.manifest, sw.fqrn, sw.certificate, other.whitelist));
}

TEST(Manifest, AnExpiredWhitelistIsRefusedAndSaysSince) {
    const Repository sw("sw");
    EXPECT_TRUE(check_whitelist(sw.whitelist, sw.fqrn, sw.keys,
                                sw.whitelist.expires - std::chrono::milliseconds(1)));
    const auto expired = check_whitelist(sw.whitelist, sw.fqrn, sw.keys, sw.whitelist.expires);
    ASSERT_FALSE(expired);
    EXPECT_NE(expired.error().message.find("2036-11-20"), std::string::npos)
        << expired.error().message;
}

// OpenSSL would ask for its password on the terminal, and the daemon would wait.
TEST(Manifest, AnEncryptedCertificateIsRefusedWithoutAQuestion) {
    Repository sw("sw");
    const std::string pem =
        "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
        "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
        "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n";
    std::string object(compressBound(pem.size()), '\0');
    auto length = object.size();
    compress(reinterpret_cast<Bytef*>(object.data()), &length,
             reinterpret_cast<const Bytef*>(pem.data()), pem.size());
    object.resize(length);
    sw.manifest.certificate = content_id_of(Algorithm::sha1, object);
    const auto checked = check_manifest(sw.manifest, sw.fqrn, object, sw.whitelist);
    EXPECT_EQ(checked.error().message, "the certificate cannot be read");
}

TEST(Manifest, DocumentsThatAreCutOffOrEmptyAreInvalid) {
    for (const auto* document : {"sw.published", "sw.whitelist"}) {
        const auto good = data(document);
        const auto text_end = good.find("--\n") + 3 + 41;  // after the hash line
        for (std::size_t length = 0; length <= text_end; ++length) {
            const auto cut = std::string_view(good).substr(0, length);
            EXPECT_FALSE(document == std::string("sw.published") ? bool(read_manifest(cut))
                                                                 : bool(read_whitelist(cut)))
                << document << " " << length;
        }
    }
    EXPECT_FALSE(read_manifest(std::string(1'000'000, 'A')));
}

}  // namespace
}  // namespace berth::cache
