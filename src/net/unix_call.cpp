#include "net/unix_call.hpp"

#include <curl/curl.h>

#include <memory>

namespace berth::net {

namespace {

struct Close {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
    void operator()(curl_slist* fields) const { curl_slist_free_all(fields); }
};

std::size_t append(char* data, std::size_t, std::size_t size, void* text) {
    static_cast<std::string*>(text)->append(data, size);
    return size;
}

}  // namespace

Result<UnixAnswer> call_unix(const std::string& socket, const std::string& method,
                             const std::string& path, const std::string& body,
                             std::chrono::seconds limit) {
    const std::unique_ptr<CURL, Close> handle(curl_easy_init());
    const std::unique_ptr<curl_slist, Close> fields(
        curl_slist_append(nullptr, "Content-Type: application/json"));
    if (!handle || !fields)
        return Error{ErrorKind::internal, "libcurl cannot be used"};
    UnixAnswer answer;
    auto* curl = handle.get();
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, ("http://localhost" + path).c_str());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(limit.count()));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    if (method == "POST") {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    }
    const auto result = curl_easy_perform(curl);
    if (result != CURLE_OK)
        return Error{ErrorKind::unavailable, curl_easy_strerror(result)};
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    return answer;
}

}  // namespace berth::net
