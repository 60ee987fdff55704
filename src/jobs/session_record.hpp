// What a session directory says of its job and of the attempts that were made for it, so that a
// store that does not know them (a restored backup) can take them up again.
//
// The lines are comments at the head of the launch file:
//   # berth-attempt TAG [INDEX]   one for each attempt, the newest last
//   # berth-job JSON              the job with its request, without the script and the secret
// Payloads can write them, like everything of their account: what is read is checked.
#pragma once

#include "jobs/rows.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::jobs {

struct SessionAttempt {
    std::string tag = {};
    std::optional<unsigned> index = {};  // in an array
    bool operator==(const SessionAttempt&) const = default;
};
std::string attempt_line(const SessionAttempt& attempt);
// Empty for a line of another form.
std::optional<SessionAttempt> parse_attempt_line(std::string_view line);

// At most this many attempts are kept in the launch file.
inline constexpr std::size_t session_attempts_max = 16;
// Of a text that begins with attempt lines.
std::vector<SessionAttempt> parse_attempt_lines(std::string_view text);

// Of the job's row: all that does not change, and how many attempts there were.
struct SessionRecord {
    JobRow job = {};
    std::shared_ptr<const Request> request = {};
    std::string script_hash = {};
};

// One entry of the session root.
struct SessionNote {
    std::string job_id = {};
    std::vector<SessionAttempt> attempts = {};  // none: it was made for uploads only
};

// The session root has this many parts, by the last two characters of the ids.
inline constexpr unsigned session_shards = 32 * 32;
std::string session_shard_path(unsigned shard);

}  // namespace berth::jobs
