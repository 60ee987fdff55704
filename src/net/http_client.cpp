#include "net/http_client.hpp"

#include "base/async.hpp"
#include "base/text.hpp"

#include <curl/curl.h>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <atomic>

namespace berth::net {

namespace asio = boost::asio;

struct HttpTransfer {
    HttpCall call = {};
    std::string server = {};
    std::shared_ptr<void> handle = {};
    std::atomic<bool> cancelled = false;
    // The rest belongs to the transfer's thread.
    int writes = 0;  // how often libcurl was about to write the request
    bool too_large = false;
    std::string body = {};
    char error[CURL_ERROR_SIZE] = {};
};

namespace {

constexpr std::string_view unix_prefix = "unix:";
constexpr std::size_t idle_max = 32;

struct FreeFields {
    void operator()(curl_slist* fields) const { curl_slist_free_all(fields); }
};
using Fields = std::unique_ptr<curl_slist, FreeFields>;

Fields fields_of(const HttpCall& call) {
    Fields fields;
    const auto add = [&](const char* field) {
        auto* const longer = curl_slist_append(fields.get(), field);
        static_cast<void>(fields.release());
        fields.reset(longer);
    };
    add("Expect:");  // libcurl would wait for a "100 Continue" that not every server sends
    for (const auto& field : call.fields)
        add(field.c_str());
    return fields;
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<HttpTransfer*>(user);
    if (transfer.body.size() + size * count > transfer.call.bytes_max) {
        transfer.too_large = true;
        return 0;
    }
    transfer.body.append(data, size * count);
    return size * count;
}

// Called when a connection is there, new or kept, before the request is written. When a kept
// connection breaks before the first byte of an answer, libcurl 7.88 takes a new one and writes
// the request again, a POST too: that second time is refused.
int before_write(void* user, char*, char*, int, int) {
    auto& transfer = *static_cast<HttpTransfer*>(user);
    return ++transfer.writes == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<HttpTransfer*>(user)->cancelled ? 1 : 0;
}

void set_target(CURL* curl, const HttpTransfer& transfer) {
    const std::string_view server = transfer.server;
    const bool is_unix = server.starts_with(unix_prefix);
    const auto base = is_unix ? std::string("http://localhost") : transfer.server;
    curl_easy_setopt(curl, CURLOPT_URL, (base + transfer.call.path).c_str());
    if (is_unix)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH,
                         std::string(server.substr(unix_prefix.size())).c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");  // nor the one of the environment
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
}

void set_request(CURL* curl, const HttpTransfer& transfer, const Fields& fields) {
    const auto& call = transfer.call;
    const auto deadline = static_cast<long>(call.deadline.count());
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, deadline);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, deadline);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());
    if (call.method == "POST") {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(call.body.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.data());
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call.method.c_str());
}

void set_callbacks(CURL* curl, HttpTransfer& transfer) {
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer.error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, before_write);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
}

HttpAnswer::End end_of(CURLcode code, const HttpTransfer& transfer) {
    using End = HttpAnswer::End;
    if (code == CURLE_OK)
        return End::answered;
    if (transfer.writes == 0)
        return End::not_sent;
    if (transfer.too_large)
        return End::too_large;
    return code == CURLE_OPERATION_TIMEDOUT ? End::timed_out : End::cut;
}

HttpAnswer run(std::shared_ptr<HttpTransfer> transfer) {
    HttpAnswer answer;
    answer.error = "libcurl cannot be used";
    auto* const curl = transfer->handle.get();
    const auto fields = fields_of(transfer->call);
    if (curl == nullptr || !fields || transfer->cancelled)
        return answer;
    curl_easy_reset(curl);  // keeps the connection
    set_target(curl, *transfer);
    set_request(curl, *transfer, fields);
    set_callbacks(curl, *transfer);
    const auto code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    answer.end = end_of(code, *transfer);
    answer.status = static_cast<int>(status);
    answer.body = std::move(transfer->body);
    answer.error.clear();
    if (code != CURLE_OK)
        answer.error =
            printable(transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code));
    return answer;
}

}  // namespace

HttpClient::HttpClient(HttpClientSettings settings)
    : settings_(std::move(settings)), pool_(std::max(1U, settings_.threads)) {
    curl_global_init(CURL_GLOBAL_DEFAULT);  // counts its calls; safe while there is one thread
}

HttpClient::~HttpClient() {
    pool_.join();
}

std::shared_ptr<void> HttpClient::take_handle() {
    if (idle_.empty())
        return {curl_easy_init(), [](void* handle) { curl_easy_cleanup(handle); }};
    auto handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
}

asio::awaitable<HttpAnswer> HttpClient::send(HttpCall call) {
    auto transfer = std::make_shared<HttpTransfer>();
    transfer->call = std::move(call);
    transfer->server = settings_.server;
    transfer->handle = take_handle();
    const auto state = co_await asio::this_coro::cancellation_state;
    auto slot = state.slot();
    if (slot.is_connected())
        slot.assign([transfer](asio::cancellation_type) { transfer->cancelled = true; });
    auto answer = co_await offload(pool_, &run, transfer);
    if (slot.is_connected())
        slot.clear();
    if (idle_.size() < idle_max)
        idle_.push_back(std::move(transfer->handle));
    co_return answer;
}

}  // namespace berth::net
