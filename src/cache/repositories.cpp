#include "cache/repositories.hpp"

#include "base/log.hpp"
#include "cache/repository_record.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace berth::cache {

namespace asio = boost::asio;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t document_bytes_max = 256U << 10U;
constexpr std::chrono::seconds lifetime_default{61};  // as cvmfs_server's Apache says
constexpr std::chrono::seconds lifetime_max{300};
constexpr std::chrono::seconds retry_offline{10};
// The client gives up after 5 s: each server but the last has this long for an answer's head, and
// who has an older copy gets that after `patience`.
constexpr std::chrono::milliseconds head_limit{1500}, last_head_limit{4000}, patience{2500};
constexpr std::chrono::milliseconds body_limit{4000};

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
    repository.asked = parts_.clock.steady();
    auto refreshed = co_await refresh(repository);
    if (!repository.manifest.bytes)
        co_return refreshed.error();
    co_return answer(repository, repository.manifest);
}

Async<Repositories::Document> Repositories::whitelist(std::string name) {
    auto& repository = all_.at(name);
    repository.asked = parts_.clock.steady();
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
    if (!repository.refreshing)
        begin_refresh(repository);
    co_await wait_for_refresh(repository);
    if (repository.refreshing)
        co_return Result<void>();  // the copy that is there
    if (!repository.error.empty())
        co_return Error{ErrorKind::unavailable, repository.error};
    co_return Result<void>();
}

// Until the refresh has ended; with a copy in hand not longer than `patience`.
asio::awaitable<void> Repositories::wait_for_refresh(Repository& repository) {
    const auto enough = std::make_shared<bool>(false);
    asio::steady_timer limit(parts_.loop, patience);
    if (repository.manifest.bytes)
        limit.async_wait([enough, done = repository.done.get()](boost::system::error_code error) {
            if (error)
                return;
            *enough = true;
            done->cancel();
        });
    while (repository.refreshing && !*enough)
        co_await repository.done->async_wait(as_result);
}

void Repositories::start() {
    for (auto& [name, repository] : all_)
        if (!repository.settings.master_keys.empty())
            begin_refresh(repository);
}

void Repositories::begin_refresh(Repository& repository) {
    if (std::exchange(repository.refreshing, true))
        return;
    tasks_.spawn("manifest", refresh_once(&repository));
}

asio::awaitable<void> Repositories::refresh_once(Repository* repository) {
    Result<void> taken = Error{ErrorKind::unavailable, "the repository has no servers"};
    std::string errors;
    const auto& servers = repository->settings.servers;
    for (std::size_t i = 0; i < servers.size(); ++i) {
        const auto name = servers[i].origin.name();
        taken = co_await take_from(*repository, servers[i], i + 1 == servers.size());
        if (taken)
            break;
        errors += (errors.empty() ? "" : "; ") + name + ": " + taken.error().message;
        log::warning("manifest_refused", {{"repository", repository->settings.name},
                                          {"server", name},
                                          {"error", taken.error().message}});
    }
    repository->offline = !taken;
    repository->error = taken ? std::string() : errors.empty() ? taken.error().message : errors;
    repository->next_try =
        parts_.clock.steady() + (taken ? std::chrono::seconds(0) : retry_offline);
    repository->refreshing = false;
    repository->done->cancel();
    if (taken) {
        repository->renewed = parts_.clock.steady();
        const auto lifetime = repository->manifest.freshness.lifetime;
        tasks_.spawn("manifest_ahead", refresh_ahead(repository, lifetime - lifetime / 5));
    }
}

// Shortly before the manifest is stale, when it has been asked for since it came: no node waits.
asio::awaitable<void> Repositories::refresh_ahead(Repository* repository,
                                                  std::chrono::milliseconds after) {
    const auto came = parts_.clock.steady();
    co_await sleep_for(after);
    const bool asked = repository->asked > came;
    const bool renewed = repository->renewed > came;
    if (asked && !renewed && !repository->offline)
        begin_refresh(*repository);
}

Async<Repositories::Copy> Repositories::get(const ServerUrl& server, const char* name,
                                            bool is_last) {
    UpstreamCall call{.origin = server.origin, .target = server.base + "/" + name};
    call.headers.add("User-Agent", "berth/" BERTH_VERSION);
    call.headers.add("Accept", "*/*");
    call.head_timeout = is_last ? last_head_limit : head_limit;
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
        auto piece = co_await reply.read(body_limit);
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
Async<void> Repositories::take_from(Repository& repository, const ServerUrl& server, bool is_last) {
    const auto& name = repository.settings.name;
    auto copy = co_await get(server, ".cvmfspublished", is_last);
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
    auto list_copy = co_await get(server, ".cvmfswhitelist", is_last);
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
    parts_.remember(name, encode({*copy->bytes, *list_copy->bytes, *certificate}));
    repository.manifest = std::move(*copy);
    repository.whitelist = std::move(*list_copy);
    repository.known = std::move(*manifest);
    repository.listed = std::move(*whitelist);
    repository.verified = now;
    co_return Result<void>();
}

Result<void> Repositories::recall(const std::string& name, const std::string& record) {
    const auto found = all_.find(name);
    const auto parts = decode_repository(record);
    if (found == all_.end() || !parts)
        return Error{ErrorKind::invalid, "the record of " + name + " is not whole"};
    auto& repository = found->second;
    auto manifest = read_manifest(parts->manifest);
    if (!manifest)
        return manifest.error();
    auto whitelist = read_whitelist(parts->whitelist);
    if (!whitelist)
        return whitelist.error();
    // It had not expired when it was accepted.
    const auto then = std::min(parts_.clock.wall(), whitelist->expires - std::chrono::seconds(1));
    if (auto good = check_whitelist(*whitelist, name, repository.settings.master_keys, then); !good)
        return good;
    if (content_id_of(manifest->certificate.algorithm, parts->certificate) != manifest->certificate)
        return Error{ErrorKind::rejected, "the certificate is not the one of the manifest"};
    if (auto good = check_manifest(*manifest, name, parts->certificate, *whitelist); !good)
        return good;
    repository.manifest.bytes = std::make_shared<const std::string>(parts->manifest);
    repository.whitelist.bytes = std::make_shared<const std::string>(parts->whitelist);
    repository.known = std::move(*manifest);
    repository.listed = std::move(*whitelist);
    return {};
}

bool Repositories::judges(const std::string& name) const {
    const auto found = all_.find(name);
    return found != all_.end() && !found->second.settings.master_keys.empty();
}

std::optional<Manifest> Repositories::known(const std::string& name) const {
    const auto found = all_.find(name);
    return found == all_.end() ? std::nullopt : found->second.known;
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
        one.judged = !repository.settings.master_keys.empty();
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
