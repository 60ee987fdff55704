// From a bearer token to an identity: the one place where tokens are judged.
//
// Nothing is asked of any server before the issuer is found in the configuration. A token that
// was good is remembered by its SHA-256, so that its signature is not checked again; its times,
// the ban list and the presence of its key are.
//
// Threads: one loop. Lifetime: stop() must end before it dies.
#pragma once

#include "auth/identity.hpp"
#include "auth/key_cache.hpp"
#include "auth/reason.hpp"
#include "auth/settings.hpp"
#include "base/async.hpp"
#include "base/metrics.hpp"

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace berth::auth {

struct Token;

// What `berthctl token inspect` shows. Never the signature.
struct Explanation {
    std::vector<Check> checks;  // in the order in which they are made
    bool accepted = false;
    std::optional<Error> error = {};        // of authenticate(), when not accepted
    std::optional<Identity> identity = {};  // when accepted
    std::string header = {};                // JSON text, when the token could be read
    std::string claims = {};
};

class Authenticator {
public:
    Authenticator(boost::asio::io_context& loop, boost::asio::thread_pool& disk,
                  KeyFetcher& fetcher, const Clock& clock, Metrics& metrics, AuthSettings settings);
    ~Authenticator();
    Authenticator(const Authenticator&) = delete;
    Authenticator& operator=(const Authenticator&) = delete;

    // Begins to fetch and refresh keys.
    void start();
    boost::asio::awaitable<void> stop();
    // New settings for every judgement that ends after this call; forgets all good tokens.
    void reload(AuthSettings settings);

    // Errors: unauthorized, `field` is a code of auth/reason.hpp; unavailable with retry_after_s
    // while the issuer's keys cannot be had.
    Async<Identity> authenticate(std::string token);
    boost::asio::awaitable<Explanation> explain(std::string token);

    // Asks the issuer for its keys again at once ("" = all of them).
    void flush_keys(std::string_view issuer_name);
    std::vector<IssuerHealth> health() const { return keys_.health(); }
    std::size_t remembered() const { return remembered_.size(); }

private:
    struct Memory {
        Identity identity;
        WallTime not_before;
        std::string fingerprint;  // of the key
        std::list<std::string>::iterator use;
    };

    Result<Token> open(const std::string& text) const;
    Async<Identity> verify(std::string text);
    Result<Identity> conclude(const std::string& text, const Token& token, const PublicKey& key);
    std::optional<Identity> recall(const std::string& digest);
    void remember(const std::string& digest, Identity identity, WallTime not_before,
                  std::string fingerprint);
    boost::asio::awaitable<void> explain_open(Explanation& explanation, const Token& token);

    const Clock& clock_;
    Metrics& metrics_;
    std::shared_ptr<const AuthSettings> settings_;
    KeyCache keys_;
    std::unordered_map<std::string, Memory> remembered_;  // by SHA-256 of the token
    std::list<std::string> uses_;                         // least recent first
};

}  // namespace berth::auth
