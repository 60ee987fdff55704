#include "auth/authenticator.hpp"

#include "auth/digest.hpp"
#include "auth/reason.hpp"
#include "auth/token.hpp"
#include "auth/verifier.hpp"

namespace berth::auth {

namespace asio = boost::asio;

namespace {

Check failed(const Error& error) {
    for (const auto& reason : all_reasons())
        if (reason.code == error.field)
            return {std::string(reason.check), false, error.message};
    return {"other", false, error.message};
}

Check passed(Reason reason, std::string detail) {
    return {std::string(text_of(reason).check), true, std::move(detail)};
}

Result<void> check_key(const Token& token, const PublicKey& key) {
    if (key.algorithm != token.algorithm)
        return refuse(Reason::algorithm);
    if (!verify_signature(key, token.signed_text, token.signature))
        return refuse(Reason::bad_signature);
    return {};
}

}  // namespace

Authenticator::Authenticator(asio::io_context& loop, asio::thread_pool& disk, KeyFetcher& fetcher,
                             const Clock& clock, Metrics& metrics, AuthSettings settings)
    : clock_(clock),
      metrics_(metrics),
      settings_(std::make_shared<const AuthSettings>(std::move(settings))),
      keys_(loop, disk, fetcher, clock, metrics) {
    metrics_.describe("berth_auth_tokens_total", "Tokens judged, by result.");
    keys_.configure(settings_->issuers, settings_->keys);
}

Authenticator::~Authenticator() = default;

void Authenticator::start() {
    keys_.start();
}

asio::awaitable<void> Authenticator::stop() {
    co_await keys_.stop();
}

void Authenticator::reload(AuthSettings settings) {
    settings_ = std::make_shared<const AuthSettings>(std::move(settings));
    remembered_.clear();
    uses_.clear();
    keys_.configure(settings_->issuers, settings_->keys);
    keys_.refresh_due();
}

void Authenticator::flush_keys(std::string_view issuer_name) {
    keys_.flush(issuer_name);
}

Async<Identity> Authenticator::authenticate(std::string token) {
    auto identity = co_await verify(std::move(token));
    const std::string_view result = identity ? "ok" : std::string_view(identity.error().field);
    metrics_.add("berth_auth_tokens_total", {{"result", result}});
    co_return identity;
}

// What can be said without a key.
Result<Token> Authenticator::open(const std::string& text) const {
    auto token = read_token(text);
    if (!token)
        return token;
    const auto* issuer = settings_->find_url(issuer_of(token->claims));
    if (issuer == nullptr)
        return refuse(Reason::unknown_issuer);
    if (auto typed = check_type(*token, issuer->profile); !typed)
        return typed.error();
    return token;
}

Async<Identity> Authenticator::verify(std::string text) {
    if (text.size() > token_bytes_max)
        co_return refuse(Reason::too_large);
    const auto digest = sha256(text);
    if (auto known = recall(digest))
        co_return std::move(*known);
    const auto token = open(text);
    if (!token)
        co_return token.error();
    const auto name = settings_->find_url(issuer_of(token->claims))->name;
    const auto key = co_await keys_.find(name, token->kid);
    if (!key)
        co_return key.error();
    co_return conclude(text, *token, *key);
}

// After a wait: under the settings of now, which may be others than before it.
Result<Identity> Authenticator::conclude(const std::string& text, const Token& token,
                                         const PublicKey& key) {
    const auto settings = settings_;
    const auto* issuer = settings->find_url(issuer_of(token.claims));
    if (issuer == nullptr)
        return refuse(Reason::unknown_issuer);
    // The key must be this issuer's under these settings too.
    const auto* current = keys_.peek(issuer->name, token.kid);
    if (current == nullptr || current->fingerprint != key.fingerprint)
        return refuse(Reason::unknown_key);
    if (auto good = check_key(token, key); !good)
        return good.error();
    const auto claims = read_claims(token.claims);
    if (!claims)
        return claims.error();
    auto identity = judge({token, *claims, *issuer, *settings, clock_.wall()}, text);
    if (identity)
        remember(sha256(text), *identity, claims->not_before.value_or(identity->issued),
                 key.fingerprint);
    return identity;
}

std::optional<Identity> Authenticator::recall(const std::string& digest) {
    const auto at = remembered_.find(digest);
    if (at == remembered_.end())
        return std::nullopt;
    auto& memory = at->second;
    const auto& identity = memory.identity;
    const auto* issuer = settings_->find_url(identity.issuer);
    const auto* key = keys_.peek(identity.issuer_name, identity.kid);
    const bool good =
        issuer != nullptr && key != nullptr && key->fingerprint == memory.fingerprint &&
        judge_again(identity, memory.not_before, *issuer, *settings_, clock_.wall()).has_value();
    if (!good) {
        // The slow path finds the words for the refusal.
        uses_.erase(memory.use);
        remembered_.erase(at);
        return std::nullopt;
    }
    uses_.splice(uses_.end(), uses_, memory.use);
    return identity;
}

void Authenticator::remember(const std::string& digest, Identity identity, WallTime not_before,
                             std::string fingerprint) {
    if (settings_->token_cache_max == 0 || remembered_.contains(digest))
        return;
    while (remembered_.size() >= settings_->token_cache_max) {
        remembered_.erase(uses_.front());
        uses_.pop_front();
    }
    const auto use = uses_.insert(uses_.end(), digest);
    remembered_.emplace(digest,
                        Memory{std::move(identity), not_before, std::move(fingerprint), use});
}

asio::awaitable<Explanation> Authenticator::explain(std::string text) {
    Explanation explanation;
    const auto token = read_token(text);
    if (!token) {
        explanation.checks.push_back(failed(token.error()));
        explanation.error = token.error();
        co_return explanation;
    }
    explanation.header = token->header.dump(2);
    explanation.claims = token->claims.dump(2);
    explanation.checks.push_back(passed(Reason::malformed, std::to_string(text.size()) + " bytes"));
    explanation.checks.push_back(
        passed(Reason::algorithm, std::string(to_string(token->algorithm))));
    explanation.checks.push_back(passed(Reason::key_id, token->kid));
    co_await explain_open(explanation, *token);
    auto identity = co_await verify(std::move(text));
    explanation.accepted = identity.has_value();
    if (identity)
        explanation.identity = std::move(*identity);
    else
        explanation.error = identity.error();
    co_return explanation;
}

asio::awaitable<void> Authenticator::explain_open(Explanation& explanation, const Token& token) {
    auto& checks = explanation.checks;
    const auto settings = settings_;
    const auto* issuer = settings->find_url(issuer_of(token.claims));
    if (issuer == nullptr) {
        checks.push_back(failed(refuse(Reason::unknown_issuer, issuer_of(token.claims))));
        co_return;
    }
    checks.push_back(passed(Reason::unknown_issuer, issuer->name));
    const auto key = co_await keys_.find(issuer->name, token.kid);
    if (!key) {
        checks.push_back(failed(key.error()));
    } else {
        checks.push_back(passed(Reason::unknown_key, "SHA-256 " + key->fingerprint));
        const auto good = check_key(token, *key);
        checks.push_back(good ? passed(Reason::bad_signature, {}) : failed(good.error()));
    }
    const auto claims = read_claims(token.claims);
    if (!claims) {
        checks.push_back(failed(claims.error()));
        co_return;
    }
    for (auto& check : explain_rules({token, *claims, *issuer, *settings, clock_.wall()}))
        checks.push_back(std::move(check));
}

}  // namespace berth::auth
