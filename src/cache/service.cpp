#include "cache/service.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "http/range.hpp"
#include "http/stream.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace berth::cache {

namespace asio = boost::asio;

namespace {

constexpr std::size_t piece_bytes = 256U << 10U;
constexpr std::size_t writing_max = 1000;  // small objects on their way to the disk
constexpr int rejoins_max = 4;             // after fetches that were cut

http::Response refusal(int status, std::string_view text) {
    http::Response response{.status = status};
    response.headers.add("Content-Type", "text/plain");
    response.headers.add("Cache-Control", "no-store");
    response.body = std::string(text) + "\n";
    return response;
}

void describe(http::Response& response, std::string_view state) {
    response.headers.set("Content-Type", "application/octet-stream");
    response.headers.set("Cache-Control", "max-age=259200");  // as cvmfs_server's Apache says
    response.headers.set("X-Cache", std::string(state) + " from berth");
}

// A body that is still arriving. When its bytes turn out wrong the connection is reset.
class ArrivingBody final : public http::Stream {
public:
    explicit ArrivingBody(std::shared_ptr<Fetch> fetch) : fetch_(std::move(fetch)) {}

    asio::awaitable<std::string> next() override {
        for (;;) {
            const auto state = fetch_->state();
            if (state == Fetch::State::cut || state == Fetch::State::failed)
                throw std::runtime_error("the object could not be brought whole");
            if (fetch_->available() > sent_) {
                auto piece = fetch_->read(sent_, piece_bytes);
                if (!piece)
                    throw std::runtime_error(piece.error().message);
                sent_ += piece->size();
                co_return std::move(*piece);
            }
            if (state == Fetch::State::verified)
                co_return std::string();
            co_await fetch_->changed();
        }
    }

private:
    std::shared_ptr<Fetch> fetch_;
    std::uint64_t sent_ = 0;
};

http::Response given_by(const std::shared_ptr<Fetch>& fetch, std::string_view state) {
    http::Response response;
    describe(response, state);
    if (fetch->whole()) {
        response.body = fetch->whole();
        return response;
    }
    if (fetch->length())
        response.headers.set("Content-Length", std::to_string(*fetch->length()));
    response.body = std::static_pointer_cast<http::Stream>(std::make_shared<ArrivingBody>(fetch));
    return response;
}

Result<ContentId> hash_file(Files* files, Key key) {
    auto file = files->open(key);
    if (!file)
        return file.error();
    ContentHash hash(key.content().algorithm);
    std::string buffer(piece_bytes, '\0');
    for (;;) {
        const auto got = ::read(file->get(), buffer.data(), buffer.size());
        if (got < 0)
            return Error{ErrorKind::unavailable, "a cached file cannot be read"};
        if (got == 0)
            return hash.value();
        hash.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
    }
}

Result<void> write_object(Files* files, Key key, std::shared_ptr<const std::string> whole,
                          std::unique_ptr<NewObject> object) {
    if (!object) {
        auto made = files->create();
        if (!made)
            return made.error();
        object = std::move(*made);
        if (auto written = object->write(*whole); !written)
            return written;
    }
    return files->keep(std::move(object), key);
}

void remove_objects(Files* files, std::vector<Key> keys) {
    std::vector<JournalRecord> records;
    for (const auto& key : keys) {
        files->remove(key);
        records.push_back({.kind = JournalRecord::Kind::remove, .key = key});
    }
    static_cast<void>(files->append(records));
}

Result<void> save_text(Files* files, std::string name, std::string text) {
    return files->save(std::move(name), std::move(text));
}

Result<void> append_record(Files* files, JournalRecord record) {
    return files->append({record});
}

}  // namespace

CacheService::CacheService(Parts parts, CacheSettings settings)
    : parts_(std::move(parts)),
      settings_(std::move(settings)),
      index_(settings_.disk_bytes),
      memory_(settings_.memory_bytes),
      fetcher_(
          {parts_.loop, parts_.disk, parts_.upstream, parts_.files, parts_.clock, parts_.metrics,
           [this](const ContentId& id, std::shared_ptr<Fetch> fetch) {
               keep(id, std::move(fetch));
           }},
          settings_.fetch),
      repositories_({parts_.loop, parts_.upstream, parts_.clock,
                     [this](std::string repository, ContentId id, char letter) {
                         return body_of(std::move(repository), id, letter);
                     },
                     [this](const std::string& repository, std::string record) {
                         tasks_.spawn("cache_save", save(repository, std::move(record)));
                     }},
                    settings_.repositories),
      urls_({parts_.loop, parts_.upstream, parts_.clock, parts_.metrics}, UrlSettings()),
      tasks_(parts_.loop) {
    parts_.metrics.describe("berth_cache_requests_total", "Requests of nodes, by outcome.");
    parts_.metrics.describe("berth_cache_bytes_total", "Bytes of content given to nodes.");
    permit(settings_.destinations);
}

// The servers of the repositories are permitted as well.
void CacheService::permit(std::vector<Destination> destinations) {
    for (const auto& repository : settings_.repositories)
        for (const auto& server : repository.servers)
            destinations.push_back({.host = server.origin.host, .port = server.origin.port});
    permitted_ = std::move(destinations);
}

void CacheService::reload(std::uint64_t free_bytes_min, std::vector<Destination> destinations) {
    settings_.free_bytes_min = free_bytes_min;
    permit(std::move(destinations));
}

Result<void> CacheService::start() {
    auto loaded = parts_.files.load(index_);
    if (loaded)
        log::info("cache_loaded", {{"entries", index_.size()}, {"bytes", index_.bytes()}});
    for (const auto& repository : settings_.repositories) {
        const auto record = parts_.files.saved(repository.name);
        if (!record)
            continue;  // never had a good one
        if (auto recalled = repositories_.recall(repository.name, *record); !recalled)
            log::warning("repository_not_recalled",
                         {{"repository", repository.name}, {"error", recalled.error().message}});
    }
    repositories_.start();
    return loaded;
}

asio::awaitable<void> CacheService::stop() {
    co_await repositories_.stop();
    co_await fetcher_.stop();
    co_await tasks_.idle(std::chrono::seconds(5));
    co_await tasks_.stop();
    static_cast<void>(parts_.files.append({{.kind = JournalRecord::Kind::closed}}));
}

CacheService::Status CacheService::status() const {
    return {.disk_bytes = index_.bytes(),
            .disk_capacity = index_.capacity(),
            .memory_bytes = memory_.bytes() + urls_.bytes(),
            .fetches = fetcher_.running(),
            .entries = index_.size(),
            .problem = problem_};
}

void CacheService::count(const ObjectName& name, const char* outcome, std::uint64_t bytes) {
    const std::string_view repository =
        repositories_.knows(name.repository) ? std::string_view(name.repository) : "other";
    parts_.metrics.add("berth_cache_requests_total", {{"kind", "content"}, {"outcome", outcome}});
    parts_.metrics.add("berth_cache_bytes_total",
                       {{"repository", repository}, {"outcome", outcome}},
                       static_cast<double>(bytes));
}

asio::awaitable<http::Response> CacheService::handle(Ask ask) {
    if (ask.method != "GET" && ask.method != "HEAD") {
        auto response = refusal(405, "only GET and HEAD are served here");
        response.headers.add("Allow", "GET, HEAD");
        co_return response;
    }
    if (ask.by_proxy && ask.scheme != "http")
        co_return refusal(403, "only http:// is fetched here");
    auto name = name_of(ask.path);
    auto sources = sources_of(ask, name);
    if (!sources) {
        parts_.metrics.add("berth_cache_requests_total", {{"kind", "any"}, {"outcome", "refused"}});
        const bool unknown = sources.error().kind == ErrorKind::not_found;
        co_return refusal(unknown ? 404 : 403, sources.error().message);
    }
    if (name.kind == Kind::content)
        co_return co_await content(std::move(ask), std::move(name), std::move(*sources));
    const bool judged = name.kind != Kind::other && repositories_.judges(name.repository);
    if (judged)
        co_return co_await document(std::move(name));
    co_return co_await urls_.handle(std::move(ask), std::move(sources->front()));
}

// The server that the client names comes first, then the others of the repository.
Result<std::vector<Source>> CacheService::sources_of(const Ask& ask, const ObjectName& name) const {
    std::vector<Source> sources;
    if (ask.by_proxy) {
        auto origin = find_origin(ask.authority, permitted_);
        if (!origin)
            return origin.error();
        sources.push_back({.origin = std::move(*origin), .target = ask.target});
    }
    const auto& servers = repositories_.servers(name.repository);
    const auto at = ask.target.find("/" + name.repository + "/");
    if (!servers.empty() && at != std::string::npos) {
        const auto rest = ask.target.substr(at + 1 + name.repository.size());
        for (const auto& server : servers) {
            Source source{.origin = server.origin, .target = server.base + rest};
            if (std::ranges::find(sources, source) == sources.end())
                sources.push_back(std::move(source));
        }
    }
    if (sources.empty())
        return Error{ErrorKind::not_found,
                     "no [[cache.repository]] of this name is configured here"};
    return sources;
}

CacheService::Answer CacheService::document(ObjectName name) {
    const bool wants_manifest = name.kind == Kind::manifest;
    Result<Repositories::Document> found = Error{};
    if (wants_manifest)
        found = co_await repositories_.manifest(name.repository);
    else
        found = co_await repositories_.whitelist(name.repository);
    const char* outcome = found ? "served" : "failed";
    parts_.metrics.add("berth_cache_requests_total", {{"kind", "manifest"}, {"outcome", outcome}});
    if (!found)
        co_return refusal(502, found.error().message);
    http::Response response{.headers = std::move(found->headers)};
    response.body = std::move(found->bytes);
    co_return response;
}

CacheService::Answer CacheService::content(Ask ask, ObjectName name, std::vector<Source> sources) {
    const auto key = Key::of(name.content);
    if (request_controls(ask.headers).no_cache && index_.find(key)) {
        // The client has had wrong bytes, from here or from its own disk.
        memory_.remove(key);
        index_.set_suspect(key, true);
    }
    auto response = co_await stored(ask, key);
    if (response) {
        count(name, "hit", 0);
        co_return std::move(*response);
    }
    if (const auto found = writing_.find(key); found != writing_.end()) {
        count(name, "hit", 0);
        co_return given_by(found->second, "HIT");
    }
    if (ask.method == "HEAD")
        co_return co_await pass_head(std::move(sources.front()));
    count(name, "miss", 0);
    co_return co_await from_fetch(name.content, std::move(sources));
}

// What the tiers have; nothing when it is a miss.
asio::awaitable<std::optional<http::Response>> CacheService::stored(const Ask& ask, Key key) {
    http::Response response;
    describe(response, "HIT");
    std::uint64_t size = 0;
    auto body = memory_.get(key);
    Descriptor file;
    if (body) {
        size = body->size();
    } else {
        const auto entry = index_.hit(key);
        if (!entry)
            co_return std::nullopt;
        if (entry->suspect) {
            const bool intact = co_await is_intact(key);
            if (!intact)
                co_return std::nullopt;
        }
        auto opened = parts_.files.open(key);
        struct stat info {};
        if (!opened || ::fstat(opened->get(), &info) != 0) {
            index_.remove(key);
            co_return std::nullopt;
        }
        file = std::move(*opened);
        size = static_cast<std::uint64_t>(info.st_size);
        if (size <= settings_.in_memory_max) {
            std::string text(static_cast<std::size_t>(size), '\0');
            if (::pread(file.get(), text.data(), text.size(), 0) == info.st_size) {
                body = std::make_shared<const std::string>(std::move(text));
                memory_.put(key, body);
            }
        }
    }
    const auto range = http::read_range(ask.headers.get("Range"), size);
    if (range.verdict == http::RangeVerdict::unsatisfiable) {
        response.status = 416;
        response.headers.set("Content-Range", "bytes */" + std::to_string(size));
        co_return response;
    }
    std::uint64_t first = 0, length = size;
    if (range.verdict == http::RangeVerdict::partial) {
        first = range.range.first;
        length = range.range.length;
        response.status = 206;
        response.headers.set("Content-Range", "bytes " + std::to_string(first) + "-" +
                                                  std::to_string(first + length - 1) + "/" +
                                                  std::to_string(size));
    }
    response.headers.set("Accept-Ranges", "bytes");
    if (body && length == size)
        response.body = std::move(body);
    else if (body)
        response.body =
            body->substr(static_cast<std::size_t>(first), static_cast<std::size_t>(length));
    else
        response.body = http::FileBody{.file = std::move(file), .offset = first, .length = length};
    co_return response;
}

// Hashes a stored object whose bytes are in doubt; a wrong one is dropped.
asio::awaitable<bool> CacheService::is_intact(Key key) {
    auto found = co_await offload(parts_.disk, hash_file, &parts_.files, key);
    if (found && *found == key.content()) {
        index_.set_suspect(key, false);
        co_return true;
    }
    log::warning("cached_object_damaged", {{"object", key.content().text()}});
    parts_.metrics.add("berth_cache_damaged_total");
    index_.remove(key);
    co_await drop(std::vector<Key>(1, key));
    co_return false;
}

CacheService::Answer CacheService::from_fetch(ContentId id, std::vector<Source> sources) {
    for (int turn = 0; turn < rejoins_max; ++turn) {
        const auto fetch = fetcher_.fetch(id, sources);
        if (!fetch)
            co_return refusal(403, "too many objects are being fetched; try another proxy");
        while (fetch->state() == Fetch::State::running && !fetch->streams() && !fetch->is_stalled())
            co_await fetch->changed();
        if (fetch->is_stalled())
            co_return refusal(504, "the servers of the repository do not answer in time");
        if (fetch->state() == Fetch::State::cut)
            continue;  // nothing of it was given out
        if (fetch->state() == Fetch::State::failed)
            co_return refusal(fetch->status(), "no server of the repository gives this object");
        co_return given_by(fetch, "MISS");
    }
    co_return refusal(502, "every server of the repository gives wrong bytes");
}

CacheService::Answer CacheService::pass_head(Source source) {
    UpstreamCall call{.origin = source.origin, .target = source.target, .method = "HEAD"};
    call.head_timeout = settings_.fetch.last_stall;
    auto opened = co_await parts_.upstream.open(std::move(call));
    if (!opened)
        co_return refusal(502, opened.error().message);
    const auto& head = (*opened)->head();
    co_return http::Response{.status = head.status, .headers = end_to_end(head.headers)};
}

// For the cache's own needs: the certificate of a manifest.
Async<std::string> CacheService::body_of(std::string repository, ContentId id, char letter) {
    auto rest = "/" + id.path();
    if (letter != 0)
        rest += letter;
    std::vector<Source> sources;
    for (const auto& server : repositories_.servers(repository))
        sources.push_back({.origin = server.origin, .target = server.base + rest});
    const Ask ask{.target = rest};
    auto response = co_await stored(ask, Key::of(id));
    if (!response)
        response = co_await from_fetch(id, std::move(sources));
    const auto text = http::text_body(*response);
    if (response->status != 200 || !text)
        co_return Error{ErrorKind::unavailable, "the object " + id.text() + " cannot be had"};
    co_return std::string(*text);
}

void CacheService::keep(const ContentId& id, std::shared_ptr<Fetch> fetch) {
    const auto key = Key::of(id);
    if (const auto whole = fetch->whole(); whole && whole->size() <= settings_.in_memory_max)
        memory_.put(key, whole);
    if (writing_.size() >= writing_max)
        return;  // the disk does not keep up: it will be fetched again when memory forgets it
    writing_[key] = fetch;
    tasks_.spawn("cache_write", write_out(key, std::move(fetch)));
}

asio::awaitable<void> CacheService::write_out(Key key, std::shared_ptr<Fetch> fetch) {
    const auto size = fetch->size();
    const auto free = parts_.files.free_bytes();
    const bool full = free && *free < settings_.free_bytes_min + size;
    Result<void> written = Error{ErrorKind::unavailable, "the cache's disk is nearly full"};
    if (!full)
        written = co_await offload(parts_.disk, write_object, &parts_.files, key, fetch->whole(),
                                   fetch->take_file());
    const JournalRecord record{.kind = JournalRecord::Kind::insert, .key = key, .size = size};
    if (written)
        written = co_await offload(parts_.disk, append_record, &parts_.files, record);
    writing_.erase(key);
    problem_ = written ? std::string() : written.error().message;
    std::vector<Key> gone;
    if (written)
        gone = index_.insert({.key = key, .size = size});
    else
        log::warning("cache_write_failed", {{"error", problem_}});
    if (!gone.empty())
        co_await drop(std::move(gone));
}

asio::awaitable<void> CacheService::drop(std::vector<Key> keys) {
    for (const auto& key : keys)
        memory_.remove(key);
    co_await offload(parts_.disk, remove_objects, &parts_.files, std::move(keys));
}

asio::awaitable<void> CacheService::save(std::string repository, std::string record) {
    const auto saved =
        co_await offload(parts_.disk, save_text, &parts_.files, repository, std::move(record));
    if (!saved)
        log::warning("repository_not_saved",
                     {{"repository", repository}, {"error", saved.error().message}});
}

bool CacheService::purge(const Key& key) {
    memory_.remove(key);
    const bool url = urls_.purge(key);
    if (!index_.remove(key))
        return url;
    tasks_.spawn("cache_purge", drop(std::vector<Key>(1, key)));
    return true;
}

}  // namespace berth::cache
