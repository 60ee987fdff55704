// From the JSON of a submission to jobs::Request, member by member. Pure.
#pragma once

#include "base/result.hpp"
#include "jobs/request.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace berth::api {

struct RequestLimits {
    std::uint64_t body_bytes_max = 8ULL << 20U;
    std::uint64_t script_bytes_max = 1ULL << 20U;
    std::uint64_t file_bytes_max = 10ULL << 30U;
    unsigned count_max = 10'000;
    unsigned bulk_max = 1000;
};

// Errors: unprocessable with the member's path ("resources.nodes", "files[2]"); too_large for a
// script over the limit.
Result<jobs::Request> read_job_request(const nlohmann::json& value, const RequestLimits& limits);

// A path below a job's files: relative, no empty, "." or ".." part, no control bytes.
bool is_file_path(std::string_view path);

}  // namespace berth::api
