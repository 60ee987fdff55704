#include "sites/slurm_words.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace berth::sites::slurm {

using jobs::BatchState;

namespace {

// clang-format off
// slurm.h enum job_states and its flags (doc/html/job_state_codes.shtml), 22.05 to 26.05.
constexpr std::array<std::pair<std::string_view, BatchState>, 30> states{{
    {"PENDING",        BatchState::queued},
    {"CONFIGURING",    BatchState::queued},
    {"REQUEUED",       BatchState::queued},
    {"REQUEUE_FED",    BatchState::queued},
    {"POWER_UP_NODE",  BatchState::queued},
    {"EXPEDITING",     BatchState::queued},
    {"REQUEUE_HOLD",   BatchState::requeue_held},
    {"SPECIAL_EXIT",   BatchState::requeue_held},
    {"RESV_DEL_HOLD",  BatchState::held},
    {"RUNNING",        BatchState::running},
    {"SIGNALING",      BatchState::running},
    {"RESIZING",       BatchState::running},
    {"STAGE_OUT",      BatchState::running},
    {"SUSPENDED",      BatchState::suspended},
    {"STOPPED",        BatchState::suspended},
    {"COMPLETING",     BatchState::finishing},
    {"UPDATE_DB",      BatchState::finishing},
    {"COMPLETED",      BatchState::done},
    {"FAILED",         BatchState::failed},
    {"LAUNCH_FAILED",  BatchState::failed},
    {"RECONFIG_FAIL",  BatchState::failed},
    {"TIMEOUT",        BatchState::walltime},
    {"DEADLINE",       BatchState::walltime},
    {"OUT_OF_MEMORY",  BatchState::memory},
    {"NODE_FAIL",      BatchState::node_lost},
    {"BOOT_FAIL",      BatchState::node_lost},
    {"PREEMPTED",      BatchState::preempted},
    {"CANCELLED",      BatchState::cancelled},
    {"REVOKED",        BatchState::cancelled},
    {"OUT_OF_ME",      BatchState::memory},  // cut at ten characters by "OUT_OF_ME+" of old formats
}};

// The controller may have made the batch job before these were printed (slurm_errno 1000-1007,
// 1800-1803, 5000-5005, and "Unspecified error", which also covers plug-ins): never a rejection.
constexpr std::array uncertain{
    std::string_view("Socket timed out"),          std::string_view("Unable to contact slurm controller"),
    std::string_view("Communication connection"),  std::string_view("Message send failure"),
    std::string_view("Message receive failure"),   std::string_view("Zero Bytes were transmitted"),
    std::string_view("Unexpected message"),        std::string_view("Protocol authentication error"),
    std::string_view("Connection timed out"),      std::string_view("Connection reset"),
    std::string_view("standby mode"),
};

// Printed when no batch job was made, and a later try may do.
constexpr std::array busy{
    std::string_view("QOSMaxSubmitJob"),           std::string_view("AssocMaxSubmitJob"),
    std::string_view("AssocGrpSubmitJob"),         std::string_view("QOSGrpSubmitJob"),
    std::string_view("AssocMaxJobsLimit"),         std::string_view("MaxSubmitJobs"),
    std::string_view("temporarily unable to accept job"), std::string_view("Unable to create job record, try again"),
    std::string_view("Resource temporarily unavailable"), std::string_view("I/O error writing script/environment"),
    std::string_view("Requested nodes are busy"),  std::string_view("Required ports are in use"),
    std::string_view("Required partition not available"), std::string_view("System submissions disabled"),
    std::string_view("Partition in DOWN state"),   std::string_view("Requested operation is presently disabled"),
    std::string_view("the DB index is being set"), std::string_view("Requested partition configuration not available now"),
    std::string_view("Required node not available"), std::string_view("Requested reservation not usable now"),
    std::string_view("Error generating job credential"),
};

// Printed when no batch job was made, and none ever will be.
constexpr std::array refused{
    std::string_view("Invalid partition name"),    std::string_view("invalid partition specified"),
    std::string_view("No partition specified"),    std::string_view("Access/permission denied"),
    std::string_view("group not permitted to use this partition"), std::string_view("Requested nodes not in this partition"),
    std::string_view("More processors requested than permitted"), std::string_view("Node count specification invalid"),
    std::string_view("Job size specification"),    std::string_view("Job script not specified"),
    std::string_view("Invalid user id"),           std::string_view("Invalid group id"),
    std::string_view("Pathname of a file, directory or other parameter too long"),
    std::string_view("Requested node configuration is not available"), std::string_view("Invalid node name specified"),
    std::string_view("Task distribution specification invalid"), std::string_view("Task count specification invalid"),
    std::string_view("Invalid feature specification"), std::string_view("Invalid preferred feature"),
    std::string_view("Requested operation not supported"), std::string_view("Job dependency problem"),
    std::string_view("Requested more tasks than available"), std::string_view("Memory required by task is not available"),
    std::string_view("Memory specification can not be satisfied"), std::string_view("CPU count per node can not be satisfied"),
    std::string_view("Invalid account or account/partition"), std::string_view("Invalid license specification"),
    std::string_view("Requested time limit is invalid"), std::string_view("Access denied to requested reservation"),
    std::string_view("Requested reservation is invalid"), std::string_view("Invalid wckey specification"),
    std::string_view("Invalid qos specification"), std::string_view("CPU count specification invalid"),
    std::string_view("Circular job dependency"),   std::string_view("generic resource (gres) specification"),
    std::string_view("Invalid job array specification"), std::string_view("breached requested QOS usage threshold"),
    std::string_view("Burst Buffer permission denied"), std::string_view("Burst Buffer request invalid"),
    std::string_view("Burst Buffer resource limit exceeded"), std::string_view("Invalid mcs_label"),
    std::string_view("Invalid Trackable RESource"), std::string_view("Invalid GRES specification"),
    std::string_view("Invalid --"),                std::string_view("Invalid time limit specification"),
    std::string_view("Invalid time-min specification"), std::string_view("unrecognized option"),
    std::string_view("option requires an argument"), std::string_view("Invalid numeric value"),
    std::string_view("Batch script is empty"),     std::string_view("This does not look like a batch script"),
    std::string_view("contains DOS line breaks"),  std::string_view("Environment is missing in job"),
    std::string_view("Multiple partition job request not supported"),
};
// clang-format on

bool any_of(std::string_view text, std::span<const std::string_view> words) {
    return std::ranges::any_of(
        words, [&](auto word) { return text.find(word) != std::string_view::npos; });
}

}  // namespace

BatchState state_of(std::string_view word, bool started) {
    word = word.substr(0, word.find_first_of(" +"));
    for (const auto& [known, state] : states)
        if (word == known)
            return state;
    return started ? BatchState::running : BatchState::queued;
}

Verdict verdict_of(std::string_view text, std::span<const std::string> site_rejections) {
    if (any_of(text, uncertain))
        return Verdict::unknown;
    for (const auto& words : site_rejections)
        if (!words.empty() && text.find(words) != std::string_view::npos)
            return Verdict::rejected;
    if (any_of(text, busy))
        return Verdict::retry;
    if (any_of(text, refused))
        return Verdict::rejected;
    // One text for "too many jobs for now" and "too large for ever". Since 20.11 a line before it
    // names the limit: those that count submissions are in `busy`; without a name it is the
    // former more often.
    if (text.find("Job violates accounting/QOS policy") != std::string_view::npos) {
        const bool names_limit = any_of(
            text, std::array{std::string_view("error: QOS"), std::string_view("error: Assoc")});
        return names_limit ? Verdict::rejected : Verdict::retry;
    }
    return Verdict::unknown;
}

std::optional<ExitStatus> exit_status(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        const auto status = to_number<unsigned>(text);
        if (!status || *status > 0xffff)
            return std::nullopt;
        return ExitStatus{static_cast<int>(*status >> 8U), static_cast<int>(*status & 0x7fU)};
    }
    const auto code = to_number<unsigned>(text.substr(0, colon));
    const auto signal = to_number<unsigned>(text.substr(colon + 1));
    if (!code || !signal || *code > 255 || *signal > 255)
        return std::nullopt;
    return ExitStatus{static_cast<int>(*code), static_cast<int>(*signal & 0x7fU)};
}

std::optional<WallTime> time_of(std::string_view text) {
    const auto seconds = to_number<std::int64_t>(text);
    // Slurm's NO_VAL and INFINITE (2^32-2, 2^32-1) are no times either.
    if (!seconds || *seconds <= 0 || *seconds >= 4294967294)
        return std::nullopt;
    return WallTime(std::chrono::seconds(*seconds));
}

std::optional<unsigned> duration_s(std::string_view text) {
    if (text == "UNLIMITED" || text == "NONE" || text == "infinite" || text == "(null)")
        return 0;
    unsigned long total = 0;
    if (const auto dash = text.find('-'); dash != std::string_view::npos) {
        const auto days = to_number<unsigned>(text.substr(0, dash));
        if (!days || *days > 20000)
            return std::nullopt;
        total = *days * 86400UL;
        text.remove_prefix(dash + 1);
    }
    unsigned long clock = 0;
    const auto parts = split(text, ':');
    if (parts.size() < 2 || parts.size() > 3)
        return std::nullopt;
    for (const auto part : parts) {
        const auto number = to_number<unsigned>(part);
        if (!number || *number > 100000)
            return std::nullopt;
        clock = clock * 60 + *number;
    }
    total += clock;
    return total > 0xffffffffUL ? std::nullopt : std::optional(static_cast<unsigned>(total));
}

std::optional<std::vector<unsigned>> indices_of(std::string_view text) {
    constexpr std::size_t most = 100000;
    std::vector<unsigned> indices;
    text = text.substr(0, text.find('%'));
    for (auto range : split(text, ',')) {
        unsigned step = 1;
        if (const auto colon = range.find(':'); colon != std::string_view::npos) {
            const auto given = to_number<unsigned>(range.substr(colon + 1));
            if (!given || *given == 0)
                return std::nullopt;
            step = *given;
            range = range.substr(0, colon);
        }
        const auto dash = range.find('-');
        const auto first = to_number<unsigned>(range.substr(0, dash));
        const auto last =
            dash == std::string_view::npos ? first : to_number<unsigned>(range.substr(dash + 1));
        if (!first || !last || *last < *first)
            return std::nullopt;
        if ((*last - *first) / step >= most - indices.size())
            return std::nullopt;
        for (std::uint64_t index = *first; index <= *last; index += step)
            indices.push_back(static_cast<unsigned>(index));
    }
    return indices;
}

std::optional<Error> query_error(const Outcome& outcome) {
    const auto words = printable(trim(outcome.error));
    if (!outcome.started)
        return Error{ErrorKind::unavailable, words};
    if (outcome.timed_out || words.find("timed out") != std::string::npos)
        return Error{ErrorKind::timed_out, "Slurm did not answer in time: " + words};
    if (outcome.truncated)
        return Error{ErrorKind::unavailable, "Slurm's answer is larger than the output limit"};
    if (outcome.exit_code != 0)
        return Error{ErrorKind::unavailable, "Slurm answered with exit code " +
                                                 std::to_string(outcome.exit_code) + ": " + words};
    return std::nullopt;
}

}  // namespace berth::sites::slurm
