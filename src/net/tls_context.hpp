// The server's side of TLS: certificate, key and protocol settings.
#pragma once

#include "base/result.hpp"

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <string>

namespace berth::net {

struct TlsDeleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* session) const { SSL_free(session); }
};
using TlsSession = std::unique_ptr<SSL, TlsDeleter>;

class TlsContext {
public:
    // Errors: invalid (a file is missing, ill-formed, encrypted, or the key does not fit).
    static Result<TlsContext> load(const std::string& certificate_file,
                                   const std::string& key_file);

    // A session for one accepted socket; it keeps the context's certificate alive.
    TlsSession accept(int fd) const;
    std::chrono::system_clock::time_point certificate_end() const;

private:
    explicit TlsContext(std::unique_ptr<SSL_CTX, TlsDeleter> context)
        : context_(std::move(context)) {}

    std::unique_ptr<SSL_CTX, TlsDeleter> context_;
};

}  // namespace berth::net
