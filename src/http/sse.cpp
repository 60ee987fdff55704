#include "http/sse.hpp"

namespace berth::http {

namespace {

void append_line(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    for (const char c : value)
        if (c != '\r' && c != '\n' && c != '\0')
            out += c;
    out += '\n';
}

}  // namespace

std::string format(const ServerSentEvent& event) {
    std::string out;
    if (!event.id.empty())
        append_line(out, "id: ", event.id);
    if (!event.event.empty())
        append_line(out, "event: ", event.event);
    // CR, LF and CRLF all end a line for the client, so each part gets its own data field.
    std::string_view rest = event.data;
    while (!event.data.empty()) {
        const auto end = rest.find_first_of("\r\n");
        append_line(out, "data: ", rest.substr(0, end));
        if (end == std::string_view::npos)
            break;
        rest.remove_prefix(end + (rest.substr(end, 2) == "\r\n" ? 2 : 1));
    }
    return out + "\n";
}

std::string sse_comment(std::string_view text) {
    std::string out;
    append_line(out, ": ", text);
    return out + "\n";
}

}  // namespace berth::http
