#include "transfers/key_fetcher.hpp"

#include "base/text.hpp"

namespace berth::transfers {

namespace {

// Issuers on static web servers send files without a suffix as octets or plain text.
bool may_be_json(std::string_view content_type) {
    const auto type = to_lower(trim(content_type.substr(0, content_type.find(';'))));
    return type.empty() || type == "application/octet-stream" || type == "text/plain" ||
           type == "application/json" || type.ends_with("+json");
}

}  // namespace

Async<std::string> KeyFetcher::fetch(std::string url, auth::FetchRules rules) {
    net::FetchRequest request;
    request.url = url;
    request.ca_file = std::move(rules.ca_file);
    request.internal = rules.internal;
    auto document = co_await fetcher_.get(std::move(request));
    if (!document)
        co_return document.error();
    const auto what = "fetch " + printable(url, 200) + ": ";
    if (document->status != 200) {
        const auto kind = document->status == 404 ? ErrorKind::not_found : ErrorKind::rejected;
        co_return Error{kind, what + "status " + std::to_string(document->status)};
    }
    if (!may_be_json(document->content_type))
        co_return Error{ErrorKind::rejected,
                        what + "content type " + printable(document->content_type, 60)};
    co_return std::move(document->body);
}

}  // namespace berth::transfers
