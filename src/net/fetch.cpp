#include "net/fetch.hpp"

#include "base/text.hpp"
#include "http/authority.hpp"
#include "net/special_address.hpp"

#include <curl/curl.h>

#include <algorithm>

#include <sys/socket.h>

#include <memory>

namespace berth::net {

namespace {

constexpr std::size_t head_bytes_max = 65536;

struct CurlFree {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, CurlFree>;

// One transfer; curl's callbacks write here.
struct Transfer {
    FetchRequest request = {};
    bool check_address = true;
    bool special_address = false;
    bool too_large = false;
    std::size_t head_bytes = 0;
    std::string body = {};
    char error[CURL_ERROR_SIZE] = {};
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (transfer.body.size() + size * count > transfer.request.bytes_max) {
        transfer.too_large = true;
        return 0;
    }
    transfer.body.append(data, size * count);
    return size * count;
}

std::size_t take_head(char*, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    transfer.head_bytes += size * count;
    if (transfer.head_bytes > head_bytes_max) {
        transfer.too_large = true;
        return 0;
    }
    return size * count;
}

// curl connects the socket that this returns to exactly `address`.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* address) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (transfer.check_address && is_special(&address->addr)) {
        transfer.special_address = true;
        return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void set_limits(CURL* handle, Transfer& transfer) {
    const auto deadline = static_cast<long>(transfer.request.deadline.count());
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, deadline);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, deadline);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &transfer);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, transfer.error);
}

void set_trust(CURL* handle, const FetchRequest& request) {
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!request.ca_file.empty()) {
        curl_easy_setopt(handle, CURLOPT_CAINFO, request.ca_file.c_str());
        curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);  // not the system's beside it
    }
}

Error to_error(CURLcode code, const Transfer& transfer) {
    const auto what = "fetch " + printable(transfer.request.url, 200) + ": ";
    if (transfer.special_address)
        return {ErrorKind::forbidden,
                what +
                    "its address is private or otherwise special; set internal = true if the "
                    "site means that"};
    if (transfer.too_large)
        return {ErrorKind::too_large, what + "the answer is too large"};
    const auto why =
        what + printable(transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(code));
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT:
            return {ErrorKind::timed_out, why};
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CACERT_BADFILE:
            return {ErrorKind::rejected, why};
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
        case CURLE_LOGIN_DENIED:
            return {ErrorKind::forbidden, why};
        default:
            return {ErrorKind::unavailable, why};
    }
}

Result<FetchedDocument> run_transfer(FetchRequest request, std::string proxy, bool plain) {
    const Handle handle(curl_easy_init());
    if (!handle)
        return Error{ErrorKind::internal, "curl cannot make a handle"};
    Transfer transfer;
    transfer.request = std::move(request);
    transfer.check_address = !transfer.request.internal && proxy.empty();
    set_limits(handle.get(), transfer);
    set_trust(handle.get(), transfer.request);
    curl_easy_setopt(handle.get(), CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
    // An empty proxy also switches off the one of the environment.
    curl_easy_setopt(handle.get(), CURLOPT_PROXY, proxy.c_str());
    curl_easy_setopt(handle.get(), CURLOPT_NOPROXY, "");
    curl_easy_setopt(handle.get(), CURLOPT_URL, transfer.request.url.c_str());
    const auto code = curl_easy_perform(handle.get());
    if (code != CURLE_OK)
        return to_error(code, transfer);
    FetchedDocument document;
    long status = 0;
    const char* type = nullptr;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle.get(), CURLINFO_CONTENT_TYPE, &type);
    document.status = static_cast<int>(status);
    document.content_type = type == nullptr ? "" : type;
    document.body = std::move(transfer.body);
    if (status >= 300 && status < 400)
        return Error{ErrorKind::forbidden, "fetch " + printable(transfer.request.url, 200) +
                                               ": it answers with a redirect (" +
                                               std::to_string(status) + "), which is not followed"};
    return document;
}

bool is_exception(const std::string& url, const std::vector<std::string>& exceptions) {
    const auto begin = url.find("://");
    if (begin == std::string::npos)
        return false;
    const auto end = url.find_first_of("/?#", begin + 3);
    const auto authority = http::read_authority(
        std::string_view(url).substr(begin + 3, end == std::string::npos ? end : end - begin - 3));
    if (!authority)
        return false;
    const auto host = to_lower(authority->host);
    return std::ranges::any_of(exceptions, [&](const std::string& one) {
        const auto wanted = to_lower(one);
        return wanted.starts_with('.') ? host.ends_with(wanted) : host == wanted;
    });
}

// curl asks for this once per process, before other threads use it.
bool start_curl() {
    static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return started;
}

}  // namespace

Fetcher::Fetcher(FetcherSettings settings) : settings_(std::move(settings)) {
    start_curl();
}

Fetcher::~Fetcher() {
    pool_.join();
}

Async<FetchedDocument> Fetcher::get(FetchRequest request) {
    const bool plain = settings_.plain_urls.contains(request.url);
    if (running_ >= settings_.queue_max)
        co_return Error{ErrorKind::unavailable, "too many fetches are waiting"};
    struct Place {
        std::atomic<std::size_t>& count;
        explicit Place(std::atomic<std::size_t>& c) : count(c) { ++count; }
        ~Place() { --count; }
    };
    const Place place(running_);
    std::string proxy;
    if (!is_exception(request.url, settings_.proxy_exceptions))
        proxy = settings_.parent_proxy;
    co_return co_await offload(pool_, &run_transfer, std::move(request), std::move(proxy), plain);
}

}  // namespace berth::net
