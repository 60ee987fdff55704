// Listening sockets: addresses, unix sockets, and who connected.
//
// Threads: the loop's.
#pragma once

#include "base/files.hpp"
#include "net/connection.hpp"

#include <string>

namespace berth::net {

// One socket that listens. Its unix socket file is removed with it.
class Listener {
public:
    // `address` as in ServerSettings::listen.
    // Errors: invalid (ill-formed address, a path that is not a socket), unavailable (in use).
    static Result<Listener> open(const std::string& address);

    Listener(Listener&& other) noexcept = default;
    Listener& operator=(Listener&& other) noexcept = delete;
    ~Listener();

    int fd() const { return socket_.get(); }
    bool is_unix() const { return !path_.empty(); }
    unsigned short port() const { return port_; }

    // The next connection; an empty descriptor with errno set when there is none.
    Descriptor accept(Peer& peer) const;

private:
    Listener() = default;

    Descriptor socket_;
    std::string path_;  // of a unix socket
    unsigned short port_ = 0;
};

}  // namespace berth::net
