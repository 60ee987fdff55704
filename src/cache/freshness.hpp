// What HTTP says about keeping and reusing an answer: RFC 9111 for a shared cache that serves GET
// and HEAD. Pure functions of heads and times; they are asked only for what is cached by its URL,
// because content objects never change.
#pragma once

#include "base/clock.hpp"
#include "http/message.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace berth::cache {

using std::chrono::seconds;

// What a client asks of caches on the way (RFC 9111 section 5.2.1).
struct RequestControls {
    bool no_cache = false;  // Cache-Control or Pragma: no-cache; Frontier sends Pragma beside
                            // another Cache-Control, and it counts all the same
    bool no_store = false;
    bool only_if_cached = false;
    bool authorized = false;  // has an Authorization field
    std::optional<seconds> max_age = {}, min_fresh = {};
    std::optional<seconds> max_stale = {};  // seconds::max() without a value
};
RequestControls request_controls(const http::Headers& headers);

// What the answer permits (RFC 9111 section 5.2.2).
struct ResponseControls {
    bool no_store = false, is_private = false, no_cache = false, must_revalidate = false;
    bool is_public = false;
    std::optional<seconds> max_age = {}, s_maxage = {}, stale_if_error = {};
};
ResponseControls response_controls(const http::Headers& headers);

// A stored answer, as far as its reuse goes.
struct Freshness {
    WallTime requested = {}, received = {};  // when it was asked for and when its head came
    seconds lifetime{0};
    seconds age_at_receipt{0};  // corrected (RFC 9111 section 4.2.3)
    seconds stale_if_error{0};
    bool must_revalidate = false;
    bool no_cache = false;  // may be kept, but not used without asking

    seconds age(WallTime now) const;
    bool is_fresh(WallTime now) const { return age(now) < lifetime; }
};
Freshness freshness_of(const http::Headers& headers, int status, WallTime requested,
                       WallTime received);

// RFC 9111 section 3, with what a cache of this kind does not take: parts (206), answers that
// vary by more than Accept-Encoding's absence, and 5xx without an explicit lifetime.
bool may_store(int status, const RequestControls& request, const http::Headers& response);

enum class Use {
    serve,       // as it is
    revalidate,  // ask first
};
Use use_of(const Freshness& stored, const RequestControls& request, WallTime now);
// Whether it may still be served when the servers cannot be asked.
bool may_serve_stale(const Freshness& stored, const RequestControls& request, WallTime now);

// IMF-fixdate and the two obsolete forms (RFC 9110 section 5.6.7).
std::optional<WallTime> read_date(std::string_view text);

// Fields that belong to one connection (RFC 9110 section 7.6.1, RFC 9111 section 3.1): they are
// neither stored nor passed on. Also those that the answer's Connection field names.
http::Headers end_to_end(const http::Headers& headers);

// The stored fields after a 304: those of the 304 replace theirs, but for what describes the body.
http::Headers updated_by(const http::Headers& stored, const http::Headers& not_modified);

}  // namespace berth::cache
