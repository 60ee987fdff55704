// Slurm by slurmrestd, as pure functions. The command line of sbatch is what a submission means:
// here it becomes the body of a request, or nothing where slurmrestd has no word for a part of it.
//
// Only v0.0.38 (slurmrestd 22.05.8) was run. What is known of later versions is one small table;
// options whose form there is not plain from the documents go through sbatch.
#pragma once

#include "net/http_call.hpp"
#include "sites/translator.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace berth::sites::slurm_rest {

// What differs between the versions of the data parser, as far as Berth speaks of it.
struct Dialect {
    unsigned version = 38;             // of "v0.0.38"
    bool environment_is_list = false;  // ["A=b"] instead of {"A": "b"}
    bool numbers_are_objects = false;  // {"set": true, "number": 5}
    bool script_in_job = false;        // instead of beside it
    // v0.0.38 takes "requeue": false and requeues all the same (seen on 22.05.8).
    bool has_no_requeue = false;
};
// Newest first.
std::span<const Dialect> dialects();
const Dialect* dialect_named(std::string_view version);  // "v0.0.38"; null when it is not known
std::string path_of(const Dialect& dialect, std::string_view rest);

// The body of POST job/submit; nullopt when an option has no translation.
std::optional<std::string> submission(const Action& sbatch, const Dialect& dialect);
jobs::SubmitOutcome read_submit(const net::HttpAnswer& answer,
                                std::span<const std::string> site_rejections);

// GET job/ID: does that id belong to a batch job with this tag? False also for an unknown id.
Result<bool> carries(const net::HttpAnswer& answer, std::string_view tag);
// DELETE job/ID. A batch job that is already gone is success.
Result<void> read_cancel(const net::HttpAnswer& answer);

// The token of `scontrol token`, and the account that Slurm itself runs as (SlurmUser) of
// `scontrol show config`.
Result<std::string> read_token(const Outcome& outcome);
Result<std::string> read_slurm_user(const Outcome& outcome);

// The server does not know this version (any more).
bool is_unknown_path(const net::HttpAnswer& answer);
// The token was refused: 401, or the words that a refused token gets from slurmctld.
bool is_refused(const net::HttpAnswer& answer);

}  // namespace berth::sites::slurm_rest
