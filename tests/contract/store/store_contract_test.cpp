#include "contract/store/rows.hpp"
#include "integration/sites/run_loop.hpp"
#include "store/sqlite_store.hpp"

#include <gtest/gtest.h>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <functional>

namespace berth::test {
namespace {

using jobs::AttemptRow;
using jobs::AttemptState;
using jobs::Changes;
using jobs::JobFilter;
using jobs::State;

// How one implementation is opened; opening the same folder again finds what was there.
struct Implementation {
    const char* name;
    std::function<std::unique_ptr<jobs::Store>(boost::asio::io_context&, const std::string&)> open;
};

std::unique_ptr<jobs::Store> open_sqlite(boost::asio::io_context& loop, const std::string& file) {
    auto opened = store::SqliteStore::open(loop, {.path = file, .free_bytes_min = 0});
    if (!opened)
        throw std::runtime_error(opened.error().message);
    return std::move(*opened);
}

class StoreContract : public testing::TestWithParam<Implementation> {
protected:
    StoreContract() { reopen(); }

    void reopen() {
        store_.reset();
        store_ = GetParam().open(loop_, folder_.path() + "/store.db");
    }
    template <class T>
    T run(boost::asio::awaitable<T> task) {
        return run_on(loop_, std::move(task));
    }
    jobs::JobRow add(const std::string& subject = "robot") {
        auto job = new_job(*store_, subject);
        auto row = job.row;
        EXPECT_TRUE(run(store_->commit(with_job(std::move(job)))));
        return row;
    }
    void set(jobs::JobRow& row, jobs::Status next) {
        EXPECT_TRUE(run(store_->commit(with_status(row, next))));
        row.status = next;
    }
    void set_state(jobs::JobRow& row, State state) {
        auto next = row.status;
        next.state = state;
        if (is_final(state))
            next.ended = day;
        set(row, next);
    }
    void add_attempt(AttemptRow attempt) {
        Changes changes;
        changes.new_attempts.push_back(std::move(attempt));
        EXPECT_TRUE(run(store_->commit(std::move(changes))));
    }
    std::optional<jobs::KeyRow> key(const std::string& name, const std::string& subject = "robot") {
        auto found = run(store_->key("https://issuer.example.org", subject, name));
        EXPECT_TRUE(found);
        return std::move(*found);
    }
    void add_key(const std::string& name, const std::string& job_id, WallTime created) {
        Changes changes;
        changes.key = jobs::KeyRow{.issuer = "https://issuer.example.org",
                                   .subject = "robot",
                                   .key = name,
                                   .body_hash = "abc",
                                   .status = 201,
                                   .reply = "{}",
                                   .location = "/v1/jobs/" + job_id,
                                   .job_ids = {job_id},
                                   .deleted = false,
                                   .created = created};
        EXPECT_TRUE(run(store_->commit(std::move(changes))));
    }
    void forget(jobs::JobSeq seq) {
        Changes changes;
        changes.forget.push_back(seq);
        EXPECT_TRUE(run(store_->commit(std::move(changes))));
    }

    TemporaryFolder folder_;
    boost::asio::io_context loop_{1};
    std::unique_ptr<jobs::Store> store_;
};

TEST_P(StoreContract, ReadsBackEveryFieldOfAJob) {
    auto job = new_job(*store_);
    auto& status = job.row.status;
    status.state = State::failed;
    status.reason = jobs::Reason::walltime;
    status.detail = "TIME\nLIMIT";
    status.exit_code = 0;
    status.signal = 15;
    status.batch_id = "12_3";
    status.tag = "btag";
    status.index = 0;
    status.attempts = 2;
    status.cancel = jobs::CancelBy::operator_;
    status.hold = true;
    status.session_made = true;
    status.source = jobs::Source::history;
    status.started = day + std::chrono::milliseconds(1);
    status.ended = day + std::chrono::milliseconds(2);
    const auto row = job.row;
    ASSERT_TRUE(run(store_->commit(with_job(std::move(job)))));
    for (int round = 0; round < 2; ++round) {
        const auto found = run(store_->job(row.id));
        ASSERT_TRUE(found && *found);
        EXPECT_EQ((*found)->status, row.status);
        EXPECT_EQ((*found)->seq, row.seq);
        EXPECT_EQ((*found)->issuer, row.issuer);
        EXPECT_EQ((*found)->batch_account, row.batch_account);
        EXPECT_EQ((*found)->directives, row.directives);
        EXPECT_EQ((*found)->secret_hash, row.secret_hash);
        EXPECT_EQ((*found)->created, row.created);
        reopen();
    }
}

TEST_P(StoreContract, WhatMayWaitIsWrittenWithTheNextCommitAndBeforeIt) {
    auto job = new_job(*store_);
    const auto row = job.row;
    ASSERT_TRUE(run(store_->commit(with_job(std::move(job)))));
    const auto before = store_->health().commits;
    auto first = row.status, second = row.status;
    first.detail = "first";
    second.detail = "second";
    auto patient = with_status(row, first);
    patient.may_wait = true;
    bool written = false;
    boost::asio::co_spawn(loop_, store_->commit(std::move(patient)),
                          [&](std::exception_ptr, auto) { written = true; });
    loop_.restart();
    loop_.poll();
    ASSERT_TRUE(run(store_->commit(with_status(row, second))));
    EXPECT_TRUE(written);
    EXPECT_EQ(store_->health().commits, before + 1);
    const auto found = run(store_->job(row.id));
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->status.detail, "second");
}

TEST_P(StoreContract, WhatMayWaitIsWrittenWithoutOthersToo) {
    auto job = new_job(*store_);
    const auto id = job.row.id;
    auto patient = with_job(std::move(job));
    patient.may_wait = true;
    ASSERT_TRUE(run(store_->commit(std::move(patient))));
    const auto found = run(store_->job(id));
    EXPECT_TRUE(found && *found);
}

TEST_P(StoreContract, ReadsBackTheRequest) {
    auto job = new_job(*store_);
    const auto expected = *job.request;
    const auto seq = job.row.seq;
    ASSERT_TRUE(run(store_->commit(with_job(std::move(job)))));
    reopen();
    const auto found = run(store_->requests({seq, seq + 1000}));
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1U);
    const auto& request = *found->front().request;
    EXPECT_EQ(request.script, expected.script);
    EXPECT_EQ(request.arguments, expected.arguments);
    EXPECT_EQ(request.environment, expected.environment);
    EXPECT_EQ(request.files, expected.files);
    EXPECT_EQ(request.count, expected.count);
    EXPECT_EQ(request.resources, expected.resources);
    EXPECT_EQ(found->front().secret, "node secret");
    EXPECT_EQ(found->front().script_hash, "hash of #!/bin/sh\n");
}

TEST_P(StoreContract, WhatIsNotThereIsNoError) {
    EXPECT_FALSE(*run(store_->job("no")));
    EXPECT_FALSE(*run(store_->job_by_tag("no")));
    EXPECT_TRUE(run(store_->jobs({"no"}))->empty());
    EXPECT_FALSE(key("no"));
    EXPECT_TRUE(run(store_->active_jobs())->empty());
    EXPECT_EQ(*run(store_->last_event()), 0);
}

TEST_P(StoreContract, KeepsInstanceAndNumbersOverARestart) {
    const auto instance = store_->instance();
    EXPECT_EQ(instance.size(), 4U);
    const auto row = add();
    reopen();
    EXPECT_EQ(store_->instance(), instance);
    EXPECT_GT(store_->next_seq(), row.seq);
    forget(row.seq);
    reopen();
    EXPECT_GT(store_->next_seq(), row.seq) << "a number is never given twice";
}

TEST_P(StoreContract, ManyCommitsAtOnceAreAllKeptInOrder) {
    auto row = add();
    int ended = 0;
    auto change = [&](unsigned attempts) -> boost::asio::awaitable<void> {
        auto next = row.status;
        next.attempts = attempts;
        next.state = State::ready;
        auto changes = with_status(row, next);
        auto stored = co_await store_->commit(std::move(changes));
        ended += stored ? 1 : 0;
    };
    for (unsigned i = 1; i <= 200; ++i)
        boost::asio::co_spawn(loop_, change(i), boost::asio::detached);
    ASSERT_TRUE(run_until(loop_, [&] { return ended == 200; }));
    EXPECT_EQ((*run(store_->job(row.id)))->status.attempts, 200U);
    const auto events = run(store_->job_events(row.seq));
    ASSERT_TRUE(events);
    EXPECT_EQ(events->size(), 201U);
    EXPECT_TRUE(std::ranges::is_sorted(*events, {}, &jobs::EventRow::seq));
    EXPECT_LT(store_->health().commits, 201U) << "what waits is written together";
}

TEST_P(StoreContract, OneBadCommitSparesTheOthers) {
    const auto first = add();
    int good = 0, bad = 0;
    auto commit = [&](Changes changes) -> boost::asio::awaitable<void> {
        auto stored = co_await store_->commit(std::move(changes));
        ++(stored ? good : bad);
    };
    for (int i = 0; i < 20; ++i) {
        auto job = new_job(*store_);
        auto extra = new_job(*store_);
        if (i % 4 == 0)
            extra.row.id = first.id;  // exists already
        auto changes = with_job(std::move(job));
        changes.new_jobs.push_back(std::move(extra));
        boost::asio::co_spawn(loop_, commit(std::move(changes)), boost::asio::detached);
    }
    ASSERT_TRUE(run_until(loop_, [&] { return good + bad == 20; }));
    EXPECT_EQ(bad, 5);
    EXPECT_EQ(run(store_->active_jobs())->size(), 1U + 15U * 2U) << "all of a commit, or nothing";
}

TEST_P(StoreContract, TextThatCannotBeWrittenIsAnErrorOfThatCommitOnly) {
    auto job = new_job(*store_);
    jobs::Request request = *job.request;
    request.arguments = {"\xff\xfe"};
    job.request = std::make_shared<const jobs::Request>(request);
    EXPECT_FALSE(run(store_->commit(with_job(std::move(job)))));
    add();
    EXPECT_EQ(run(store_->active_jobs())->size(), 1U);
}

TEST_P(StoreContract, EventsHaveTheirOwnerAndComeInOrder) {
    auto mine = add(), others = add("other");
    set_state(mine, State::ready);
    set_state(others, State::ready);
    set_state(mine, State::submitting);
    const JobFilter who{.issuer = mine.issuer, .subject = "robot"};
    const auto events = run(store_->events(who, 0, 100));
    ASSERT_TRUE(events);
    ASSERT_EQ(events->size(), 3U);
    EXPECT_EQ(events->back().job_id, mine.id);
    EXPECT_EQ(events->back().account, "grid1");
    EXPECT_EQ(events->back().from, State::ready);
    EXPECT_EQ(events->back().to, State::submitting);
    EXPECT_EQ(*run(store_->last_event()), events->back().seq);
    EXPECT_EQ(run(store_->events(who, events->front().seq, 1))->size(), 1U);
    EXPECT_EQ(run(store_->events(who, events->back().seq, 100))->size(), 0U);
    const JobFilter account{.issuer = "", .subject = "", .account = "grid1"};
    EXPECT_EQ(run(store_->events(account, 0, 100))->size(), 5U);
    const JobFilter nobody{.issuer = "x", .subject = "robot"};
    EXPECT_EQ(run(store_->events(nobody, 0, 100))->size(), 0U);
}

TEST_P(StoreContract, KeysBelongToTheirOwnerAndOutliveTheirJobs) {
    const auto row = add();
    add_key("k", row.id, day);
    ASSERT_TRUE(key("k"));
    EXPECT_EQ(key("k")->body_hash, "abc");
    EXPECT_EQ(key("k")->reply, "{}");
    EXPECT_EQ(key("k")->job_ids, std::vector<std::string>(1, row.id));
    EXPECT_FALSE(key("k", "other"));
    Changes again;
    again.key = key("k");
    EXPECT_FALSE(run(store_->commit(std::move(again)))) << "a key is given once";
    forget(row.seq);
    ASSERT_TRUE(key("k"));
    EXPECT_TRUE(key("k")->deleted);
    EXPECT_EQ(key("k")->job_ids, std::vector<std::string>(1, row.id)) << "the old id is told";
    EXPECT_FALSE(*run(store_->job(row.id)));
}

TEST_P(StoreContract, AKeyIsKeptForAWhileAfterItsJobWasForgotten) {
    const auto now = SystemClock().wall();
    const auto row = add(), kept = add();
    add_key("old", row.id, now - std::chrono::hours(24 * 20));
    add_key("of a job", kept.id, now - std::chrono::hours(24 * 20));
    add_key("without a job", "gone", now - std::chrono::hours(24 * 20));
    forget(row.seq);
    ASSERT_TRUE(run(store_->sweep(now - std::chrono::hours(24 * 14), now)));
    ASSERT_TRUE(key("old")) << "else the same post would make a new job";
    EXPECT_TRUE(key("old")->deleted);
    EXPECT_TRUE(key("of a job"));
    EXPECT_FALSE(key("without a job"));
    ASSERT_TRUE(run(store_->sweep(now + std::chrono::hours(1), now)));
    EXPECT_FALSE(key("old"));
    EXPECT_TRUE(key("of a job"));
}

TEST_P(StoreContract, ListsFilterAndPage) {
    std::vector<jobs::JobRow> rows;
    for (int i = 0; i < 5; ++i)
        rows.push_back(add());
    add("other");
    set_state(rows[0], State::ready);
    auto later = rows[1].status;
    later.updated = day + std::chrono::seconds(10);
    set(rows[1], later);
    JobFilter filter{.issuer = rows[0].issuer, .subject = "robot"};
    auto found = run(store_->list(filter));
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 5U);
    EXPECT_EQ(found->front().id, rows[4].id) << "newest first";
    filter.limit = 2;
    filter.before = rows[3].seq;
    found = run(store_->list(filter));
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ(found->front().id, rows[2].id);
    filter = {.issuer = rows[0].issuer, .subject = "robot"};
    filter.states = {State::ready, State::done};
    EXPECT_EQ(run(store_->list(filter))->size(), 1U);
    filter.states.clear();
    filter.since = day + std::chrono::seconds(1);
    EXPECT_EQ(run(store_->list(filter))->front().id, rows[1].id);
    filter.since.reset();
    filter.name = "other name";
    EXPECT_TRUE(run(store_->list(filter))->empty());
    const JobFilter account{.issuer = "", .subject = "", .account = "grid1"};
    EXPECT_EQ(run(store_->list(account))->size(), 6U);
    EXPECT_EQ(run(store_->jobs({rows[1].id, "no", rows[0].id}))->size(), 2U);
}

TEST_P(StoreContract, FindsAJobByTagBatchIdAndTaskId) {
    auto one = add(), two = add(), single = add();
    add_attempt({.tag = "barray",
                 .state = AttemptState::accepted,
                 .array = true,
                 .batch_id = "77",
                 .created = day,
                 .updated = day,
                 .jobs = {one.seq, two.seq}});
    add_attempt({.tag = "bsingle",
                 .state = AttemptState::accepted,
                 .array = false,
                 .batch_id = "78",
                 .created = day,
                 .updated = day,
                 .jobs = {single.seq}});
    for (auto* row : {&one, &two, &single}) {
        auto next = row->status;
        next.batch_id = row == &single ? "78" : row == &one ? "77_0" : "77_1";
        set(*row, next);
    }
    EXPECT_EQ((*run(store_->job_by_tag("bsingle")))->id, single.id);
    EXPECT_EQ((*run(store_->job_by_tag("78")))->id, single.id);
    EXPECT_EQ((*run(store_->job_by_tag("77_1")))->id, two.id);
    EXPECT_EQ((*run(store_->job_by_tag("77_0")))->id, one.id);
    EXPECT_TRUE(*run(store_->job_by_tag("barray")));
    EXPECT_FALSE(*run(store_->job_by_tag("77_2")));
    EXPECT_FALSE(*run(store_->job_by_tag("7")));
}

TEST_P(StoreContract, ActiveJobsAndLiveAttemptsAreWhatMayStillMatter) {
    auto active = add(), over = add(), given_up = add();
    set_state(over, State::done);
    set_state(given_up, State::cancelled);
    AttemptRow attempt{.tag = "bactive",
                       .state = AttemptState::intent,
                       .array = true,
                       .batch_id = "",
                       .cluster = "",
                       .account = "grid1",
                       .message = "",
                       .created = day,
                       .updated = day,
                       .jobs = {over.seq, active.seq}};
    add_attempt(attempt);
    attempt.tag = "bover";
    attempt.state = AttemptState::over;
    attempt.jobs = {over.seq};
    add_attempt(attempt);
    attempt.tag = "bgiven";
    attempt.state = AttemptState::given_up;
    attempt.jobs = {given_up.seq};
    add_attempt(attempt);
    reopen();
    const auto rows = run(store_->active_jobs());
    ASSERT_EQ(rows->size(), 1U);
    EXPECT_EQ(rows->front().id, active.id);
    const auto attempts = run(store_->live_attempts(day));
    ASSERT_EQ(attempts->size(), 2U);
    for (const auto& row : *attempts) {
        EXPECT_NE(row.tag, "bover");
        if (row.tag == "bactive") {
            EXPECT_EQ(row.jobs, (std::vector<jobs::JobSeq>{over.seq, active.seq})) << "by index";
            EXPECT_TRUE(row.array);
            EXPECT_EQ(row.state, AttemptState::intent);
        }
    }
}

TEST_P(StoreContract, AnAttemptChangesItsState) {
    const auto row = add();
    AttemptRow attempt{.tag = "b1",
                       .state = AttemptState::intent,
                       .array = false,
                       .created = day,
                       .updated = day,
                       .jobs = {row.seq}};
    add_attempt(attempt);
    attempt.state = AttemptState::accepted;
    attempt.batch_id = "5";
    attempt.cluster = "c";
    attempt.message = "m";
    Changes changes;
    changes.attempts.push_back(attempt);
    ASSERT_TRUE(run(store_->commit(std::move(changes))));
    const auto found = run(store_->live_attempts(day));
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front().state, AttemptState::accepted);
    EXPECT_EQ(found->front().batch_id, "5");
    EXPECT_EQ(found->front().cluster, "c");
    EXPECT_EQ(found->front().message, "m");
}

TEST_P(StoreContract, VoidedAttemptsAreLiveForATimeOnly) {
    auto row = add();
    set_state(row, State::cancelled);
    add_attempt({.tag = "bvoid",
                 .state = AttemptState::voided,
                 .array = false,
                 .created = day,
                 .updated = day,
                 .jobs = {row.seq}});
    EXPECT_EQ(run(store_->live_attempts(day))->size(), 1U);
    EXPECT_EQ(run(store_->live_attempts(day + std::chrono::milliseconds(1)))->size(), 0U);
}

TEST_P(StoreContract, AddsUpWhatAccountsHoldUntilTheFilesAreGone) {
    const auto sums = [&] { return *run(store_->usage_by_account()); };
    auto first = add();
    auto second = add();
    const auto waiting = add();
    EXPECT_TRUE(run(store_->unmeasured(10))->empty()) << "none has ended";
    for (auto* row : {&first, &second}) {
        auto next = row->status;
        next.state = State::done;
        next.session_made = true;
        next.ended = day;
        set(*row, next);
    }
    ASSERT_EQ(run(store_->unmeasured(10))->size(), 2U);
    EXPECT_EQ(run(store_->unmeasured(1))->front().id, first.id) << "oldest first";
    ASSERT_TRUE(run(store_->set_usage({{first.seq, {100, 3}}, {second.seq, {20, 2}}})));
    ASSERT_TRUE(run(store_->set_usage({{first.seq, {900, 9}}}))) << "measured once only";
    EXPECT_TRUE(run(store_->unmeasured(10))->empty());
    reopen();
    EXPECT_EQ(sums().at("grid1"), (jobs::Usage{.bytes = 120, .files = 5}));
    ASSERT_TRUE(run(store_->mark_files_removed({first.seq})));
    ASSERT_TRUE(run(store_->mark_files_removed({first.seq})));
    EXPECT_EQ(sums().at("grid1"), (jobs::Usage{.bytes = 20, .files = 2}));
    Changes changes;
    changes.forget = {first.seq, second.seq};
    ASSERT_TRUE(run(store_->commit(std::move(changes))));
    EXPECT_EQ(sums().at("grid1"), jobs::Usage());
}

TEST_P(StoreContract, RetentionFindsEndedJobsOldestFirst) {
    std::vector<jobs::JobRow> rows;
    for (int i = 0; i < 4; ++i) {
        rows.push_back(add());
        auto next = rows.back().status;
        next.state = State::done;
        next.ended = day + std::chrono::hours(10 - i);
        if (i < 3)
            set(rows.back(), next);
    }
    const auto end = day + std::chrono::hours(10);
    auto found = run(store_->ended_before(end, true, 10));
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ(found->front().id, rows[2].id);
    EXPECT_EQ(run(store_->ended_before(end, true, 1))->size(), 1U);
    ASSERT_TRUE(run(store_->mark_files_removed({rows[2].seq})));
    EXPECT_EQ(run(store_->ended_before(end, true, 10))->size(), 1U);
    EXPECT_EQ(run(store_->ended_before(end, false, 10))->size(), 2U);
    forget(rows[2].seq);
    EXPECT_EQ(run(store_->ended_before(end, false, 10))->size(), 1U);
    EXPECT_TRUE(run(store_->job_events(rows[2].seq))->empty());
}

TEST_P(StoreContract, ABackupIsAWholeStore) {
    const auto gone = add(), row = add();
    add_key("first", gone.id, day);
    add_key("second", row.id, day);
    forget(gone.seq);
    ASSERT_TRUE(run(store_->sweep(day + std::chrono::hours(24 * 36500), day)));
    const auto file = folder_.path() + "/backup.db";
    const auto made = run(store_->backup(file));
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_FALSE(run(store_->backup(file))) << "an older backup is not overwritten";
    const auto instance = store_->instance();
    store_.reset();
    store_ = GetParam().open(loop_, file);
    EXPECT_EQ(store_->instance(), instance);
    EXPECT_TRUE(*run(store_->job(row.id)));
    ASSERT_TRUE(key("second"));
    EXPECT_EQ(key("second")->job_ids, std::vector<std::string>(1, row.id));
    EXPECT_GT(store_->next_seq(), row.seq);
    add();
}

TEST_P(StoreContract, NotesAreKept) {
    EXPECT_EQ(*run(store_->note("drained")), "");
    ASSERT_TRUE(run(store_->set_note("drained", "yes")));
    reopen();
    EXPECT_EQ(*run(store_->note("drained")), "yes");
    ASSERT_TRUE(run(store_->set_note("drained", "")));
    EXPECT_EQ(*run(store_->note("drained")), "");
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract,
                         testing::Values(Implementation{"sqlite", open_sqlite}),
                         [](const auto& shown) { return std::string(shown.param.name); });

}  // namespace
}  // namespace berth::test
