#include "api/files_api.hpp"

#include "api/job_json.hpp"
#include "api/query.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"
#include "http/range.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace berth::api {

using nlohmann::json;

namespace {

constexpr std::size_t listed_max = 10'000;
constexpr std::size_t piece_bytes = 256U << 10U;

Result<std::string> path_of(const Call& call) {
    if (const auto query = read_query(call.request.head.query, {}); !query)
        return query.error();
    auto path = call.parameter("path");
    if (!is_file_path(path))
        return Error{ErrorKind::invalid,
                     "must be a relative path without empty, \".\" or \"..\" parts", "path"};
    return path;
}

bool is_output(const std::string& path) {
    return path == "stdout" || path == "stderr";
}

Error written_by_job() {
    return Error{ErrorKind::conflict, "stdout and stderr are written by the job"};
}

std::string entity_tag(const jobs::FileStat& stat) {
    const auto value = std::to_string(stat.size) + "-" + std::to_string(stat.modified_s) + "." +
                       std::to_string(stat.modified_ns);
    return std::string(stat.may_grow ? "W/" : "") + "\"" + value + "\"";
}

// If-Range with a date or a weak tag never matches here: the whole file is the safe answer.
bool range_applies(const http::Headers& headers, const std::string& tag) {
    if (!headers.contains("Range"))
        return false;
    return !headers.contains("If-Range") ||
           (headers.get("If-Range") == tag && !tag.starts_with("W/"));
}

// Whether `tags`, the value of If-Match or If-None-Match, names `tag` ("" = there is no file).
bool names(std::string_view tags, std::string_view tag, bool weakly) {
    if (trim(tags) == "*")
        return !tag.empty();
    const auto opaque = [](std::string_view text) {
        return text.starts_with("W/") ? text.substr(2) : text;
    };
    for (const auto part : split(tags, ',')) {
        const auto one = trim(part);
        const bool strong = !one.starts_with("W/") && !tag.starts_with("W/");
        if (!tag.empty() && opaque(one) == opaque(tag) && (weakly || strong))
            return true;
    }
    return false;
}

// RFC 9110 section 13.2.2: the status that a precondition asks for, or 0.
int precondition(const http::Headers& headers, std::string_view tag, bool reads) {
    if (headers.contains("If-Match") && !names(headers.get("If-Match"), tag, false))
        return 412;
    if (headers.contains("If-None-Match") && names(headers.get("If-None-Match"), tag, true))
        return reads ? 304 : 412;
    return 0;
}

http::Response not_as_expected() {
    return http::problem(412, "conflict", "the file is not as If-Match or If-None-Match says");
}

http::Response unsatisfiable(std::uint64_t size) {
    auto response = http::problem(416, "invalid",
                                  "the range begins behind the end of the file, which has " +
                                      std::to_string(size) + " bytes now");
    response.headers.set("Content-Range", "bytes */" + std::to_string(size));
    return response;
}

}  // namespace

FilesApi::Answer FilesApi::list(Call& call) {
    const auto query = read_query(call.request.head.query, {});
    if (!query)
        co_return http::problem(query.error());
    auto entries = co_await service_.files(call.caller.owner, call.parameter("id"));
    if (!entries)
        co_return http::problem(entries.error());
    std::ranges::sort(*entries, {}, &jobs::FileEntry::path);
    json body = {{"files", json::array()}, {"truncated", entries->size() > listed_max}};
    if (entries->size() > listed_max)
        entries->resize(listed_max);
    for (const auto& entry : *entries)
        body["files"].push_back({{"path", entry.path},
                                 {"size", entry.size},
                                 {"modified", to_rfc3339(from_ms(entry.modified_s * 1000))},
                                 {"type", entry.directory ? "directory" : "file"}});
    co_return json_response(200, body);
}

FilesApi::Answer FilesApi::read(Call& call) {
    auto path = path_of(call);
    if (!path)
        co_return http::problem(path.error());
    auto opened =
        co_await service_.open_file(call.caller.owner, call.parameter("id"), std::move(*path));
    if (!opened)
        co_return http::problem(opened.error());
    const auto& stat = opened->second;
    const auto tag = entity_tag(stat);
    const auto unmet = precondition(call.request.head.headers, tag, true);
    if (unmet == 412)
        co_return not_as_expected();
    if (unmet == 304) {
        http::Response unchanged{.status = 304};
        unchanged.headers.set("ETag", tag);
        unchanged.headers.set("Cache-Control", "no-store");
        co_return unchanged;
    }
    http::FileBody body{.file = {}, .offset = 0, .length = stat.size};
    http::Response response;
    if (range_applies(call.request.head.headers, tag)) {
        const auto range = http::read_range(call.request.head.headers.get("Range"), stat.size);
        if (range.verdict == http::RangeVerdict::unsatisfiable)
            co_return unsatisfiable(stat.size);
        if (range.verdict == http::RangeVerdict::partial) {
            body.offset = range.range.first;
            body.length = range.range.length;
            response.status = 206;
            response.headers.set("Content-Range",
                                 "bytes " + std::to_string(body.offset) + "-" +
                                     std::to_string(body.offset + body.length - 1) + "/" +
                                     std::to_string(stat.size));
        }
    }
    body.file = std::move(opened->first);
    response.headers.set("Content-Type", "application/octet-stream");
    response.headers.set("Accept-Ranges", "bytes");
    response.headers.set("ETag", tag);
    response.headers.set("Cache-Control", "no-store");
    response.body = std::move(body);
    co_return response;
}

// Reads the body into a file that appears under its name only when it is whole.
Async<bool> FilesApi::store(Call& call, std::string path) {
    const auto id = call.parameter("id");
    if (call.caller.verbs.contains(auth::Verb::modify) == false) {
        // compute.create is enough for what belongs to the submission.
        const auto job = co_await service_.find(call.caller.owner, id);
        if (!job)
            co_return job.error();
        if (job->status.state != jobs::State::uploading)
            co_return Error{ErrorKind::forbidden,
                            "after the declared files are there, the token needs compute.modify",
                            "scope"};
    }
    auto upload = co_await service_.begin_upload(call.caller.owner, id, std::move(path));
    if (!upload)
        co_return upload.error();
    for (;;) {
        auto piece = co_await call.request.body->read(piece_bytes);
        if (!piece)
            co_return piece.error();
        if (piece->empty())
            break;
        auto written = co_await service_.write_upload(**upload, std::move(*piece));
        if (!written)
            co_return written.error();
    }
    co_return co_await service_.finish_upload(call.caller.owner, id, std::move(*upload));
}

FilesApi::Answer FilesApi::write(Call& call) {
    auto path = path_of(call);
    if (!path)
        co_return http::problem(path.error());
    if (call.request.head.headers.contains("Content-Range"))
        co_return http::problem(
            Error{ErrorKind::invalid, "a file is uploaded as a whole", "Content-Range"});
    const auto mine = co_await service_.find(call.caller.owner, call.parameter("id"));
    if (!mine)
        co_return http::problem(mine.error());
    if (is_output(*path))
        co_return http::problem(written_by_job());
    const auto& headers = call.request.head.headers;
    if (headers.contains("If-Match") || headers.contains("If-None-Match")) {
        const auto present =
            co_await service_.open_file(call.caller.owner, call.parameter("id"), *path);
        const auto tag = present ? entity_tag(present->second) : std::string();
        if (precondition(headers, tag, false) != 0)
            co_return not_as_expected();
    }
    const auto fresh = co_await store(call, std::move(*path));
    if (!fresh && fresh.error().field == "scope")
        co_return refuse(fresh.error(), {auth::Verb::modify});
    if (!fresh)
        co_return http::problem(fresh.error());
    co_return http::Response{.status = *fresh ? 201 : 204};
}

FilesApi::Answer FilesApi::remove(Call& call) {
    auto path = path_of(call);
    if (!path)
        co_return http::problem(path.error());
    const auto mine = co_await service_.find(call.caller.owner, call.parameter("id"));
    if (!mine)
        co_return http::problem(mine.error());
    if (is_output(*path))
        co_return http::problem(written_by_job());
    const auto done =
        co_await service_.remove_file(call.caller.owner, call.parameter("id"), std::move(*path));
    if (!done)
        co_return http::problem(done.error());
    co_return http::Response{.status = 204};
}

}  // namespace berth::api
