#include "jobs/session_record.hpp"

#include "base/text.hpp"

namespace berth::jobs {

namespace {

constexpr std::string_view attempt_head = "# berth-attempt ";

char sortable(unsigned value) {
    return static_cast<char>(value < 10 ? '0' + value : 'a' + (value - 10));
}

}  // namespace

std::string attempt_line(const SessionAttempt& attempt) {
    std::string line(attempt_head);
    line += attempt.tag;
    if (attempt.index)
        line += " " + std::to_string(*attempt.index);
    return line + "\n";
}

std::optional<SessionAttempt> parse_attempt_line(std::string_view line) {
    if (!line.starts_with(attempt_head))
        return std::nullopt;
    const auto words = split(line.substr(attempt_head.size()), ' ');
    if (words.size() > 2 || words[0].empty())
        return std::nullopt;
    SessionAttempt attempt{.tag = std::string(words[0])};
    if (words.size() == 2) {
        attempt.index = to_number<unsigned>(words[1]);
        if (!attempt.index)
            return std::nullopt;
    }
    return attempt;
}

std::vector<SessionAttempt> parse_attempt_lines(std::string_view text) {
    std::vector<SessionAttempt> attempts;
    while (attempts.size() < session_attempts_max) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos)
            break;
        auto attempt = parse_attempt_line(text.substr(0, end));
        if (!attempt)
            break;
        attempts.push_back(std::move(*attempt));
        text.remove_prefix(end + 1);
    }
    return attempts;
}

std::string session_shard_path(unsigned shard) {
    return std::string("jobs/") + sortable(shard / 32) + sortable(shard % 32);
}

}  // namespace berth::jobs
