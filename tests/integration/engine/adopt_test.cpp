// A store that was restored from a backup takes up what was submitted after the backup.
#include "integration/engine/engine_fixture.hpp"

#include <filesystem>

namespace berth::test {
namespace {

using jobs::BatchState;
using jobs::Reason;
using jobs::State;

class Restored : public EngineTest {
protected:
    void back_up() { ASSERT_TRUE(run_on(loop_, store_->backup(folder_.path() + "/backup.db"))); }
    // The daemon is stopped, the backup put in the store's place, and the daemon started.
    void restore() {
        stop();
        store_.reset();
        const auto path = folder_.path() + "/berth.db";
        std::filesystem::remove(path + "-wal");
        std::filesystem::remove(path + "-shm");
        std::filesystem::copy_file(folder_.path() + "/backup.db", path,
                                   std::filesystem::copy_options::overwrite_existing);
        auto opened = store::SqliteStore::open(loop_, {.path = path, .free_bytes_min = 0});
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
        start();
    }
    jobs::Adoption adopt(std::vector<std::string> tags) {
        auto adoption = run_on(loop_, engine_->adopt_orphans(std::move(tags)));
        if (!adoption)
            throw std::runtime_error(adoption.error().message);
        return std::move(*adoption);
    }
    bool is_known(const std::string& id) { return run_on(loop_, store_->job(id))->has_value(); }
    std::string unused_tag() const { return "b" + store_->instance() + "zzzzzzzzzz"; }
    void end(const std::string& id, int code, unsigned index = 0) {
        run_payload(id, index);
        write_marker(id, code);
        tell(status(id).tag, "ended", index);
        ASSERT_TRUE(until([&] { return is_final(status(id).state); }));
        EXPECT_EQ(status(id).exit_code, code);
    }
};

TEST_F(Restored, AJobThatIsNotKnownIsTakenUpUnderItsIdAndComesToItsEnd) {
    start();
    back_up();
    const auto id = accept_one(17);
    ASSERT_TRUE(reaches(id, State::queued));
    const auto before = row(id);
    restore();
    const auto adoption = adopt({before.status.tag});
    EXPECT_EQ(adoption.job_ids, std::vector<std::string>{id});
    EXPECT_TRUE(adoption.left.empty());
    EXPECT_FALSE(engine_->orphans().contains(before.status.tag));
    ASSERT_TRUE(reaches(id, State::queued));
    const auto after = row(id);
    EXPECT_EQ(after.issuer, before.issuer);
    EXPECT_EQ(after.subject, before.subject);
    EXPECT_EQ(after.account, before.account);
    EXPECT_EQ(after.name, before.name);
    EXPECT_EQ(after.queue, before.queue);
    EXPECT_EQ(after.directives, 17U);
    EXPECT_EQ(after.secret_hash, before.secret_hash);
    EXPECT_EQ(to_ms(after.created), to_ms(before.created));
    EXPECT_EQ(after.status.batch_id, before.status.batch_id);
    EXPECT_EQ(after.status.attempts, 1U);
    const auto requests = run_on(loop_, store_->requests({after.seq}));
    ASSERT_TRUE(requests && requests->size() == 1);
    EXPECT_EQ(requests->front().request->script, "#!/bin/sh\nexit 0\n");
    EXPECT_EQ(requests->front().secret, "secret");
    EXPECT_EQ(engine_->active_of(after.issuer, after.subject), 1U);
    end(id, 3);
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(Restored, AnAdoptedJobSurvivesTheNextRestart) {
    start();
    back_up();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto tag = status(id).tag;
    restore();
    ASSERT_EQ(adopt({tag}).job_ids.size(), 1U);
    restart();
    ASSERT_TRUE(reaches(id, State::queued));
    EXPECT_EQ(status(id).tag, tag);
    end(id, 0);
    EXPECT_EQ(adopt({tag}).left.at(0).why, "the attempt is known");
}

TEST_F(Restored, TheTasksOfAnArrayKeepTheirIndices) {
    start();
    back_up();
    const auto ids = accept(3);
    for (const auto& id : ids)
        ASSERT_TRUE(reaches(id, State::queued));
    const auto tag = status(ids[0]).tag;
    run_payload(ids[1], 1);
    restore();
    EXPECT_EQ(adopt({tag}).job_ids.size(), 3U);
    ASSERT_TRUE(reaches(ids[1], State::running));
    write_marker(ids[1], 1);
    tell(tag, "ended", 1);
    ASSERT_TRUE(reaches(ids[1], State::failed));
    EXPECT_EQ(status(ids[1]).exit_code, 1);
    for (const unsigned index : {0U, 2U}) {
        ASSERT_TRUE(reaches(ids[index], State::queued));
        EXPECT_EQ(status(ids[index]).index, index);
        end(ids[index], static_cast<int>(index), index);
    }
    EXPECT_EQ(batch_.submitted.size(), 1U);
}

TEST_F(Restored, ATaskWithoutASessionDirectoryIsLeftAndTheOthersAreTakenUp) {
    start();
    back_up();
    const auto ids = accept(3);
    for (const auto& id : ids)
        ASSERT_TRUE(reaches(id, State::queued));
    const auto tag = status(ids[0]).tag;
    std::filesystem::remove_all(session(ids[1]));
    restore();
    EXPECT_EQ(adopt({tag}).job_ids, (std::vector<std::string>{ids[0], ids[2]}));
    EXPECT_FALSE(is_known(ids[1]));
    ASSERT_TRUE(reaches(ids[2], State::queued));
    end(ids[2], 2, 2);
}

TEST_F(Restored, AJobWhoseBatchJobHasEndedIsTakenUpByItsMarker) {
    start();
    back_up();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    run_payload(id);
    const auto tag = status(id).tag;
    write_marker(id, 9);
    batch_.tasks.clear();
    restore();
    auto stray = run_on(loop_, engine_->stray_sessions());
    ASSERT_TRUE(stray && stray->found.size() == 1);
    EXPECT_EQ(stray->found[0].job_id, id);
    EXPECT_EQ(stray->found[0].tag, tag);
    EXPECT_EQ(adopt({tag}).job_ids.size(), 1U);
    ASSERT_TRUE(reaches(id, State::failed));
    EXPECT_EQ(status(id).exit_code, 9);
    stray = run_on(loop_, engine_->stray_sessions());
    ASSERT_TRUE(stray);
    EXPECT_TRUE(stray->found.empty());
    EXPECT_EQ(stray->sessions, 1U);
}

// The backup has the job, but not its attempt: the restored engine has made another one.
class RestoredTwice : public Restored {
protected:
    void submit_twice(bool started) {
        id_ = accept_one();
        back_up();
        start();
        ASSERT_TRUE(reaches(id_, State::queued));
        first_ = status(id_).tag;
        if (started)
            run_payload(id_);
        restore();
        ASSERT_TRUE(until([&] { return batch_.submitted.size() == 2; }));
        ASSERT_TRUE(reaches(id_, State::queued));
        second_ = status(id_).tag;
        ASSERT_NE(first_, second_);
    }
    std::string id_, first_, second_;
};

TEST_F(RestoredTwice, AJobThatIsKnownMovesToTheAdoptedAttempt) {
    submit_twice(false);
    const auto adoption = adopt({first_});
    EXPECT_EQ(adoption.job_ids, std::vector<std::string>{id_});
    ASSERT_TRUE(until([&] { return batch_.asked_to_cancel(batch_.record(second_).batch_id); }));
    ASSERT_TRUE(reaches(id_, State::queued));
    EXPECT_EQ(status(id_).tag, first_);
    end(id_, 0);
    EXPECT_FALSE(batch_.asked_to_cancel(batch_.record(first_).batch_id));
}

TEST_F(RestoredTwice, AStartOfThePresentAttemptKeepsTheJob) {
    submit_twice(false);
    run_payload(id_);
    const auto adoption = adopt({first_});
    EXPECT_TRUE(adoption.job_ids.empty());
    ASSERT_EQ(adoption.left.size(), 1U);
    EXPECT_EQ(adoption.left[0].why, "another attempt, " + second_ + ", has started the job");
    EXPECT_EQ(status(id_).tag, second_);
}

TEST_F(RestoredTwice, APayloadThatWasStartedBeforeIsTakenUpByItsFence) {
    submit_twice(true);
    batch_.end(batch_.record(second_), BatchState::done, 0);  // it has lost the fence
    ASSERT_TRUE(reaches(id_, State::running, std::chrono::seconds(30)));
    EXPECT_EQ(status(id_).tag, first_);
    write_marker(id_, 4);
    tell(first_, "ended");
    ASSERT_TRUE(reaches(id_, State::failed));
    EXPECT_EQ(status(id_).exit_code, 4);
}

TEST_F(RestoredTwice, AJobThatHasEndedStaysAsItIs) {
    submit_twice(false);
    ASSERT_TRUE(cancel(id_));
    ASSERT_TRUE(reaches(id_, State::cancelled));
    const auto adoption = adopt({first_});
    EXPECT_TRUE(adoption.job_ids.empty());
    ASSERT_EQ(adoption.left.size(), 1U);
    EXPECT_EQ(adoption.left[0].job_id, id_);
    EXPECT_EQ(adoption.left[0].why, "the store knows the job as cancelled");
    EXPECT_EQ(status(id_).state, State::cancelled);
}

TEST_F(Restored, AFenceThatNamesAnAttemptOfNoSessionEndsTheJob) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    ASSERT_TRUE(take_fence(id, unused_tag(), "999"));
    tell(status(id).tag, "started");
    ASSERT_TRUE(reaches(id, State::failed, std::chrono::seconds(40)));
    EXPECT_EQ(status(id).reason, Reason::session_lost);
}

TEST_F(Restored, WhatCannotBeAdoptedIsToldWithAReason) {
    start();
    const auto id = accept_one();
    ASSERT_TRUE(reaches(id, State::queued));
    const auto adoption = adopt({unused_tag(), "bxxxxyyyyyyyyyy", "", status(id).tag});
    EXPECT_TRUE(adoption.job_ids.empty());
    ASSERT_EQ(adoption.left.size(), 4U);
    std::map<std::string, std::string> why;
    for (const auto& left : adoption.left)
        why[left.tag] = left.why;
    EXPECT_EQ(why.at(unused_tag()), "no session directory names this tag");
    EXPECT_EQ(why.at("bxxxxyyyyyyyyyy"), "no tag of this store");
    EXPECT_EQ(why.at(""), "no tag of this store");
    EXPECT_EQ(why.at(status(id).tag), "the attempt is known");
    EXPECT_EQ(adoption.sessions, 1U);
}

TEST_F(Restored, WithoutTheSessionRootNothingIsAdopted) {
    start();
    const auto root = settings_.wrapper.root;
    std::filesystem::rename(root, root + ".away");
    const auto adoption = run_on(loop_, engine_->adopt_orphans({unused_tag()}));
    std::filesystem::rename(root + ".away", root);
    ASSERT_FALSE(adoption);
    EXPECT_EQ(adoption.error().kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace berth::test
