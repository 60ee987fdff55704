// A plain or TLS client that says exactly the bytes that a test wants, with blocking calls and
// a time limit of 10 s on each.
#pragma once

#include "base/files.hpp"

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace berth::test {

struct Answer {
    int status = 0;                             // 0: the connection ended before a whole head
    std::map<std::string, std::string> fields;  // names in lower case
    std::string body;
    bool whole = false;  // the body ended as its framing says
};

class Client {
public:
    explicit Client(unsigned short port, bool tls = false);
    explicit Client(const std::string& unix_path);

    void send(std::string_view text);
    // One response. `head_only`: the answer to HEAD.
    Answer receive(bool head_only = false);
    Answer ask(std::string_view text, bool head_only = false);
    // At least one byte more, or what is buffered; "" at the end of the stream.
    std::string receive_some();
    std::string receive_to_end();
    bool at_end();  // waits for the server's close
    void shutdown_send();
    bool is_resumed() const { return SSL_session_reused(tls_.get()) == 1; }
    std::string alpn() const;
    // Subject of the certificate that the server showed.
    std::string certificate_name() const;
    int fd() const { return socket_.get(); }
    bool is_connected() const { return connected_; }

private:
    struct Deleter {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
        void operator()(SSL* session) const { SSL_free(session); }
    };

    bool fill();
    std::string line();
    std::string take(std::size_t count);
    bool read_chunks(std::string& body);

    Descriptor socket_;
    std::unique_ptr<SSL_CTX, Deleter> context_;
    std::unique_ptr<SSL, Deleter> tls_;
    std::string buffer_;
    bool connected_ = false;
    bool ended_ = false;
};

}  // namespace berth::test
