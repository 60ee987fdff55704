#include "net/listener.hpp"

#include "base/text.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace berth::net {

namespace {

constexpr mode_t unix_socket_mode = 0660;

// An address in the form that the socket calls want.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    template <class T>
    T& as() {
        length = sizeof(T);
        return reinterpret_cast<T&>(storage);
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Error ill_formed(const std::string& address) {
    return Error{ErrorKind::invalid, "\"" + address +
                                         "\" is not of the form 127.0.0.1:8443, "
                                         "[::1]:8443 or unix:/path"};
}

Result<SocketAddress> read_ip_address(const std::string& text) {
    SocketAddress address;
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
        return ill_formed(text);
    const auto port = to_number<std::uint16_t>(std::string_view(text).substr(colon + 1));
    auto host = text.substr(0, colon);
    if (!port)
        return ill_formed(text);
    if (host.starts_with('[') && host.ends_with(']')) {
        auto& v6 = address.as<sockaddr_in6>();
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(*port);
        host = host.substr(1, host.size() - 2);
        if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1)
            return address;
    } else {
        auto& v4 = address.as<sockaddr_in>();
        v4.sin_family = AF_INET;
        v4.sin_port = htons(*port);
        if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1)
            return address;
    }
    return ill_formed(text);
}

Result<SocketAddress> unix_address(const std::string& path) {
    SocketAddress address;
    auto& local = address.as<sockaddr_un>();
    local.sun_family = AF_UNIX;
    if (path.empty() || path[0] != '/' || path.size() >= sizeof local.sun_path)
        return Error{ErrorKind::invalid,
                     "\"" + path + "\" is not an absolute path of at most 107 bytes"};
    std::memcpy(local.sun_path, path.c_str(), path.size() + 1);
    return address;
}

// Removes the socket file of a server that is gone; never anything else.
Result<void> remove_stale(const std::string& path, const SocketAddress& address) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0)
        return {};
    if (!S_ISSOCK(status.st_mode))
        return Error{ErrorKind::invalid, path + " exists and is not a socket"};
    const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(probe.get(), address.get(), address.length) == 0 || errno != ECONNREFUSED)
        return Error{ErrorKind::unavailable, "another process listens on " + path};
    if (::unlink(path.c_str()) != 0)
        return system_error("remove " + path, errno);
    return {};
}

// Set on the listening socket; Linux hands both down to accepted ones. Without TCP_NODELAY a
// response in two segments waits 40 ms for a delayed acknowledgement.
void set_tcp_options(int fd, int family) {
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (family == AF_INET6)  // "[::]:443" and "0.0.0.0:443" can be listed side by side
        ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
}

unsigned short bound_port(int fd) {
    SocketAddress address;
    address.length = sizeof address.storage;
    auto* raw = reinterpret_cast<sockaddr*>(&address.storage);
    if (::getsockname(fd, raw, &address.length) != 0)
        return 0;
    if (address.storage.ss_family == AF_INET)
        return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
    if (address.storage.ss_family == AF_INET6)
        return ntohs(reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port);
    return 0;
}

std::string printed(const sockaddr_storage& address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.ss_family == AF_INET)
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text,
                    sizeof text);
    else
        ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text,
                    sizeof text);
    return text;
}

}  // namespace

Result<Listener> Listener::open(const std::string& address) {
    const bool local = address.starts_with("unix:");
    Listener listener;
    const auto path = local ? address.substr(5) : std::string();
    auto bound = local ? unix_address(path) : read_ip_address(address);
    if (!bound)
        return bound.error();
    if (local) {
        if (auto removed = remove_stale(path, *bound); !removed)
            return removed.error();
    }
    const int family = bound->storage.ss_family;
    listener.socket_ = Descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int fd = listener.socket_.get();
    if (fd < 0)
        return system_error("socket for " + address, errno);
    if (local)
        ::fchmod(fd, unix_socket_mode);  // bind() makes the file with this, less the umask
    else
        set_tcp_options(fd, family);
    if (::bind(fd, bound->get(), bound->length) != 0)
        return Error{ErrorKind::unavailable, system_error("bind " + address, errno).message};
    listener.path_ = path;  // from here on the file is ours
    if (local && ::chmod(path.c_str(), unix_socket_mode) != 0)
        return system_error("chmod " + path, errno);
    if (::listen(fd, SOMAXCONN) != 0)
        return Error{ErrorKind::unavailable, system_error("listen on " + address, errno).message};
    listener.port_ = bound_port(fd);
    return listener;
}

Listener::~Listener() {
    if (!socket_)
        return;
    // Ends the listening at once, for other descriptors of this socket too, and wakes who waits.
    ::shutdown(fd(), SHUT_RDWR);
    if (is_unix())
        ::unlink(path_.c_str());
}

Descriptor Listener::accept(Peer& peer) const {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    Descriptor socket(::accept4(fd(), reinterpret_cast<sockaddr*>(&address), &length,
                                SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket)
        return socket;
    if (!is_unix()) {
        peer.address = printed(address);
        return socket;
    }
    ucred credentials{};
    length = sizeof credentials;
    peer.address = "unix";
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
        errno = ECONNABORTED;
        return Descriptor();
    }
    peer.uid = credentials.uid;
    return socket;
}

}  // namespace berth::net
