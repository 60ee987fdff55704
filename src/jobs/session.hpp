// The session directory: how a job's inputs, its start fence and its exit marker look, and the
// port through which the engine touches them.
//
//   ROOT/jobs/XX/ID/           XX = the last two characters of the id
//       fence                  symbolic link to TAG:BATCHID:NONCE, or void:NONCE
//       exit.NONCE             exit marker of the start that NONCE names
//       launch  script  secret what the wrapper reads
//       files/                 the payload's working directory; the client's files, stdout, stderr
//   ROOT/scripts/SHA256        script texts; sessions hold hard links to them
//   ROOT/attempts/TAG          of an array: one session directory per line, by index
//   ROOT/events/               TAG.INDEX.NONCE.(started|alive|ended)
//   ROOT/.berth                written once; without it the root is not what it should be
#pragma once

#include "base/files.hpp"
#include "base/result.hpp"
#include "jobs/session_record.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::jobs {

struct Fence {
    enum class Kind {
        unreadable,  // the file system did not answer: nothing is known
        missing,     // the session directory is gone
        free,        // no start has won it
        taken,
        voided,  // by the engine: no start can win it any more
    };
    Kind kind = Kind::unreadable;
    std::string tag = {}, batch_id = {}, nonce = {};  // when taken
};
// From the link's text; unreadable when it has no known form.
Fence parse_fence(std::string_view link);

struct Marker {
    int code = 0;           // as the shell gives it: above 128 a signal, as a rule
    std::string told = {};  // the signal that the wrapper was sent: "TERM", "INT", "XCPU" or ""
    std::int64_t started_s = 0, ended_s = 0;  // the node's clock
    std::string nonce = {};
};
std::optional<Marker> parse_marker(std::string_view text);

// What one look at a session directory finds.
struct SessionView {
    Fence fence = {};
    std::optional<Marker> marker = {};  // of the start that the fence names
};

struct SessionEvent {
    std::string tag = {}, nonce = {}, kind = {};
    unsigned index = 0;
};
std::optional<SessionEvent> parse_event_name(std::string_view name);

// The path of a session directory below the root: "jobs/XX/ID".
std::string session_path(std::string_view job_id);

struct SessionInput {
    std::string job_id = {};
    std::string_view script = {};  // the text, of the request; "" when it is an uploaded file
    std::string script_hash = {};  // its SHA-256, hex
    std::string launch = {};
    std::string secret = {};
    bool fresh = true;  // false: the directory was made before; it must still be there
    SessionRecord record = {};
    SessionAttempt attempt = {};
};

// All that a session directory knows of its job.
struct FoundSession {
    SessionRecord record = {};
    std::string secret = {};
    Fence fence = {};
};

struct FileEntry {
    std::string path = {};
    std::uint64_t size = 0;
    std::int64_t modified_s = 0;
    bool directory = false;
};

// What a session directory holds. Folders and links are files, too.
struct Usage {
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
    bool operator==(const Usage&) const = default;
};

// A file that is being uploaded; it appears under its name when finish() succeeds.
class Upload {
public:
    virtual ~Upload() = default;
    virtual Result<void> write(std::string_view bytes) = 0;
    virtual Result<bool> finish() = 0;       // true: there was no file of that name before
    virtual std::uint64_t size() const = 0;  // bytes written so far
};

// Threads: blocking; called on the disk pool, several at a time.
// `account` is who owns the directory; with one account it is the daemon's own.
// Errors of all calls: not_found, forbidden (a path or link that leads out), unavailable (full,
// read-only, I/O error), conflict.
class SessionFiles {
public:
    virtual ~SessionFiles() = default;

    // Makes the root's folders, or checks that they are there. Errors also when the root belongs
    // to another instance.
    virtual Result<void> prepare_root() = 0;
    virtual std::string root() const = 0;

    // Makes one session directory with all that the wrapper needs. A directory that is there
    // already is completed. With fresh = false one that is gone is not_found, never made again.
    virtual Result<void> make(const std::string& account, const SessionInput& input) = 0;
    virtual Result<void> write_manifest(const std::string& account, const std::string& tag,
                                        const std::vector<std::string>& job_ids) = 0;
    virtual SessionView look(const std::string& account, const std::string& job_id) = 0;
    // Takes the fence for the engine; the result is the fence as it is afterwards.
    virtual Fence void_fence(const std::string& account, const std::string& job_id) = 0;
    // Takes at most `most` event files out of the events directory.
    virtual Result<std::vector<SessionEvent>> take_events(std::size_t most) = 0;
    // Removes the session directory and what hangs on it.
    virtual Result<void> remove(const std::string& account, const std::string& job_id) = 0;
    // All of the session directory, to a depth of 32 folders.
    virtual Result<Usage> measure(const std::string& account, const std::string& job_id) = 0;
    virtual Result<void> remove_manifest(const std::string& account, const std::string& tag) = 0;

    // For jobs that the store does not know: the sessions of one shard, and one of them as a whole
    // (not_found also when it has no record, invalid when that is not one of ours).
    virtual Result<std::vector<SessionNote>> list_sessions(const std::string& account,
                                                           unsigned shard) = 0;
    virtual Result<FoundSession> find(const std::string& account, const std::string& job_id) = 0;

    // Files below files/. `path` is relative and clean ("a/b"); links are never followed out.
    virtual Result<std::vector<FileEntry>> list(const std::string& account,
                                                const std::string& job_id, std::size_t most) = 0;
    virtual Result<Descriptor> open(const std::string& account, const std::string& job_id,
                                    const std::string& path) = 0;
    // At most `bytes_max` bytes; the site's own limits may be lower.
    virtual Result<std::unique_ptr<Upload>> upload(const std::string& account,
                                                   const std::string& job_id,
                                                   const std::string& path,
                                                   std::uint64_t bytes_max) = 0;
    virtual Result<void> remove_file(const std::string& account, const std::string& job_id,
                                     const std::string& path) = 0;
};

}  // namespace berth::jobs
