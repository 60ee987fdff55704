// What the store keeps of jobs. Plain values; docs/formats.md describes the tables.
#pragma once

#include "base/clock.hpp"
#include "jobs/request.hpp"
#include "jobs/state.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace berth::jobs {

using JobSeq = std::int64_t;  // the store's own number of a job; ascending with time

// Where the last news of a job came from.
enum class Source { store, queue, history, marker, event };
std::string_view to_string(Source source);
std::optional<Source> source_from(std::string_view name);

// Who asked for a job to be cancelled.
enum class CancelBy { nobody = 0, user = 1, site = 2, operator_ = 3 };

// The part of a job that changes.
struct Status {
    State state = State::accepted;
    Reason reason = Reason::none;
    std::string detail = {};            // a sentence, or the batch system's words
    std::optional<int> exit_code = {};  // 0-255
    int signal = 0;
    std::string batch_id = {};           // "123" or, of an array task, "123_4"
    std::string tag = {};                // of the current attempt
    std::optional<unsigned> index = {};  // of the current attempt, in an array
    unsigned attempts = 0;
    CancelBy cancel = CancelBy::nobody;
    bool hold = false;  // the client wants it held
    bool session_made = false;
    Source source = Source::store;
    WallTime updated = {};   // of the last change of state or reason
    WallTime observed = {};  // when `source` was read
    std::optional<WallTime> started = {}, ended = {};
    bool operator==(const Status&) const = default;
};

// A job without its request.
struct JobRow {
    JobSeq seq = 0;
    std::string id = {};
    std::string issuer = {}, subject = {}, account = {}, batch_account = {};
    std::string name = {}, queue = {}, project = {};
    std::uint64_t directives = 0;  // hash of all that the batch system sees: equal jobs share it
    std::string secret_hash = {};  // SHA-256 of the node secret, hex
    WallTime created = {};
    Status status = {};
};

struct EventRow {
    std::int64_t seq = 0;
    JobSeq job_seq = 0;
    std::string job_id = {}, issuer = {}, subject = {}, account = {};
    WallTime time = {};
    State from = State::accepted, to = State::accepted;
    Reason reason = Reason::none;
    Source source = Source::store;
    std::string detail = {};
};

enum class AttemptState {
    intent,  // durable, the command may or may not have run
    accepted,
    rejected,
    unknown,   // the command's outcome is not known; looked up by tag
    given_up,  // not found; a batch job that shows up with its tag is cancelled at sight
    voided,    // no start of it can win; its batch job is cancelled at sight
    over,
};
std::string_view to_string(AttemptState state);
std::optional<AttemptState> attempt_state_from(std::string_view name);

struct AttemptRow {
    std::string tag = {};
    AttemptState state = AttemptState::intent;
    bool array = false;
    std::string batch_id = {}, cluster = {}, account = {}, message = {};
    WallTime created = {}, updated = {};
    std::vector<JobSeq> jobs = {};  // by index
};

// A remembered answer. It belongs to (issuer, subject).
struct KeyRow {
    std::string issuer = {}, subject = {}, key = {};
    std::string body_hash = {};  // SHA-256 of the exact body bytes, hex
    int status = 0;
    std::string reply = {};  // the exact body of the answer
    std::string location = {};
    std::vector<std::string> job_ids = {};
    bool deleted = false;  // its jobs were forgotten on request: answered with 410
    WallTime created = {};
};

}  // namespace berth::jobs
