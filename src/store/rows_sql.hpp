// Writing and reading the rows of jobs/rows.hpp.
#pragma once

#include "jobs/store.hpp"
#include "store/database.hpp"

#include <vector>

namespace berth::store {

// Writes everything in `changes`; the events that were appended, with their numbers.
std::vector<jobs::EventRow> write_changes(Database& database, const jobs::Changes& changes);

// The files of these jobs are gone, or the jobs are about to be forgotten: takes what was measured
// of them out of the accounts' sums.
void mark_files_removed(Database& database, const std::vector<jobs::JobSeq>& seqs);
void set_usage(Database& database, const std::vector<jobs::SessionUsage>& sessions);

// The columns that read_job() expects, in order.
#define BERTH_JOB_COLUMNS                                                                          \
    "j.seq, j.id, j.issuer, j.subject, j.account, j.batch_account, j.name, j.queue, j.project, "   \
    "j.directives, j.secret_hash, j.created, j.state, j.reason, j.detail, j.exit_code, j.signal, " \
    "j.batch_id, j.tag, j.idx, j.attempts, j.cancel, j.hold, j.session_made, j.source, "           \
    "j.updated, j.observed, j.started, j.ended"
jobs::JobRow read_job(const Statement& row);

}  // namespace berth::store
