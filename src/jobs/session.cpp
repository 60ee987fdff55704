#include "jobs/session.hpp"

#include "base/ids.hpp"
#include "base/text.hpp"

namespace berth::jobs {

Fence parse_fence(std::string_view link) {
    if (link.starts_with("void:"))
        return {.kind = Fence::Kind::voided};
    const auto first = link.find(':');
    const auto last = link.rfind(':');
    if (first == std::string_view::npos || first == 0 || last == first || last + 1 == link.size())
        return {};
    return {.kind = Fence::Kind::taken,
            .tag = std::string(link.substr(0, first)),
            .batch_id = std::string(link.substr(first + 1, last - first - 1)),
            .nonce = std::string(link.substr(last + 1))};
}

std::optional<Marker> parse_marker(std::string_view text) {
    Marker marker;
    bool has_code = false;
    for (const auto line : split(text, '\n')) {
        const auto at = line.find('=');
        if (at == std::string_view::npos)
            continue;
        const auto key = line.substr(0, at), value = line.substr(at + 1);
        if (key == "code") {
            const auto code = to_number<unsigned>(value);
            if (!code || *code > 255)
                return std::nullopt;
            marker.code = static_cast<int>(*code);
            has_code = true;
        } else if (key == "told") {
            marker.told = value;
        } else if (key == "started") {
            marker.started_s = to_number<std::int64_t>(value).value_or(0);
        } else if (key == "ended") {
            marker.ended_s = to_number<std::int64_t>(value).value_or(0);
        } else if (key == "nonce") {
            marker.nonce = value;
        }
    }
    if (!has_code || marker.nonce.empty())
        return std::nullopt;
    return marker;
}

std::optional<SessionEvent> parse_event_name(std::string_view name) {
    const auto parts = split(name, '.');
    if (parts.size() != 4 || parts[0].empty() || parts[2].empty())
        return std::nullopt;
    const auto index = to_number<unsigned>(parts[1]);
    if (!index || (parts[3] != "started" && parts[3] != "alive" && parts[3] != "ended"))
        return std::nullopt;
    return SessionEvent{.tag = std::string(parts[0]),
                        .nonce = std::string(parts[2]),
                        .kind = std::string(parts[3]),
                        .index = *index};
}

std::string session_path(std::string_view job_id) {
    return "jobs/" + std::string(job_id.substr(job_id.size() - 2)) + "/" + std::string(job_id);
}

}  // namespace berth::jobs
