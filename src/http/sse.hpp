// Server-sent events (HTML standard, section 9.2): the text of one event.
#pragma once

#include <string>
#include <string_view>

namespace berth::http {

// A field that is "" is left out; `data` may have several lines. CR, LF and NUL in `id` and
// `event` are dropped, so that no value can begin another field or event.
struct ServerSentEvent {
    std::string id = {};
    std::string event = {};
    std::string data = {};
};

std::string format(const ServerSentEvent& event);

// A line that clients ignore; sent now and then, it shows a lost connection.
std::string sse_comment(std::string_view text = {});

}  // namespace berth::http
