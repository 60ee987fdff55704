#include "http/problem.hpp"

#include "base/ids.hpp"
#include "base/log.hpp"

#include <nlohmann/json.hpp>

namespace berth::http {

namespace {

struct Kind {
    int status;
    std::string_view name;
};

Kind describe(ErrorKind kind) {
    switch (kind) {
            // clang-format off
        case ErrorKind::invalid:           return {400, "invalid"};
        case ErrorKind::unprocessable:     return {422, "unprocessable"};
        case ErrorKind::unauthorized:      return {401, "unauthorized"};
        case ErrorKind::forbidden:         return {403, "forbidden"};
        case ErrorKind::not_found:         return {404, "not_found"};
        case ErrorKind::gone:              return {410, "gone"};
        case ErrorKind::conflict:          return {409, "conflict"};
        case ErrorKind::too_large:         return {413, "too_large"};
        case ErrorKind::unsupported_media: return {415, "unsupported_media"};
        case ErrorKind::rejected:          return {422, "rejected"};
        case ErrorKind::too_many:          return {429, "too_many"};
        case ErrorKind::unavailable:       return {503, "unavailable"};
        case ErrorKind::timed_out:         return {503, "timed_out"};
        case ErrorKind::slow_client:       return {408, "slow_client"};
        case ErrorKind::internal:          return {500, "internal"};
            // clang-format on
    }
    return {500, "internal"};
}

// Keys in the order of the RFC, so that the document reads well.
std::string document(int status, std::string_view name, std::string_view detail,
                     std::string_view field = {}, std::string_view old_id = {}) {
    nlohmann::ordered_json json;
    json["type"] = "urn:berth:problem:" + std::string(name);
    json["title"] = reason_phrase(status);
    json["status"] = status;
    json["detail"] = detail;
    if (!field.empty())
        json["field"] = field;
    if (!old_id.empty())
        json["old_id"] = old_id;
    // Messages may quote outside bytes: what is not UTF-8 is replaced, never thrown on.
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// `trace` is the id under which the log has the cause of an internal error.
std::string document(const Error& error, std::string_view trace) {
    const auto kind = describe(error.kind);
    std::string detail = error.message;
    if (error.kind == ErrorKind::internal) {
        detail = "The service failed to answer; its log has the cause";
        if (!trace.empty())
            detail += " under the id " + std::string(trace);
    }
    return document(kind.status, kind.name, detail, error.field, error.old_id);
}

Response response_of(int status, std::string body) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/problem+json");
    response.headers.add("Cache-Control", "no-store");
    response.body = std::move(body);
    return response;
}

}  // namespace

int status_of(ErrorKind kind) {
    return describe(kind).status;
}

std::string_view name_of(ErrorKind kind) {
    return describe(kind).name;
}

std::string problem_json(const Error& error) {
    return document(error, {});
}

Response problem(const Error& error) {
    std::string trace;
    if (error.kind == ErrorKind::internal) {
        trace = random_base32(10);
        log::error("internal_error", {{"id", trace}, {"error", error.message}});
    }
    auto response = response_of(status_of(error.kind), document(error, trace));
    if (error.kind == ErrorKind::unauthorized)  // RFC 9110 section 15.5.2: it must be there
        response.headers.add("WWW-Authenticate", "Bearer");
    if (error.retry_after_s > 0)
        response.headers.add("Retry-After", std::to_string(error.retry_after_s));
    return response;
}

Response problem(int status, std::string_view name, std::string_view detail) {
    return response_of(status, document(status, name, detail));
}

}  // namespace berth::http
