#include "cache/repositories.hpp"

#include "base/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace berth::cache {

namespace asio = boost::asio;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t document_bytes_max = 256U << 10U;
constexpr std::chrono::seconds lifetime_default{61};  // as cvmfs_server's Apache says
constexpr std::chrono::seconds lifetime_max{300};
constexpr std::chrono::seconds retry_offline{10};
constexpr auto whole_limit = std::chrono::milliseconds(4000);  // the client gives up after 5 s

}  // namespace

Repositories::Repositories(Parts parts, std::vector<RepositorySettings> settings)
    : parts_(std::move(parts)), tasks_(parts_.loop) {
    for (auto& one : settings) {
        auto& made = all_[one.name];
        made.settings = std::move(one);
        made.done = std::make_unique<asio::steady_timer>(parts_.loop,
                                                         asio::steady_timer::time_point::max());
    }
}

const std::vector<ServerUrl>& Repositories::servers(const std::string& name) const {
    static const std::vector<ServerUrl> none;
    const auto found = all_.find(name);
    return found == all_.end() ? none : found->second.settings.servers;
}

Async<Repositories::Document> Repositories::manifest(std::string name) {
    auto& repository = all_.at(name);
    auto refreshed = co_await refresh(repository);
    if (!repository.manifest.bytes)
        co_return refreshed.error();
    co_return answer(repository, repository.manifest);
}

Async<Repositories::Document> Repositories::whitelist(std::string name) {
    auto& repository = all_.at(name);
    auto refreshed = co_await refresh(repository);
    if (!repository.whitelist.bytes)
        co_return refreshed.error();
    co_return answer(repository, repository.whitelist);
}

Result<Repositories::Document> Repositories::answer(const Repository& repository,
                                                    const Copy& copy) const {
    const auto age = copy.freshness.age(parts_.clock.wall());
    Document document{.bytes = copy.bytes, .headers = {}};
    document.headers.add("Content-Type", "application/x-cvmfs");
    document.headers.add("Cache-Control",
                         "max-age=" + std::to_string(copy.freshness.lifetime.count()));
    document.headers.add("Age", std::to_string(age.count()));
    if (repository.offline)
        document.headers.add("Warning", "111 berth \"the servers cannot be reached\"");
    return document;
}

// One refresh for everybody; fresh copies need none.
Async<void> Repositories::refresh(Repository& repository) {
    const auto now = parts_.clock.wall();
    const bool fresh = repository.manifest.bytes && repository.manifest.freshness.is_fresh(now);
    const bool too_soon = parts_.clock.steady() < repository.next_try;
    if (fresh || (too_soon && !repository.refreshing)) {
        if (fresh || repository.manifest.bytes)
            co_return Result<void>();
        co_return Error{ErrorKind::unavailable, repository.error};
    }
    if (!repository.refreshing) {
        repository.refreshing = true;
        tasks_.spawn("manifest", refresh_once(&repository));
    }
    while (repository.refreshing)
        co_await repository.done->async_wait(as_result);
    if (!repository.error.empty())
        co_return Error{ErrorKind::unavailable, repository.error};
    co_return Result<void>();
}

asio::awaitable<void> Repositories::refresh_once(Repository* repository) {
    Result<void> taken = Error{ErrorKind::unavailable, "the repository has no servers"};
    std::string errors;
    for (const auto& server : repository->settings.servers) {
        taken = co_await take_from(*repository, server);
        if (taken)
            break;
        errors +=
            (errors.empty() ? "" : "; ") + server.origin.name() + ": " + taken.error().message;
        log::warning("manifest_refused", {{"repository", repository->settings.name},
                                          {"server", server.origin.name()},
                                          {"error", taken.error().message}});
    }
    repository->offline = !taken;
    repository->error = taken ? std::string() : errors.empty() ? taken.error().message : errors;
    repository->next_try =
        parts_.clock.steady() + (taken ? std::chrono::seconds(0) : retry_offline);
    repository->refreshing = false;
    repository->done->cancel();
}

Async<Repositories::Copy> Repositories::get(const ServerUrl& server, const char* name) {
    UpstreamCall call{.origin = server.origin, .target = server.base + "/" + name};
    call.headers.add("User-Agent", "berth/" BERTH_VERSION);
    call.headers.add("Accept", "*/*");
    call.head_timeout = whole_limit;
    const auto requested = parts_.clock.wall();
    auto opened = co_await parts_.upstream.open(std::move(call));
    if (!opened)
        co_return opened.error();
    auto& reply = **opened;
    if (reply.head().status != 200)
        co_return Error{ErrorKind::unavailable,
                        std::string(name) + ": status " + std::to_string(reply.head().status)};
    Copy copy;
    copy.freshness = freshness_of(reply.head().headers, 200, requested, parts_.clock.wall());
    if (!response_controls(reply.head().headers).max_age)
        copy.freshness.lifetime = lifetime_default;
    copy.freshness.lifetime = std::min(copy.freshness.lifetime, lifetime_max);
    std::string bytes;
    for (;;) {
        auto piece = co_await reply.read(whole_limit);
        if (!piece)
            co_return piece.error();
        if (piece->empty())
            break;
        bytes += *piece;
        if (bytes.size() > document_bytes_max)
            co_return Error{ErrorKind::too_large, std::string(name) + " is too large"};
    }
    copy.bytes = std::make_shared<const std::string>(std::move(bytes));
    co_return copy;
}

// The whole chain from one server: whitelist when it is needed, manifest, certificate.
Async<void> Repositories::take_from(Repository& repository, const ServerUrl& server) {
    const auto& name = repository.settings.name;
    auto copy = co_await get(server, ".cvmfspublished");
    if (!copy)
        co_return copy.error();
    const bool same = repository.manifest.bytes && *copy->bytes == *repository.manifest.bytes;
    const auto now = parts_.clock.wall();
    const bool listed = repository.listed && repository.listed->expires > now;
    if (same && listed && repository.verified) {
        repository.manifest.freshness = copy->freshness;
        repository.verified = now;
        co_return Result<void>();
    }
    auto manifest = read_manifest(*copy->bytes);
    if (!manifest)
        co_return manifest.error();
    if (repository.known && is_older(*manifest, *repository.known))
        co_return Error{ErrorKind::rejected, "revision " + std::to_string(manifest->revision) +
                                                 " is older than " +
                                                 std::to_string(repository.known->revision) +
                                                 ", which was served before"};
    auto list_copy = co_await get(server, ".cvmfswhitelist");
    if (!list_copy)
        co_return list_copy.error();
    auto whitelist = read_whitelist(*list_copy->bytes);
    if (!whitelist)
        co_return whitelist.error();
    auto good = check_whitelist(*whitelist, name, repository.settings.master_keys, now);
    if (!good)
        co_return good.error();
    auto certificate = co_await parts_.content(name, manifest->certificate, 'X');
    if (!certificate)
        co_return std::move(certificate.error()).within("certificate");
    good = check_manifest(*manifest, name, *certificate, *whitelist);
    if (!good)
        co_return good.error();
    parts_.remember(name, *copy->bytes);
    repository.manifest = std::move(*copy);
    repository.whitelist = std::move(*list_copy);
    repository.known = std::move(*manifest);
    repository.listed = std::move(*whitelist);
    repository.verified = now;
    co_return Result<void>();
}

void Repositories::recall(const std::string& name, const std::string& manifest_bytes) {
    const auto found = all_.find(name);
    if (found == all_.end())
        return;
    if (auto manifest = read_manifest(manifest_bytes))
        found->second.known = std::move(*manifest);
}

bool Repositories::forget_revision(const std::string& name) {
    const auto found = all_.find(name);
    if (found == all_.end())
        return false;
    auto& repository = found->second;
    repository.known.reset();
    repository.verified.reset();
    repository.manifest.freshness.lifetime = std::chrono::seconds(0);
    repository.next_try = SteadyTime();
    return true;
}

std::vector<Repositories::Health> Repositories::health() const {
    std::vector<Health> result;
    for (const auto& [name, repository] : all_) {
        Health one{.name = name, .error = repository.error, .offline = repository.offline};
        if (repository.known)
            one.revision = repository.known->revision;
        one.verified = repository.verified;
        if (repository.listed)
            one.whitelist_expires = repository.listed->expires;
        result.push_back(std::move(one));
    }
    return result;
}

}  // namespace berth::cache
