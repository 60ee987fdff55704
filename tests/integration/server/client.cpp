#include "integration/server/client.hpp"

#include "base/text.hpp"

#include <openssl/x509.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cstring>

namespace berth::test {

namespace {

void limit_time(int fd) {
    const timeval limit{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

}  // namespace

Client::Client(unsigned short port, bool tls) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    limit_time(fd());
    connected_ = ::connect(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!tls || !connected_)
        return;
    context_.reset(SSL_CTX_new(TLS_client_method()));
    tls_.reset(SSL_new(context_.get()));
    static constexpr unsigned char protocols[] = "\x08http/1.1";
    SSL_set_alpn_protos(tls_.get(), protocols, sizeof protocols - 1);
    SSL_set_fd(tls_.get(), fd());
    connected_ = SSL_connect(tls_.get()) == 1;
}

Client::Client(const std::string& unix_path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_path.c_str(), sizeof address.sun_path - 1);
    limit_time(fd());
    connected_ = ::connect(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void Client::send(std::string_view text) {
    while (!text.empty()) {
        const auto sent = tls_ ? SSL_write(tls_.get(), text.data(), static_cast<int>(text.size()))
                               : ::send(fd(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            return;  // the server has closed; what it said before can still be read
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

bool Client::fill() {
    char data[65536];
    const auto got =
        tls_ ? SSL_read(tls_.get(), data, sizeof data) : ::recv(fd(), data, sizeof data, 0);
    if (got > 0)
        buffer_.append(data, static_cast<std::size_t>(got));
    else
        ended_ = true;
    return got > 0;
}

std::string Client::line() {
    for (;;) {
        const auto end = buffer_.find("\r\n");
        if (end != std::string::npos) {
            auto text = buffer_.substr(0, end);
            buffer_.erase(0, end + 2);
            return text;
        }
        if (!fill())
            return {};
    }
}

std::string Client::take(std::size_t count) {
    while (buffer_.size() < count && fill()) {
    }
    auto text = buffer_.substr(0, count);
    buffer_.erase(0, text.size());
    return text;
}

bool Client::read_chunks(std::string& body) {
    for (;;) {
        const auto size = std::strtoul(line().c_str(), nullptr, 16);
        body += take(size);
        if (ended_)
            return false;
        if (!line().empty())
            return false;
        if (size == 0)
            return !ended_;
    }
}

Answer Client::receive(bool head_only) {
    Answer answer;
    const auto status = line();
    if (!status.starts_with("HTTP/1.1 "))
        return answer;
    for (auto text = line(); !text.empty(); text = line()) {
        const auto colon = text.find(':');
        answer.fields[to_lower(text.substr(0, colon))] = trim(text.substr(colon + 1));
    }
    answer.status = to_number<int>(status.substr(9, 3)).value_or(0);
    if (head_only || answer.status < 200 || answer.status == 204 || answer.status == 304) {
        answer.whole = true;
    } else if (answer.fields.contains("transfer-encoding")) {
        answer.whole = read_chunks(answer.body);
    } else if (answer.fields.contains("content-length")) {
        const auto length = to_number<std::size_t>(answer.fields["content-length"]).value_or(0);
        answer.body = take(length);
        answer.whole = answer.body.size() == length;
    } else {
        answer.body = receive_to_end();
        answer.whole = true;
    }
    return answer;
}

Answer Client::ask(std::string_view text, bool head_only) {
    send(text);
    return receive(head_only);
}

std::string Client::receive_some() {
    if (buffer_.empty())
        fill();
    return std::exchange(buffer_, {});
}

std::string Client::receive_to_end() {
    while (fill()) {
    }
    return std::exchange(buffer_, {});
}

bool Client::at_end() {
    return buffer_.empty() && !fill();
}

void Client::shutdown_send() {
    ::shutdown(fd(), SHUT_WR);
}

std::string Client::alpn() const {
    const unsigned char* name = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(tls_.get(), &name, &length);
    return std::string(reinterpret_cast<const char*>(name), length);
}

std::string Client::certificate_name() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        SSL_get1_peer_certificate(tls_.get()), X509_free);
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                              sizeof name);
    return name;
}

}  // namespace berth::test
