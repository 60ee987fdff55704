// What session directories say of jobs that the store does not know.
#include "base/ids.hpp"
#include "base/text.hpp"
#include "store/record_json.hpp"
#include "store/session_files.hpp"
#include "store/session_paths.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace berth::store {

using jobs::session_path;

namespace {

constexpr std::size_t sessions_max = 20'000;          // in one shard
constexpr std::size_t attempts_bytes_max = 4096;      // the attempt lines are below this
constexpr std::size_t record_bytes_max = 16U << 20U;  // arguments and environment, escaped
constexpr std::size_t script_bytes_max = 64U << 20U;
constexpr std::size_t secret_bytes_max = 4096;
constexpr std::string_view job_head = "# berth-job ";

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

// At most `most` bytes of a regular file of our own.
Result<std::string> read_begin(int directory, const std::string& name, std::size_t most) {
    auto file = open_beneath(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file)
        return file.error();
    struct stat info {};
    if (::fstat(file->get(), &info) != 0)
        return system_error("read " + name, errno);
    if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid())
        return Error{ErrorKind::invalid, name + " is not a file of Berth"};
    std::string content(std::min(most, static_cast<std::size_t>(info.st_size)), '\0');
    std::size_t have = 0;
    while (have < content.size()) {
        const auto got = ::read(file->get(), content.data() + have, content.size() - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return system_error("read " + name, errno);
        if (got == 0)
            break;
        have += static_cast<std::size_t>(got);
    }
    content.resize(have);
    return content;
}

// The JSON of the first line that is no attempt.
std::string_view job_line(std::string_view text) {
    while (text.starts_with("# berth-attempt ")) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos)
            return {};
        text.remove_prefix(end + 1);
    }
    const auto end = text.find('\n');
    if (!text.starts_with(job_head) || end == std::string_view::npos)
        return {};
    return text.substr(job_head.size(), end - job_head.size());
}

}  // namespace

// The launch file with the record before it. A store that was restored may submit again a job that
// an attempt it does not know was made for: the earlier attempts stay.
Result<std::string> OwnFiles::launch_text(int root, const jobs::SessionInput& input,
                                          bool first) const {
    std::vector<jobs::SessionAttempt> attempts;
    if (!first) {
        const auto old =
            read_begin(root, session_path(input.job_id) + "/launch", attempts_bytes_max);
        if (old)
            attempts = jobs::parse_attempt_lines(*old);
        else if (old.error().kind != ErrorKind::not_found)
            return old.error();
    }
    attempts.push_back(input.attempt);
    const auto surplus = attempts.size() - std::min(attempts.size(), jobs::session_attempts_max);
    std::string text;
    for (std::size_t i = surplus; i < attempts.size(); ++i)
        text += jobs::attempt_line(attempts[i]);
    text += job_head;
    text += to_json(input.record);
    text += '\n';
    return text + input.launch;
}

Result<std::vector<jobs::SessionNote>> OwnFiles::list_sessions(const std::string&, unsigned shard) {
    auto root = open_marked_root();
    if (!root)
        return root.error();
    std::vector<jobs::SessionNote> notes;
    const auto path = jobs::session_shard_path(shard);
    auto folder = open_beneath(root->get(), path, O_RDONLY | O_DIRECTORY);
    if (!folder && folder.error().kind == ErrorKind::not_found)
        return notes;
    if (!folder)
        return folder.error();
    const std::unique_ptr<DIR, CloseDirectory> listing(::fdopendir(folder->release()));
    if (!listing)
        return system_error("list " + path, errno);
    const int here = ::dirfd(listing.get());
    while (const auto* entry = ::readdir(listing.get())) {
        jobs::SessionNote note{.job_id = entry->d_name};
        if (!is_job_id(note.job_id))
            continue;
        if (notes.size() >= sessions_max)
            return Error{ErrorKind::unavailable, "the folder " + path + " has more than " +
                                                     std::to_string(sessions_max) + " sessions"};
        const auto head = read_begin(here, note.job_id + "/launch", attempts_bytes_max);
        if (head)
            note.attempts = jobs::parse_attempt_lines(*head);
        else if (head.error().kind == ErrorKind::unavailable)
            return head.error();
        notes.push_back(std::move(note));
    }
    return notes;
}

Result<jobs::FoundSession> OwnFiles::find(const std::string&, const std::string& job_id) {
    auto root = open_marked_root();
    if (!root)
        return root.error();
    const auto path = session_path(job_id);
    const auto launch = read_begin(root->get(), path + "/launch", record_bytes_max);
    if (!launch)
        return launch.error();
    const auto line = job_line(*launch);
    if (line.empty())
        return Error{ErrorKind::not_found, "the session directory has no record of its job"};
    auto script = read_begin(root->get(), path + "/script", script_bytes_max);
    if (!script && script.error().kind != ErrorKind::not_found)
        return script.error();
    auto record = record_from_json(line, script ? std::move(*script) : std::string());
    if (!record)
        return record.error();
    if (record->job.id != job_id)
        return Error{ErrorKind::invalid, "the record is of another job"};
    if (record->request->script.empty() != record->script_hash.empty())
        return Error{ErrorKind::invalid, "the script of the job is not there"};
    auto secret = read_begin(root->get(), path + "/secret", secret_bytes_max);
    if (!secret)
        return secret.error();
    return jobs::FoundSession{.record = std::move(*record),
                              .secret = std::move(*secret),
                              .fence = read_fence(root->get(), job_id)};
}

}  // namespace berth::store
