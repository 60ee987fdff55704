#include "net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <ctime>
#include <string_view>

namespace berth::net {

namespace {

constexpr std::string_view session_context = "berth";

Error tls_error(const std::string& what) {
    char text[256] = "unknown cause";
    if (const auto code = ERR_get_error(); code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return Error{ErrorKind::invalid, what + ": " + text};
}

// A service has no terminal on which it could be asked for a pass phrase.
int no_pass_phrase(char*, int, int, void*) {
    return 0;
}

// Only HTTP/1.1 is spoken here: a client that offers other protocols alone is refused, which
// also stops cross-protocol attacks (RFC 7301, ALPACA).
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* offered, unsigned offered_length, void*) {
    static constexpr unsigned char ours[] = "\x08http/1.1";
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_length, ours, sizeof ours - 1, offered,
                              offered_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

bool set_protocol(SSL_CTX* context) {
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    // Read-ahead: one system call for a whole record. Released buffers: 1,000 idle sessions
    // would hold 34 MB otherwise.
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    // Tickets keep the state at the client; a cache here would grow with the clients.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
           SSL_CTX_set_session_id_context(
               context, reinterpret_cast<const unsigned char*>(session_context.data()),
               session_context.size()) == 1;
}

}  // namespace

Result<TlsContext> TlsContext::load(const std::string& certificate_file,
                                    const std::string& key_file) {
    ERR_clear_error();
    std::unique_ptr<SSL_CTX, TlsDeleter> context(SSL_CTX_new(TLS_server_method()));
    if (!context || !set_protocol(context.get()))
        return tls_error("set up TLS");
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1)
        return tls_error("load certificate " + certificate_file);
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return tls_error("load key " + key_file);
    if (SSL_CTX_check_private_key(context.get()) != 1)
        return tls_error("the key " + key_file + " does not fit the certificate");
    return TlsContext(std::move(context));
}

TlsSession TlsContext::accept(int fd) const {
    TlsSession session(SSL_new(context_.get()));
    if (session && SSL_set_fd(session.get(), fd) != 1)
        session.reset();
    if (session)
        SSL_set_accept_state(session.get());
    return session;
}

std::chrono::system_clock::time_point TlsContext::certificate_end() const {
    std::tm end{};
    const auto* certificate = SSL_CTX_get0_certificate(context_.get());
    if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
        return {};
    return std::chrono::system_clock::from_time_t(timegm(&end));
}

}  // namespace berth::net
