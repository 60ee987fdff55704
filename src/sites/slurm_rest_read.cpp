// What slurmrestd answers.
#include "base/strict_json.hpp"
#include "base/text.hpp"
#include "sites/slurm_rest.hpp"
#include "sites/slurm_words.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace berth::sites::slurm_rest {

using End = net::HttpAnswer::End;
using nlohmann::json;

namespace {

constexpr std::size_t depth_max = 32;
constexpr std::int64_t invalid_job_id = 2017;  // ESLURM_INVALID_JOB_ID
constexpr std::int64_t already_done = 2021;    // ESLURM_ALREADY_DONE
constexpr std::int64_t no_such_entry = 9002;   // ESLURM_DATA_PATH_NOT_FOUND
constexpr std::int64_t zero_bytes = 5005;      // what a refused token looks like
constexpr std::int64_t unspecified = -1;       // likewise, of a GET
constexpr std::size_t errors_max = 20;

// The answer's "errors": their numbers, and their words in one line.
struct Faults {
    std::vector<std::int64_t> numbers = {};
    std::string words = {};

    bool has(std::int64_t number) const {
        return std::ranges::find(numbers, number) != numbers.end();
    }
};

std::string text_of(const json& entry, const char* name) {
    const auto found = entry.find(name);
    return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

void add_fault(const json& entry, Faults& faults) {
    // v0.0.38 says "error_code" of a submission and "error_number" elsewhere.
    for (const auto* name : {"error_number", "error_code"})
        if (const auto number = entry.find(name);
            number != entry.end() && number->is_number_integer())
            faults.numbers.push_back(number->get<std::int64_t>());
    for (const auto* name : {"description", "error"}) {
        const auto words = text_of(entry, name);
        if (!words.empty())
            faults.words += (faults.words.empty() ? "" : "; ") + words;
    }
}

struct Read {
    json body = json::object();  // an object, empty when the answer is not one
    bool is_object = false;
    Faults faults = {};
};

Read read(const net::HttpAnswer& answer) {
    Read result;
    auto body = parse_strict_json(answer.body, depth_max);
    if (!body || !body->is_object()) {  // text/plain, of refusals that no plug-in saw
        result.faults.words = answer.body;
        return result;
    }
    result.is_object = true;
    result.body = std::move(*body);
    const auto errors = result.body.find("errors");
    if (errors == result.body.end() || !errors->is_array())
        return result;
    for (const auto& entry : *errors)
        if (entry.is_object() && result.faults.numbers.size() < errors_max)
            add_fault(entry, result.faults);
    return result;
}

std::string explained(const net::HttpAnswer& answer, std::string_view words) {
    if (answer.end != End::answered && answer.end != End::too_large)
        return "slurmrestd: " + answer.error;
    return "slurmrestd answered " + std::to_string(answer.status) + ": " + printable(trim(words));
}

Error failure(const net::HttpAnswer& answer, std::string_view words) {
    const auto kind = answer.end == End::timed_out ? ErrorKind::timed_out : ErrorKind::unavailable;
    return Error{kind, explained(answer, words)};
}

// The id of a submission, "" without one.
std::string id_of(const Read& answer) {
    const auto id = answer.body.find("job_id");
    if (id == answer.body.end() || !id->is_number_integer() || id->get<std::int64_t>() <= 0)
        return {};
    return std::to_string(id->get<std::int64_t>());
}

}  // namespace

jobs::SubmitOutcome read_submit(const net::HttpAnswer& answer,
                                std::span<const std::string> site_rejections) {
    using Kind = jobs::SubmitOutcome::Kind;
    jobs::SubmitOutcome result;
    if (answer.end == End::not_sent) {
        result.kind = Kind::rejected;
        result.retry = true;
    }
    result.message = explained(answer, "");
    if (answer.end != End::answered)
        return result;
    const auto found = read(answer);
    result.message = explained(answer, found.faults.words);
    result.batch_id = answer.status == 200 ? id_of(found) : "";
    if (!result.batch_id.empty()) {
        result.kind = Kind::accepted;
        result.message.clear();
        return result;
    }
    // Refused before Slurm was asked: the token, the path.
    if (answer.status == 401 || is_unknown_path(answer)) {
        result.kind = Kind::rejected;
        result.retry = true;
        return result;
    }
    // 400: the request itself was not understood. Other failures are judged by Slurm's words; any
    // other status is of something between, and proves nothing.
    const auto verdict = slurm::verdict_of(found.faults.words, site_rejections);
    const bool misunderstood =
        answer.status == 400 && verdict == slurm::Verdict::unknown && !found.faults.has(zero_bytes);
    if (misunderstood || (answer.status == 500 && verdict != slurm::Verdict::unknown))
        result.kind = Kind::rejected;
    result.retry = result.kind == Kind::rejected && verdict == slurm::Verdict::retry;
    return result;
}

Result<bool> carries(const net::HttpAnswer& answer, std::string_view tag) {
    if (answer.end != End::answered)
        return failure(answer, "");
    const auto found = read(answer);
    if (found.faults.has(invalid_job_id) || found.faults.has(no_such_entry))
        return false;
    const auto jobs = found.body.find("jobs");
    if (answer.status != 200 || jobs == found.body.end() || !jobs->is_array() ||
        !found.faults.numbers.empty())
        return failure(answer, found.faults.words);
    return !jobs->empty() && std::ranges::all_of(*jobs, [&](const json& job) {
        return job.is_object() && text_of(job, "name") == tag;
    });
}

Result<void> read_cancel(const net::HttpAnswer& answer) {
    if (answer.end != End::answered)
        return failure(answer, "");
    const auto found = read(answer);
    const auto& faults = found.faults;
    if (faults.has(invalid_job_id) || faults.has(already_done))
        return {};
    if (answer.status == 200 && found.is_object && faults.numbers.empty() && faults.words.empty())
        return {};
    if (faults.words.find("Access/permission denied") != std::string::npos)
        return Error{ErrorKind::rejected, explained(answer, faults.words)};
    return failure(answer, faults.words);
}

Result<std::string> read_token(const Outcome& outcome) {
    if (auto failed = slurm::query_error(outcome))
        return std::move(*failed).within("scontrol token");
    constexpr std::string_view label = "SLURM_JWT=";
    std::string_view token = trim(outcome.output);
    const bool well_formed = token.starts_with(label) && token.size() > label.size() &&
                             token.size() < 8192 &&
                             std::ranges::all_of(token.substr(label.size()), [](char c) {
                                 return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                        (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                             });
    if (!well_formed)  // and never its text, which may hold one
        return Error{ErrorKind::unavailable, "scontrol token printed no token"};
    return std::string(token.substr(label.size()));
}

Result<std::string> read_slurm_user(const Outcome& outcome) {
    if (auto failed = slurm::query_error(outcome))
        return std::move(*failed).within("scontrol show config");
    for (const auto line : split(outcome.output, '\n')) {
        const auto mark = line.find('=');
        if (mark == std::string_view::npos || trim(line.substr(0, mark)) != "SlurmUser")
            continue;
        const auto user = trim(line.substr(mark + 1));  // "slurm(64030)"
        return std::string(user.substr(0, user.find('(')));
    }
    return Error{ErrorKind::unavailable, "scontrol show config names no SlurmUser"};
}

bool is_unknown_path(const net::HttpAnswer& answer) {
    return answer.end == End::answered && answer.status == 404;
}

bool is_refused(const net::HttpAnswer& answer) {
    if (answer.end != End::answered || answer.status == 200)
        return false;
    if (answer.status == 401)
        return true;
    const auto faults = read(answer).faults;
    return answer.status == 500 && (faults.has(zero_bytes) || faults.has(unspecified));
}

}  // namespace berth::sites::slurm_rest
