#include "cache/manifest.hpp"

#include "base/text.hpp"
#include "cache/inflate.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <memory>

namespace berth::cache {

namespace {

constexpr std::size_t document_bytes_max = 256U << 10U;
constexpr std::size_t certificate_bytes_max = 64U << 10U;
constexpr std::size_t signature_bytes_max = 4096;

template <auto Free>
struct Freer {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Pkey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;

const unsigned char* as_bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Error damaged(std::string_view what) {
    return {ErrorKind::invalid, std::string(what)};
}

// The common form of both documents: lines, "--", the hash of the lines as text, the signature.
struct Signed {
    std::vector<std::string_view> lines;
    std::string_view text;  // what was hashed: the lines with their ends
    std::string_view hash_line, signature;
};

Result<Signed> split(std::string_view bytes) {
    if (bytes.size() > document_bytes_max)
        return damaged("the document is too large");
    Signed parts;
    auto rest = bytes;
    for (;;) {
        const auto end = rest.find('\n');
        if (end == std::string_view::npos)
            return damaged("the document has no signature");
        const auto line = rest.substr(0, end);
        if (line == "--") {
            parts.text = bytes.substr(0, bytes.size() - rest.size());
            rest.remove_prefix(end + 1);
            break;
        }
        parts.lines.push_back(line);
        rest.remove_prefix(end + 1);
    }
    const auto end = rest.find('\n');
    if (end == std::string_view::npos)
        return damaged("the document has no hash before its signature");
    parts.hash_line = rest.substr(0, end);
    parts.signature = rest.substr(end + 1);
    if (parts.signature.empty() || parts.signature.size() > signature_bytes_max)
        return damaged("the signature is missing or too long");
    const auto hash = content_id_from(parts.hash_line);
    if (!hash || *hash != content_id_of(hash->algorithm, parts.text))
        return damaged("the hash line does not fit the text");
    return parts;
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

bool read_optional_id(std::string_view text, std::optional<ContentId>& id) {
    id = content_id_from(text);
    return id.has_value();
}

bool take_line(std::string_view line, Manifest& manifest, std::string& seen) {
    const char key = line.front();
    const auto value = line.substr(1);
    if (key != 'Z' && seen.find(key) != std::string::npos)
        return false;  // two values could be read in two ways
    seen += key;
    std::optional<ContentId> id;
    switch (key) {
        case 'C':
            return read_optional_id(value, id) && (manifest.root_catalog = *id, true);
        case 'X':
            return read_optional_id(value, id) && (manifest.certificate = *id, true);
        case 'H':
            return read_optional_id(value, manifest.history);
        case 'M':
            return read_optional_id(value, manifest.meta);
        case 'N':
            manifest.repository = value;
            return true;
        case 'S':
            return read_number(value, manifest.revision);
        case 'T':
            return read_number(value, manifest.published_s);
        case 'D':
            return read_number(value, manifest.ttl_s);
        default:
            return true;  // B, R, G, A, Y, L, Z and letters of later versions
    }
}

bool is_fingerprint(std::string_view text) {
    return text.size() >= 59 && std::ranges::all_of(text.substr(0, 59), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || c == ':';
           });
}

// "E20361120092124": UTC.
std::optional<WallTime> read_time(std::string_view text) {
    std::tm parts{};
    if (text.size() != 14 || !read_number(text.substr(0, 4), parts.tm_year) ||
        !read_number(text.substr(4, 2), parts.tm_mon) ||
        !read_number(text.substr(6, 2), parts.tm_mday) ||
        !read_number(text.substr(8, 2), parts.tm_hour) ||
        !read_number(text.substr(10, 2), parts.tm_min) ||
        !read_number(text.substr(12, 2), parts.tm_sec))
        return std::nullopt;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return from_ms(static_cast<std::int64_t>(::timegm(&parts)) * 1000);
}

// The whitelist's signature has the bare text inside the PKCS #1 block, without DigestInfo.
bool signed_plainly(EVP_PKEY* key, std::string_view text, std::string_view signature) {
    const KeyContext context(EVP_PKEY_CTX_new(key, nullptr));
    if (!context || EVP_PKEY_verify_recover_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1)
        return false;
    std::string recovered(static_cast<std::size_t>(EVP_PKEY_get_size(key)), '\0');
    auto length = recovered.size();
    if (EVP_PKEY_verify_recover(context.get(), reinterpret_cast<unsigned char*>(recovered.data()),
                                &length, as_bytes(signature), signature.size()) != 1)
        return false;
    recovered.resize(length);
    return recovered == text;
}

bool signed_with_sha1(EVP_PKEY* key, std::string_view text, std::string_view signature) {
    const DigestContext context(EVP_MD_CTX_new());
    return context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha1(), nullptr, key) == 1 &&
           EVP_DigestVerify(context.get(), as_bytes(signature), signature.size(), as_bytes(text),
                            text.size()) == 1;
}

// As whitelists write it: the hash of the DER form.
std::string fingerprint_of(X509* certificate, Algorithm algorithm) {
    unsigned char* der = nullptr;
    const int length = i2d_X509(certificate, &der);
    if (length <= 0)
        return {};
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(
        der, [](unsigned char* bytes) { OPENSSL_free(bytes); });
    const auto id = content_id_of(
        algorithm, {reinterpret_cast<const char*>(der), static_cast<std::size_t>(length)});
    std::string text;
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (const auto byte : id.digest) {
        if (!text.empty())
            text += ':';
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    for (const char c : suffix_of(algorithm))
        text += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
}

bool is_listed(X509* certificate, const Whitelist& whitelist) {
    for (const auto algorithm : {Algorithm::sha1, Algorithm::rmd160, Algorithm::shake128}) {
        const auto wanted = fingerprint_of(certificate, algorithm);
        if (!wanted.empty() &&
            std::ranges::find(whitelist.fingerprints, wanted) != whitelist.fingerprints.end())
            return true;
    }
    return false;
}

// Without it OpenSSL would ask on the terminal when a text says that it is encrypted.
int no_password(char*, int, int, void*) {
    return -1;
}

Error refused(std::string_view what) {
    return {ErrorKind::rejected, std::string(what)};
}

}  // namespace

Result<Manifest> read_manifest(std::string_view bytes) {
    auto parts = split(bytes);
    if (!parts)
        return std::move(parts.error()).within("manifest");
    Manifest manifest;
    std::string seen;
    for (const auto line : parts->lines)
        if (line.empty() || !take_line(line, manifest, seen))
            return damaged("manifest: a line cannot be read: " + printable(line, 80));
    for (const char needed : std::string_view("CSN"))
        if (seen.find(needed) == std::string::npos)
            return damaged(std::string("manifest: the line ") + needed + " is missing");
    manifest.signed_hash = parts->hash_line;
    manifest.signature = parts->signature;
    return manifest;
}

Result<Whitelist> read_whitelist(std::string_view bytes) {
    auto parts = split(bytes);
    if (!parts)
        return std::move(parts.error()).within("whitelist");
    const auto& lines = parts->lines;
    if (lines.size() < 3 || lines[0].size() != 14 || lines[1].empty() || lines[1][0] != 'E' ||
        lines[2].empty() || lines[2][0] != 'N')
        return damaged("whitelist: it does not begin with its times and its repository");
    Whitelist whitelist;
    const auto expires = read_time(lines[1].substr(1));
    if (!expires)
        return damaged("whitelist: the line E has no time");
    whitelist.expires = *expires;
    whitelist.repository = lines[2].substr(1);
    for (std::size_t i = 3; i < lines.size(); ++i) {
        const auto word = lines[i].substr(0, lines[i].find(' '));
        if (is_fingerprint(word))
            whitelist.fingerprints.emplace_back(word);
    }
    whitelist.signed_hash = parts->hash_line;
    whitelist.signature = parts->signature;
    return whitelist;
}

Result<void> check_whitelist(const Whitelist& whitelist, std::string_view repository,
                             const std::vector<std::string>& master_keys, WallTime now) {
    if (whitelist.repository != repository)
        return refused("the whitelist is of " + printable(whitelist.repository, 100));
    if (whitelist.expires <= now)
        return refused("the whitelist has expired on " + to_rfc3339(whitelist.expires));
    for (const auto& pem : master_keys) {
        const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
        const Pkey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr));
        if (key && signed_plainly(key.get(), whitelist.signed_hash, whitelist.signature))
            return {};
    }
    return refused("the whitelist is not signed by a key that is configured for the repository");
}

Result<void> check_manifest(const Manifest& manifest, std::string_view repository,
                            std::string_view certificate_object, const Whitelist& whitelist) {
    if (manifest.repository != repository)
        return refused("the manifest is of " + printable(manifest.repository, 100));
    if (content_id_of(manifest.certificate.algorithm, certificate_object) != manifest.certificate)
        return refused("the certificate is not the one that the manifest names");
    const auto pem = inflate(certificate_object, certificate_bytes_max);
    if (!pem)
        return refused("the certificate cannot be unpacked");
    const Bio bio(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())));
    const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
    if (!certificate)
        return refused("the certificate cannot be read");
    if (!is_listed(certificate.get(), whitelist))
        return refused("the certificate of the manifest is not on the whitelist");
    auto* key = X509_get0_pubkey(certificate.get());
    if (key == nullptr || !signed_with_sha1(key, manifest.signed_hash, manifest.signature))
        return refused("the manifest is not signed by its certificate");
    return {};
}

bool is_older(const Manifest& next, const Manifest& known) {
    if (next.revision != known.revision)
        return next.revision < known.revision;
    return next.published_s < known.published_s;
}

}  // namespace berth::cache
