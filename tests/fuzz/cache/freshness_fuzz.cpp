// The fields of a request, an empty line, the fields of an answer, an empty line, those of a 304.
// Whatever they say: lifetimes and ages stay in bounds, and what forbids keeping or using an
// answer is never overheard.
#include "base/text.hpp"
#include "cache/freshness.hpp"
#include "fuzz/require.hpp"
#include "http/field_line.hpp"

#include <array>

namespace {

using namespace berth::cache;
using namespace std::chrono_literals;
using berth::fuzz::require;
using berth::http::Headers;

const berth::WallTime now = berth::from_ms(1'800'000'000'000);

void check_storing(const RequestControls& request, const Headers& answer) {
    const auto controls = response_controls(answer);
    for (const int status : {200, 203, 206, 302, 404, 410, 500, 503}) {
        if (!may_store(status, request, answer))
            continue;
        require(!controls.no_store && !controls.is_private && !request.no_store && status != 206);
        require(!request.authorized || controls.is_public || controls.s_maxage ||
                controls.must_revalidate);
        require(!answer.contains("Set-Cookie"));
    }
}

void check_use(const RequestControls& request, const Headers& answer) {
    for (const int status : {200, 302, 404, 500}) {
        const auto stored = freshness_of(answer, status, now - 2s, now);
        require(stored.lifetime >= 0s && stored.age(now) >= 0s && stored.stale_if_error >= 0s);
        require(stored.age(now + 60s) >= stored.age(now));
        for (const auto later : {0s, 1s, 3600s, 86400s * 365}) {
            const auto use = use_of(stored, request, now + later);
            const bool stale = may_serve_stale(stored, request, now + later);
            if (stored.no_cache || request.no_cache)
                require(use == Use::revalidate && !stale);
            if (stored.must_revalidate)
                require(!stale && (use == Use::revalidate || stored.is_fresh(now + later)));
        }
    }
}

void check_fields(const Headers& answer, const Headers& not_modified) {
    const auto passed = end_to_end(answer);
    for (const auto* name : {"Connection", "Transfer-Encoding", "Proxy-Authorization", "TE"})
        require(!passed.contains(name));
    require(passed.all().size() <= answer.all().size());
    const auto updated = updated_by(passed, not_modified);
    require(updated.get("Content-Length") == passed.get("Content-Length"));
    require(updated.get("Content-Type") == passed.get("Content-Type"));
    if (not_modified.all().empty())
        require(!updated.contains("Age"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    std::array<Headers, 3> heads;
    std::size_t head = 0;
    for (const auto line : berth::split(input, '\n')) {
        if (line.empty()) {
            if (++head == heads.size())
                break;
            continue;
        }
        const auto read = berth::http::read_field_line(line);
        if (read.refusal == nullptr)
            heads[head].add(std::string(read.name), std::string(read.value));
        static_cast<void>(read_date(line));
    }
    const auto& [asked, answer, not_modified] = heads;
    const auto request = request_controls(asked);
    require(request.authorized == asked.contains("Authorization"));
    check_storing(request, answer);
    check_use(request, answer);
    check_fields(answer, not_modified);
    return 0;
}
