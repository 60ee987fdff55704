#include "store/record_json.hpp"

#include "base/ids.hpp"
#include "base/strict_json.hpp"
#include "store/request_json.hpp"

#include <nlohmann/json.hpp>

namespace berth::store {

using nlohmann::json;

namespace {

constexpr int version = 1;
constexpr std::size_t depth_max = 8;

Error not_ours(const std::string& why) {
    return {ErrorKind::invalid, "the record of the job cannot be used: " + why};
}

jobs::JobRow job_from(const json& body) {
    jobs::JobRow job;
    job.id = body.at("id");
    job.issuer = body.at("issuer");
    job.subject = body.at("subject");
    job.account = body.at("account");
    job.batch_account = body.at("batch_account");
    job.name = body.at("name");
    job.queue = body.at("queue");
    job.project = body.at("project");
    job.directives = body.at("directives");
    job.secret_hash = body.at("secret_hash");
    job.created = from_ms(body.at("created"));
    job.status.attempts = body.at("attempts");
    return job;
}

}  // namespace

std::string to_json(const jobs::SessionRecord& record) {
    const auto& job = record.job;
    const json body = {{"version", version},
                       {"id", job.id},
                       {"issuer", job.issuer},
                       {"subject", job.subject},
                       {"account", job.account},
                       {"batch_account", job.batch_account},
                       {"name", job.name},
                       {"queue", job.queue},
                       {"project", job.project},
                       {"directives", job.directives},
                       {"secret_hash", job.secret_hash},
                       {"created", to_ms(job.created)},
                       {"attempts", job.status.attempts},
                       {"script_hash", record.script_hash},
                       {"request", json::parse(to_json(*record.request))}};
    return body.dump();
}

Result<jobs::SessionRecord> record_from_json(std::string_view text, std::string script) {
    auto body = parse_strict_json(text, depth_max);
    if (!body)
        return not_ours(body.error().message);
    try {
        if (body->at("version") != version)
            return not_ours("it was written by another version of Berth");
        jobs::SessionRecord record{.job = job_from(*body)};
        record.script_hash = body->at("script_hash");
        record.request = std::make_shared<const jobs::Request>(
            from_json(body->at("request").dump(), std::move(script)));
        if (!is_job_id(record.job.id))
            return not_ours("it has no job id");
        return record;
    } catch (const json::exception& error) {
        return not_ours(error.what());
    }
}

}  // namespace berth::store
