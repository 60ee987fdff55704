// What Slurm's words mean. Pure tables, shared by the readers of its commands.
#pragma once

#include "base/clock.hpp"
#include "jobs/batch_facts.hpp"
#include "sites/translator.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sites::slurm {

// `word` as squeue and sacct print it ("CANCELLED by 123" included); `started` decides for a word
// that no release up to now prints: an unknown word never ends a job.
jobs::BatchState state_of(std::string_view word, bool started);

enum class Verdict { rejected, retry, unknown };
// What an error text of sbatch says about the batch job: only texts that are known to be printed
// when no batch job was made are a rejection.
Verdict verdict_of(std::string_view text, std::span<const std::string> site_rejections);

// "3:0" or squeue's wait status "768" into exit code and signal.
struct ExitStatus {
    int code = 0;
    int signal = 0;
};
std::optional<ExitStatus> exit_status(std::string_view text);

// Seconds since 1970 (SLURM_TIME_FORMAT=%s); "N/A", "Unknown", "None" and 0 are no time.
std::optional<WallTime> time_of(std::string_view text);

// "2-00:00:00", "30:00", "UNLIMITED" (0), in seconds.
std::optional<unsigned> duration_s(std::string_view text);

// The indices of "0,2-4,10-20:5%2"; nullopt when malformed or more than 100,000.
std::optional<std::vector<unsigned>> indices_of(std::string_view text);

// Why a query failed, or nothing if its answer is complete.
std::optional<Error> query_error(const Outcome& outcome);

}  // namespace berth::sites::slurm
