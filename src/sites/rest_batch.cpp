#include "sites/rest_batch.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

#include <algorithm>

namespace berth::sites {

namespace asio = boost::asio;
using End = net::HttpAnswer::End;
using slurm_rest::Dialect;

namespace {

constexpr unsigned version_that_was_run = 38;

std::string_view word_for(const net::HttpAnswer& answer) {
    switch (answer.end) {
        case End::answered:
            return answer.status == 200 ? "ok" : "failed";
        case End::not_sent:
            return "not_sent";
        case End::cut:
            return "cut";
        case End::timed_out:
            return "timed_out";
        case End::too_large:
            return "too_large";
    }
    return "cut";  // not reached; the switch names every end
}

unsigned threads_for(const HostSettings& host) {
    return host.submit_width + host.control_width;
}

}  // namespace

RestBatch::RestBatch(asio::io_context& loop, SlurmSettings slurm, RestSettings settings,
                     CommandRunner& runner, HostSettings host, Clock& clock, Metrics& metrics)
    : slurm_(slurm),
      commands_(loop, std::make_unique<Slurm>(slurm), runner, host, clock, metrics),
      settings_(std::move(settings)),
      host_(host),
      rejections_(slurm.rejections),
      clock_(clock),
      metrics_(metrics),
      token_(loop, slurm_, settings_.account, runner, clock),
      lanes_(loop),
      client_({settings_.server, threads_for(host)}) {
    metrics_.describe("berth_batch_request_seconds", "Time of requests to slurmrestd.");
    metrics_.describe("berth_batch_requests_total", "Requests to slurmrestd, by outcome.");
}

net::HttpCall RestBatch::call(std::string method, std::string path, std::string body) const {
    net::HttpCall call;
    call.method = std::move(method);
    call.path = std::move(path);
    call.body = std::move(body);
    call.deadline = settings_.time_limit;
    if (!call.body.empty())
        call.fields.emplace_back("Content-Type: application/json");
    return call;
}

asio::awaitable<net::HttpAnswer> RestBatch::ask(std::string verb, net::HttpCall call) {
    const auto width = verb == "submit" ? host_.submit_width : host_.control_width;
    co_await lanes_.enter(verb, std::max(1U, width));
    const Lanes::Place place(lanes_, verb);
    if (needs_token()) {
        auto token = co_await token_.get();
        if (!token) {
            net::HttpAnswer answer;
            answer.error = token.error().message;
            co_return answer;
        }
        call.fields.push_back("X-SLURM-USER-NAME: " + settings_.account);
        call.fields.push_back("X-SLURM-USER-TOKEN: " + *token);
    }
    const auto began = clock_.steady();
    auto answer = co_await client_.send(std::move(call));
    const std::chrono::duration<double> took = clock_.steady() - began;
    const std::string name(slurm_.name());
    metrics_.observe("berth_batch_request_seconds", {{"batch", name}, {"verb", verb}},
                     took.count());
    metrics_.add("berth_batch_requests_total",
                 {{"batch", name}, {"verb", verb}, {"outcome", word_for(answer)}});
    if (needs_token() && slurm_rest::is_refused(answer))
        token_.discard();
    co_return answer;
}

// The newest version that both speak: the ping of an unknown one is 404.
Async<Dialect> RestBatch::find_dialect() {
    if (dialect_)
        co_return *dialect_;
    co_await lanes_.enter("probe", 1);
    const Lanes::Place place(lanes_, "probe");
    if (dialect_)  // found while this one waited
        co_return *dialect_;
    for (const auto& candidate : slurm_rest::dialects()) {
        if (settings_.version != "auto" &&
            slurm_rest::dialect_named(settings_.version) != &candidate)
            continue;
        auto ping = call("GET", slurm_rest::path_of(candidate, "ping"), std::string());
        const auto answer = co_await ask("ping", std::move(ping));
        if (slurm_rest::is_unknown_path(answer))
            continue;
        if (answer.end != End::answered || answer.status != 200) {
            const auto what = answer.end == End::answered
                                  ? "it answered " + std::to_string(answer.status) +
                                        " to a ping of " + slurm_rest::path_of(candidate, "")
                                  : answer.error;
            co_return Error{ErrorKind::unavailable,
                            "slurmrestd at " + settings_.server + ": " + what};
        }
        dialect_ = candidate;
        log::info("slurmrestd_found", {{"server", settings_.server},
                                       {"path", slurm_rest::path_of(candidate, "")},
                                       {"tested", candidate.version == version_that_was_run}});
        co_return candidate;
    }
    co_return Error{ErrorKind::unavailable, "slurmrestd at " + settings_.server +
                                                " speaks no version that Berth knows (" +
                                                settings_.version + ")"};
}

asio::awaitable<jobs::SubmitOutcome> RestBatch::submit(jobs::SubmitIntent intent) {
    const Action action = slurm_.submit(intent);
    const auto found = co_await find_dialect();
    if (!found) {
        jobs::SubmitOutcome outcome;
        outcome.kind = jobs::SubmitOutcome::Kind::rejected;
        outcome.retry = true;
        outcome.message = found.error().message;
        co_return outcome;
    }
    auto body = slurm_rest::submission(action, *found);
    if (!body)
        co_return co_await commands_.submit(std::move(intent));
    auto request = call("POST", slurm_rest::path_of(*found, "job/submit"), *std::move(body));
    const auto answer = co_await ask("submit", std::move(request));
    if (slurm_rest::is_unknown_path(answer))
        dialect_.reset();  // slurmrestd has been upgraded
    co_return slurm_rest::read_submit(answer, rejections_);
}

Async<void> RestBatch::cancel_by_request(jobs::BatchTarget target) {
    const auto found = co_await find_dialect();
    if (!found)
        co_return found.error();
    const auto path = slurm_rest::path_of(*found, "job/" + target.batch_id);
    auto look = call("GET", path, std::string());
    const auto shown = co_await ask("cancel", std::move(look));
    const auto ours = slurm_rest::carries(shown, target.tag);
    if (!ours)
        co_return ours.error();
    if (!*ours)
        co_return Result<void>();  // gone, or never ours
    auto act = call("DELETE", path, std::string());
    const auto answer = co_await ask("cancel", std::move(act));
    co_return slurm_rest::read_cancel(answer);
}

// A cancel can be repeated: where requests bring no success, scancel has the last word. One task
// of an array is its business too, whose DELETE is not in the documents, and so is what may be
// cancelled only while it waits: DELETE knows no states.
Async<void> RestBatch::cancel(jobs::BatchTarget target) {
    const bool plain = !target.index && !target.only_waiting && target.cluster.empty() &&
                       to_number<std::uint64_t>(target.batch_id).has_value();
    if (plain) {
        const auto done = co_await cancel_by_request(target);
        if (done)
            co_return Result<void>();
    }
    co_return co_await commands_.cancel(std::move(target));
}

Async<jobs::SiteLimits> RestBatch::limits() {
    auto limits = co_await commands_.limits();
    if (!limits)
        co_return limits;
    dialect_.reset();  // asked again, so that a slurmrestd that is gone is seen
    auto found = co_await find_dialect();
    if (!found)
        co_return std::move(found.error());
    limits->details["slurmrestd"] =
        settings_.server + slurm_rest::path_of(*found, std::string_view());
    co_return limits;
}

}  // namespace berth::sites
