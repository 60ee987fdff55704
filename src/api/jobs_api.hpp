// The endpoints below /v1/jobs that are about jobs themselves.
#pragma once

#include "api/api.hpp"

#include <nlohmann/json_fwd.hpp>

namespace berth::api {

// Threads: the control loop. Lifetime: the service outlives it.
class JobsApi {
public:
    JobsApi(jobs::Service& service, Clock& clock, std::shared_ptr<const ApiSettings> settings)
        : service_(service), clock_(clock), settings_(std::move(settings)) {}

    using Answer = boost::asio::awaitable<http::Response>;
    Answer submit(Call& call);
    Answer list(Call& call);
    Answer status(Call& call);
    Answer show(Call& call);
    Answer forget(Call& call);
    Answer cancel(Call& call) { return wish(call, jobs::Service::Wish::cancel); }
    Answer hold(Call& call) { return wish(call, jobs::Service::Wish::hold); }
    Answer release(Call& call) { return wish(call, jobs::Service::Wish::release); }
    Answer cancel_many(Call& call) { return wish_many(call, jobs::Service::Wish::cancel); }
    Answer hold_many(Call& call) { return wish_many(call, jobs::Service::Wish::hold); }
    Answer release_many(Call& call) { return wish_many(call, jobs::Service::Wish::release); }

private:
    Answer wish(Call& call, jobs::Service::Wish wish);
    Answer wish_many(Call& call, jobs::Service::Wish wish);
    http::Response dry_run(const jobs::Owner& owner, const jobs::SubmitCall& submission);
    Async<std::vector<std::string>> read_ids(Call& call);

    jobs::Service& service_;
    Clock& clock_;
    std::shared_ptr<const ApiSettings> settings_;
};

}  // namespace berth::api
