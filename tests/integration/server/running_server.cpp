#include "integration/server/running_server.hpp"

#include "base/tasks.hpp"
#include "http/range.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fcntl.h>

#include <stdexcept>

namespace berth::test {

namespace asio = boost::asio;

namespace {

// The value of a query parameter; "" when absent.
std::string parameter(std::string_view query, std::string_view wanted) {
    if (const auto all = http::query_values(query))
        for (const auto& [name, value] : *all)
            if (name == wanted)
                return value;
    return {};
}

// Gives `pieces` pieces, then waits for ever, ends, or fails.
class TestStream final : public http::Stream {
public:
    TestStream(int pieces, std::string then, std::atomic<int>& cancelled)
        : left_(pieces), then_(std::move(then)), cancelled_(cancelled) {}

    asio::awaitable<std::string> next() override {
        if (left_-- > 0)
            co_return "piece\n";
        if (then_ == "fail")
            throw std::runtime_error("the source broke");
        if (then_ == "wait") {
            try {
                co_await sleep_for(std::chrono::seconds(60));
            } catch (const boost::system::system_error&) {
                ++cancelled_;
                throw;
            }
        }
        co_return std::string();
    }
    bool endless() const override { return then_ == "wait"; }

private:
    int left_;
    std::string then_;
    std::atomic<int>& cancelled_;
};

}  // namespace

void write_certificate(const std::string& name, const std::string& certificate_file,
                       const std::string& key_file, int days) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400L * days);
    X509_set_pubkey(certificate.get(), key.get());
    auto* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    const std::unique_ptr<FILE, decltype(&std::fclose)> first(
        std::fopen(certificate_file.c_str(), "w"), std::fclose);
    PEM_write_X509(first.get(), certificate.get());
    const std::unique_ptr<FILE, decltype(&std::fclose)> second(std::fopen(key_file.c_str(), "w"),
                                                               std::fclose);
    PEM_write_PrivateKey(second.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

RunningServer::RunningServer(net::ServerSettings settings, bool tls)
    : work_(asio::make_work_guard(loop_)) {
    if (settings.name.empty())
        settings.name = "test";
    if (settings.listen.empty())
        settings.listen = {"127.0.0.1:0"};
    for (auto& address : settings.listen)
        if (address == "unix:")
            address += path("s");
    if (tls) {
        settings.certificate_file = path("tls.crt");
        settings.key_file = path("tls.key");
        write_certificate("first", settings.certificate_file, settings.key_file);
    }
    auto handler = [this](net::Request& request) { return handle(request); };
    server_ = std::make_unique<net::Server>(loop_, std::move(settings), handler, metrics);
    started_ = server_->start();
    if (started_)
        port_ = server_->ports().front();
    thread_ = std::thread([this] { loop_.run(); });
}

RunningServer::~RunningServer() {
    stop();
    work_.reset();
    thread_.join();
}

template <class Function>
auto RunningServer::on_loop(Function function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    asio::post(loop_, [&task] { task(); });
    return result.get();
}

std::size_t RunningServer::connections() {
    return on_loop([this] { return server_->connections(); });
}

Result<void> RunningServer::reload_certificate() {
    return on_loop(
        [this] { return server_->reload_certificate(path("tls.crt"), path("tls.key")); });
}

std::optional<std::chrono::system_clock::time_point> RunningServer::certificate_end() {
    return on_loop([this] { return server_->certificate_end(); });
}

std::future<void> RunningServer::begin_stop(std::chrono::milliseconds limit) {
    stopped_ = true;
    return asio::co_spawn(loop_, server_->stop(limit), asio::use_future);
}

void RunningServer::stop(std::chrono::milliseconds limit) {
    if (!stopped_)
        begin_stop(limit).get();
}

bool RunningServer::comes_to(std::size_t wanted) {
    for (int i = 0; i < 500; ++i) {
        if (connections() == wanted)
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

asio::awaitable<http::Response> RunningServer::handle(net::Request& request) {
    ++handled;
    http::Response response;
    response.headers.add("Content-Type", "text/plain");
    const auto& path = request.head.path;
    if (path == "/file")
        co_return file(request);
    if (path == "/stream")
        co_return stream(request);
    if (path == "/wait")
        co_return co_await wait_long(request);
    if (path == "/echo" || path == "/count" || path == "/ignore")
        co_return co_await with_body(request);
    if (path == "/throw")
        throw std::runtime_error("the secret cause");
    if (path == "/split")
        response.headers.add("X-Bad", "a\r\nX-Injected: b");
    if (path == "/none")
        response.status = 204;
    if (path == "/large")
        response.body = std::string(300000, 'L');
    else if (path != "/none")
        response.body = request.head.method + " " + path + " " + request.authority + " " +
                        request.peer + " " + std::to_string(request.peer_uid);
    co_return response;
}

asio::awaitable<http::Response> RunningServer::with_body(net::Request& request) {
    http::Response response;
    if (request.head.path == "/ignore") {
        response.body = std::string("not read");
        co_return response;
    }
    if (request.head.path == "/echo") {
        auto body = co_await request.body->read_all(1U << 20U);
        response.status = body ? 200 : body.error().kind == ErrorKind::too_large ? 413 : 400;
        response.body = body ? *body : body.error().message;
        co_return response;
    }
    std::size_t count = 0;
    for (;;) {
        auto piece = co_await request.body->read(100000);
        if (!piece) {
            response.status = 400;
            response.body = piece.error().message;
            co_return response;
        }
        if (piece->empty())
            break;
        count += piece->size();
    }
    response.body = std::to_string(count);
    co_return response;
}

asio::awaitable<http::Response> RunningServer::wait_long(net::Request& request) {
    const auto text = parameter(request.head.query, "ms");
    try {
        co_await sleep_for(std::chrono::milliseconds(std::stoi(text)));
    } catch (const boost::system::system_error&) {
        ++cancelled;
        throw;
    }
    http::Response response;
    response.body = std::string("waited");
    co_return response;
}

http::Response RunningServer::file(const net::Request& request) {
    constexpr std::uint64_t size = 3'000'000;
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        content[i] = static_cast<char>('a' + i % 23);
    const auto name = path("data");
    const bool written = replace_file(name, content).has_value();
    http::Response response;
    const auto range = http::read_range(request.head.headers.get("Range"), size);
    http::FileBody body;
    body.file = Descriptor(written ? ::open(name.c_str(), O_RDONLY | O_CLOEXEC) : -1);
    body.length = size;
    if (range.verdict == http::RangeVerdict::partial) {
        response.status = 206;
        body.offset = range.range.first;
        body.length = range.range.length;
    }
    if (request.head.query == "short")  // the file is shorter than it was
        body.length = size + 1;
    response.body = std::move(body);
    return response;
}

http::Response RunningServer::stream(const net::Request& request) {
    http::Response response;
    const auto then = parameter(request.head.query, "then");
    const auto length = parameter(request.head.query, "length");
    if (!length.empty())
        response.headers.add("Content-Length", length);
    response.body = std::make_shared<TestStream>(3, then, cancelled);
    return response;
}

}  // namespace berth::test
