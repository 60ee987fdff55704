// Load generator: posts bodies over TLS keep-alive connections and prints what happened as JSON.
//
//   bench_post PORT PATH TOKEN_FILE BODIES_FILE CONNECTIONS POSTS
//
// Post i sends line i of BODIES_FILE (from the first again after the last), in which each @N@ is
// replaced by a number of its own. One thread per connection, each with one request in flight.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::system_clock;

struct Plan {
    int port = 0;
    std::string path, token;
    std::vector<std::string> bodies;
    std::size_t posts = 0;
    std::atomic<std::size_t> next = 0, number = 0;
};

struct Tally {
    std::mutex mutex;
    std::vector<double> milliseconds;
    std::map<int, std::size_t> statuses;
    Clock::time_point last = {};
};

class Connection {
public:
    Connection(SSL_CTX* context, int port) : ssl_(SSL_new(context)) {
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int yes = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            SSL_set_fd(ssl_, socket_) != 1 || SSL_connect(ssl_) != 1)
            throw std::runtime_error("cannot connect");
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() {
        SSL_free(ssl_);
        ::close(socket_);
    }

    // Sends one request and reads its answer to the end; the status.
    int exchange(const std::string& request) {
        if (SSL_write(ssl_, request.data(), static_cast<int>(request.size())) <= 0)
            throw std::runtime_error("cannot send");
        std::string text;
        std::size_t end = std::string::npos;
        while ((end = text.find("\r\n\r\n")) == std::string::npos)
            read_more(text);
        std::string head = text.substr(0, end);
        std::ranges::transform(head, head.begin(), [](unsigned char c) { return std::tolower(c); });
        const auto field = head.find("content-length: ");
        if (field == std::string::npos)
            throw std::runtime_error("an answer without a length: " + head);
        const auto whole = end + 4 + std::stoul(head.substr(field + 16));
        while (text.size() < whole)
            read_more(text);
        return std::stoi(head.substr(9, 3));
    }

private:
    void read_more(std::string& text) {
        char buffer[16384];
        const int got = SSL_read(ssl_, buffer, sizeof buffer);
        if (got <= 0)
            throw std::runtime_error("the connection was closed");
        text.append(buffer, static_cast<std::size_t>(got));
    }

    SSL* ssl_;
    int socket_ = -1;
};

std::string request_of(Plan& plan, std::size_t index) {
    const auto& pattern = plan.bodies[index % plan.bodies.size()];
    std::string body;
    std::size_t from = 0, mark = 0;
    while ((mark = pattern.find("@N@", from)) != std::string::npos) {
        body.append(pattern, from, mark - from);
        body += std::to_string(plan.number++);
        from = mark + 3;
    }
    body.append(pattern, from);
    return "POST " + plan.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " +
           plan.token + "\r\nContent-Type: application/json\r\nIdempotency-Key: k" +
           std::to_string(index) + "-" + std::to_string(::getpid()) +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void send_all(Connection& connection, Plan& plan, Tally& tally) {
    std::vector<double> times;
    std::map<int, std::size_t> statuses;
    Clock::time_point end;
    for (std::size_t index = plan.next++; index < plan.posts; index = plan.next++) {
        const auto request = request_of(plan, index);
        const auto begun = std::chrono::steady_clock::now();
        ++statuses[connection.exchange(request)];
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - begun;
        end = Clock::now();
        times.push_back(took.count());
    }
    const std::lock_guard lock(tally.mutex);
    tally.milliseconds.insert(tally.milliseconds.end(), times.begin(), times.end());
    for (const auto& [status, count] : statuses)
        tally.statuses[status] += count;
    tally.last = std::max(tally.last, end);
}

double seconds(Clock::time_point time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void print(Tally& tally, Clock::time_point first) {
    auto& times = tally.milliseconds;
    std::ranges::sort(times);
    const auto at = [&](double part) {
        return times.empty() ? 0.0
                             : times[static_cast<std::size_t>(part * double(times.size() - 1))];
    };
    std::printf(
        "{\"posts\": %zu, \"first\": %.6f, \"last\": %.6f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, ",
        times.size(), seconds(first), seconds(tally.last), at(0.5), at(0.99));
    std::printf("\"max_ms\": %.3f, \"statuses\": {", at(1));
    const char* comma = "";
    for (const auto& [status, count] : tally.statuses) {
        std::printf("%s\"%d\": %zu", comma, status, count);
        comma = ", ";
    }
    std::printf("}}\n");
}

void run(char** words) {
    Plan plan;
    plan.port = std::stoi(words[1]);
    plan.path = words[2];
    std::ifstream(words[3]) >> plan.token;
    std::ifstream bodies(words[4]);
    for (std::string line; std::getline(bodies, line);)
        plan.bodies.push_back(line);
    if (plan.bodies.empty())
        throw std::runtime_error("no bodies");
    plan.posts = std::stoul(words[6]);
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    std::vector<std::unique_ptr<Connection>> connections;
    for (int i = 0; i < std::stoi(words[5]); ++i)
        connections.push_back(std::make_unique<Connection>(context, plan.port));
    Tally tally;
    const auto first = Clock::now();
    {
        std::vector<std::jthread> threads;
        for (auto& connection : connections)
            threads.emplace_back([&] { send_all(*connection, plan, tally); });
    }
    print(tally, first);
    connections.clear();
    SSL_CTX_free(context);
}

}  // namespace

int main(int count, char** words) {
    if (count != 7) {
        std::fprintf(stderr,
                     "usage: bench_post PORT PATH TOKEN_FILE BODIES_FILE CONNECTIONS POSTS\n");
        return 2;
    }
    try {
        run(words);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_post: %s\n", error.what());
        return 1;
    }
}
