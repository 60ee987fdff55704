// The endpoints below /v1/jobs/{id}/files.
#pragma once

#include "api/api.hpp"

namespace berth::api {

// Threads: the control loop. Lifetime: the service outlives it.
class FilesApi {
public:
    explicit FilesApi(jobs::Service& service) : service_(service) {}

    using Answer = boost::asio::awaitable<http::Response>;
    Answer list(Call& call);
    Answer read(Call& call);
    Answer write(Call& call);
    Answer remove(Call& call);

private:
    Async<bool> store(Call& call, std::string path);

    jobs::Service& service_;
};

}  // namespace berth::api
