"""Everything that the commands of a batch system were seen to do wrong, with the end that each job must come to.

All rows of the matrix run beside each other in one daemon: their windows pass at the same time.
"""

import os
import time

import pytest

from scripted.site import finish_site, start_site
from scripted.slurm import ENDED
from support.client import FINAL
from support.site import GATED
from support.waiting import wait_until

PATIENCE = 90
# What sbatch does to each submission of a row, in their order; after that it accepts.
ROWS = {
    "accepted-then-hangs": ["accept_hang"],
    "accepted-then-error": ["accept_error"],
    "id-then-hangs": ["id_hang"],
    "banner": ["banner"],
    "hangs-before": ["hang"],
    "fails-before": ["fail"],
    "two-with-one-tag": ["twice"],
    "two-with-one-tag-unknown": ["twice_hang"],
    "shows-up-late": ["late_error"],
    "part-of-an-array": ["part"],
}
NO_BATCH_JOB = ("hangs-before", "fails-before")  # of the first submission
LATE = ("shows-up-late",)
LATE_ROWS = ("late-first", "late-unseen", "late-after")
KILLED = '#!/bin/sh\necho "$STAMP" >>"$LEDGER"\nkill -9 $PPID\nkill -9 $$\n'
LAST = '#!/bin/sh\necho "$STAMP" >>"$LEDGER"\nexit 3\n'


class Row:
    """The jobs of one row and its batch jobs, oldest first."""

    def __init__(self, matrix, name, request, run, count):
        self.name, self.run, self.count, self.slurm = name, run, count, matrix.slurm
        self.client = matrix.berth.client("matrix")
        reply = self.client.submit(dict(request, name=name, count=count))
        self.ids = [entry["id"] for entry in (reply["jobs"] if count > 1 else [reply])]

    def finish(self):
        return [self.client.finish(job_id, PATIENCE) for job_id in self.ids]

    def cancel(self):
        for job_id in self.ids:
            self.client.act("cancel", job_id)

    def tasks(self, count=1):
        return self.slurm.wait_for_tasks(self.name, count, PATIENCE)

    def assert_done_once(self, attempts=1):
        for job in self.finish():
            assert (job["state"], job["reason"], job["exit_code"]) == ("done", None, 0), job
        assert self.run.starts() == [self.run.stamp] * self.count
        assert len(self.slurm.submissions(self.name)) == attempts

    def assert_cancelled(self):
        for job in self.finish():
            assert (job["state"], job["reason"], job["exit_code"]) == ("cancelled", "cancelled_by_user", None), job

    def cancelled_ids(self):
        mine = {task["id"] for task in self.slurm.tasks(self.name)}
        return {one for one in self.slurm.cancels() if one.split("_")[0] in mine}


def add_row(site, name, submit, script=None, start=True, gated=False, count=1, **plan):
    site.slurm.plan(name, *submit, start=start, part=2, **plan)
    # Equal jobs would travel in one array: each row has a wall time of its own.
    wall = {"wall_time_s": 3600 + 60 * next(site.numbers)}
    request, run = site.counted(resources=wall, script=script or (GATED if gated else '#!/bin/sh\necho "$STAMP" >>"$LEDGER"\n'))
    return Row(site, name, request, run, count)


def lose(site, row):
    """The batch job is nowhere any more, and its id is another user's."""
    [ours] = row.tasks()
    row.client.wait(row.ids[0], "queued", PATIENCE)
    site.slurm.change(ours, in_queue=False, in_history=False)
    site.slurm.add_foreign(ours["id"])


@pytest.fixture(scope="module")
def matrix(base, programs, contract, issuer):
    """The site, with all rows of ROWS submitted three times: to run, and to be cancelled before and after the start. What
    must wait for a window to pass begins here."""
    directory = os.path.join(base, "matrix")
    os.makedirs(directory)
    site = start_site(directory, (programs, contract, issuer), jobs={"submit_width": 32})
    site.rows = {}
    for name, submit in ROWS.items():
        count = 3 if name == "part-of-an-array" else 1
        start = name not in ("two-with-one-tag", "two-with-one-tag-unknown", "shows-up-late")
        site.rows["run", name] = add_row(site, name, submit, start=start, count=count)
        site.rows["waiting", name] = add_row(site, name + "-waiting", submit, start=False, count=count)
        site.rows["running", name] = add_row(site, name + "-running", submit, gated=True, start=name not in LATE, count=count)
    for name in LATE_ROWS:
        site.rows[name] = add_row(site, name, ["late_error"], start=False, gated=name == "late-first")
    for name in ROWS:  # some while their sbatch hangs
        row = site.rows["waiting", name]
        wait_until(lambda row=row: site.slurm.submissions(row.name), PATIENCE, "the submission")
        row.cancel()
    site.rows["id-reused"] = add_row(site, "id-reused", [], start=False)
    site.rows["nowhere"] = add_row(site, "nowhere", [], script=KILLED, start=False)
    [task] = site.rows["nowhere"].tasks()
    site.slurm.change(task, in_history=False, forget_at_end=True)
    site.slurm.run_to_end(task)
    lose(site, site.rows["id-reused"])
    try:
        yield site
    finally:
        finish_site(site)


# ---- cancel in every row


@pytest.mark.parametrize("name", ROWS)
def test_a_cancel_before_the_start_ends_the_job_and_every_batch_job_that_comes(matrix, name):
    row = matrix.rows["waiting", name]
    row.assert_cancelled()
    matrix.slurm.reveal(row.name)
    for task in matrix.slurm.tasks(row.name):
        matrix.slurm.wait_for_end(task, "CANCELLED", PATIENCE)
    assert len(matrix.slurm.submissions(row.name)) == 1
    row.run.assert_never()


@pytest.mark.parametrize("name", [name for name in ROWS if name not in NO_BATCH_JOB])
def test_a_start_after_the_cancel_runs_nothing(matrix, name):
    """The batch system starts them although it was told to cancel."""
    row = matrix.rows["waiting", name]
    row.finish()
    for task in row.tasks():
        matrix.slurm.change(task, state="PENDING", reason="Resources")
        matrix.slurm.run_to_end(task)
    row.run.assert_never()


@pytest.mark.parametrize("name", ROWS)
def test_a_cancel_of_a_running_job_ends_it(matrix, name):
    row = matrix.rows["running", name]
    if name in LATE:
        matrix.slurm.start(row.tasks()[0])  # it runs while no question shows it
    for job_id in row.ids:
        row.client.wait(job_id, "running", PATIENCE)
    row.run.wait_for_start(row.count)
    row.cancel()
    matrix.slurm.reveal(row.name)
    row.assert_cancelled()
    assert row.run.starts() == [row.run.stamp] * row.count
    for task in matrix.slurm.tasks(row.name):
        matrix.slurm.wait_for_end(task, None, PATIENCE)
    assert row.run.starts() == [row.run.stamp] * row.count


# ---- each row to its end


@pytest.mark.parametrize("name, attempts", [
    ("accepted-then-hangs", 1), ("accepted-then-error", 1), ("id-then-hangs", 1), ("banner", 1), ("hangs-before", 2),
    ("fails-before", 2), ("part-of-an-array", 2)])
def test_a_job_runs_once_whatever_sbatch_answers(matrix, name, attempts):
    row = matrix.rows["run", name]
    row.assert_done_once(attempts)
    assert row.cancelled_ids() == set()
    tags = {one["tag"] for one in matrix.slurm.submissions(name)}
    assert len(tags) == attempts, "a new attempt has a new tag"


def test_a_job_that_sbatch_refuses_fails_with_its_words(matrix):
    row = add_row(matrix, "refused", ["refuse"])
    [job] = row.finish()
    assert (job["state"], job["reason"], job["exit_code"]) == ("failed", "rejected", None), job
    assert "Invalid partition name specified" in job["detail"], job
    assert len(matrix.slurm.submissions("refused")) == 1
    row.run.assert_never()


@pytest.mark.parametrize("name", ["two-with-one-tag", "two-with-one-tag-unknown"])
def test_of_two_waiting_batch_jobs_with_one_tag_one_is_cancelled_and_one_runs(matrix, name):
    row = matrix.rows["run", name]
    tasks = row.tasks(2)
    wait_until(lambda: "CANCELLED" in [matrix.slurm.task(task)["state"] for task in tasks], PATIENCE, "one to be cancelled")
    [left] = [task for task in map(matrix.slurm.task, tasks) if task["state"] == "PENDING"]
    matrix.slurm.run_to_end(left)
    row.assert_done_once()
    assert len(row.cancelled_ids()) == 1
    if name == "two-with-one-tag":
        assert left["id"] == tasks[0]["id"], "the one whose id was printed counts"


@pytest.mark.parametrize("kind", ["twice", "twice_hang"])
def test_of_two_batch_jobs_with_one_tag_that_start_together_one_runs(matrix, kind):
    row = add_row(matrix, "together-" + kind, [kind])
    row.assert_done_once()
    for task in row.tasks(2):
        matrix.slurm.wait_for_end(task)
    row.run.assert_once()


# ---- a given-up attempt's batch job that shows up late


def second_attempt(row):
    wait_until(lambda: len(row.slurm.tasks(row.name)) == 2, PATIENCE, "the second attempt")
    late, second = row.slurm.tasks(row.name)
    assert late["tag"] != second["tag"]
    return late, second


def test_a_late_batch_job_is_cancelled_and_the_second_attempt_runs(matrix):
    row = matrix.rows["run", "shows-up-late"]
    late, second = second_attempt(row)
    matrix.slurm.reveal(row.name)
    matrix.slurm.wait_for_end(late, "CANCELLED", PATIENCE)
    matrix.slurm.run_to_end(second)
    row.assert_done_once(2)
    assert row.cancelled_ids() == {late["id"]}


def test_a_late_batch_job_that_starts_first_is_the_jobs_own(matrix):
    row = matrix.rows["late-first"]
    late, second = second_attempt(row)
    matrix.slurm.start(late)
    row.run.wait_for_start()
    matrix.slurm.reveal(row.name)
    wait_until(lambda: row.client.job(row.ids[0])["tag"] == late["tag"], PATIENCE, "the late one to be the job's")
    matrix.slurm.wait_for_end(second, "CANCELLED", PATIENCE)
    row.run.go()
    row.assert_done_once(2)
    assert row.client.job(row.ids[0])["batch_id"] == late["id"]


def test_a_late_batch_job_that_nobody_sees_runs_the_payload_once(matrix):
    """Hidden to its end: only the fence tells that it is there."""
    row = matrix.rows["late-unseen"]
    late, second = second_attempt(row)
    matrix.slurm.run_to_end(late)
    matrix.slurm.run_to_end(second)
    row.assert_done_once(2)
    assert matrix.slurm.task(second)["state"] in ("COMPLETED", "CANCELLED")


def test_a_late_batch_job_after_the_end_of_the_job_is_cancelled(matrix):
    row = matrix.rows["late-after"]
    late, second = second_attempt(row)
    matrix.slurm.run_to_end(second)
    row.assert_done_once(2)
    matrix.slurm.reveal(row.name)
    matrix.slurm.wait_for_end(late, "CANCELLED", PATIENCE)
    matrix.slurm.change(late, state="PENDING")
    matrix.slurm.run_to_end(late)
    row.run.assert_once()


def aside(matrix, task):
    """Waits again, and no question shows it: a second batch job that is seen waiting is cancelled."""
    matrix.slurm.change(task, hidden=True)
    time.sleep(2)  # for a scancel that is on its way
    matrix.slurm.change(task, state="PENDING", end=0)


# ---- a loser that ends COMPLETED 0: the job's result is the winner's


def assert_failed_with_3(row):
    [job] = row.finish()
    assert (job["state"], job["reason"], job["exit_code"]) == ("failed", "exit_code", 3), job
    row.run.assert_once()


@pytest.mark.parametrize("known", [True, False])
def test_a_loser_that_ends_before_the_winner_runs_does_not_end_the_job(matrix, known):
    """It ended without a start, in Slurm's words with success; the other batch job of the tag still waits."""
    row = add_row(matrix, "loser-before-%s" % known, ["twice" if known else "twice_hang"], script=LAST, start=False)
    loser, winner = row.tasks(2)
    matrix.slurm.change(loser, state="COMPLETED", start=1, end=2)
    aside(matrix, winner)
    matrix.slurm.run_to_end(winner)
    assert_failed_with_3(row)


@pytest.mark.parametrize("kind", ["twice", "twice_hang"])
def test_a_loser_that_ends_while_the_winner_runs_does_not_end_the_job(matrix, kind):
    """Both start at once; the loser has ended with success long before the winner ends."""
    row = add_row(matrix, "loser-during-" + kind, [kind], script=GATED + "exit 3\n")
    row.run.wait_for_start()
    wait_until(lambda: "COMPLETED" in [task["state"] for task in row.tasks(2)], PATIENCE, "the loser's end")
    [winner] = [task for task in row.tasks(2) if task["state"] == "RUNNING"]
    [job_id] = row.ids
    wait_until(lambda: row.client.job(job_id)["batch_id"] == winner["id"], PATIENCE, "the winner to be the job's")
    with pytest.raises(AssertionError, match="waited"):
        row.client.wait(job_id, FINAL, 6)
    row.run.go()
    assert_failed_with_3(row)
    assert row.cancelled_ids() == set()


def test_a_loser_that_ends_after_the_winner_does_not_change_the_result(matrix):
    row = add_row(matrix, "loser-after", ["twice_hang"], script=LAST, start=False)
    loser, winner = row.tasks(2)
    aside(matrix, winner)
    matrix.slurm.run_to_end(winner)
    matrix.slurm.change(loser, state="PENDING")
    matrix.slurm.run_to_end(loser)
    assert matrix.slurm.task(loser)["status"] == 0
    assert_failed_with_3(row)


# ---- ids and history


def test_an_id_that_is_another_users_job_by_now_is_left_alone(matrix):
    row = matrix.rows["id-reused"]
    second = row.tasks(2)[1]
    matrix.slurm.run_to_end(second)
    row.assert_done_once(2)
    assert {task["state"] for task in matrix.slurm.tasks("foreign")} == {"RUNNING"}


def test_a_cancel_does_not_reach_another_users_job_with_the_same_id(matrix):
    row = add_row(matrix, "id-reused-cancel", [], start=False)
    lose(matrix, row)
    row.cancel()
    row.assert_cancelled()
    assert {task["state"] for task in matrix.slurm.tasks("foreign")} == {"RUNNING"}
    row.run.assert_never()


def test_history_that_comes_late_still_tells_the_end(matrix):
    """The wrapper is killed, so there is no marker; the queue forgets at once and sacct says nothing for a while."""
    row = add_row(matrix, "sacct-late", [], script=KILLED, start=False)
    [task] = row.tasks()
    matrix.slurm.change(task, in_history=False, forget_at_end=True)
    matrix.slurm.run_to_end(task)
    [job_id] = row.ids
    wait_until(lambda: row.client.job(job_id)["state"] == "running", PATIENCE, "the start to be seen")
    matrix.slurm.rule(sacct_fails=True)  # an answer that does not come is no look, however long it takes
    with pytest.raises(AssertionError, match="waited"):
        row.client.wait(job_id, FINAL, 15)
    matrix.slurm.change(task, in_history=True)
    matrix.slurm.rule(sacct_fails=False)
    [job] = row.finish()
    assert (job["state"], job["reason"], job["source"]) == ("failed", "signal", "history"), job
    row.run.assert_once()


def test_a_job_that_nothing_knows_is_lost_only_after_the_grace(matrix):
    row = matrix.rows["nowhere"]
    [job] = row.finish()
    assert (job["state"], job["reason"]) == ("failed", "lost"), job
    assert len(matrix.slurm.submissions(row.name)) == 1
    row.run.assert_once()


# ---- last, because it is about the whole queue


def test_a_queue_that_does_not_answer_changes_no_state(matrix):
    waiting = add_row(matrix, "silent-waiting", [], start=False)
    running = add_row(matrix, "silent-running", [], gated=True)
    cancelled = add_row(matrix, "silent-cancelled", [], gated=True)
    for row, state in ((waiting, "queued"), (running, "running"), (cancelled, "running")):
        row.client.wait(row.ids[0], state, PATIENCE)
    running.run.wait_for_start()
    matrix.slurm.rule(squeue_fails=True)
    seen = running.client.job(running.ids[0])["age_s"]
    wait_until(lambda: waiting.client.job(waiting.ids[0])["age_s"] > seen + 8, PATIENCE, "the age to grow")
    assert waiting.client.job(waiting.ids[0])["state"] == "queued"
    assert running.client.job(running.ids[0])["state"] == "running"
    assert "down" in matrix.berth.observe("/health")[1]
    cancelled.cancel()
    cancelled.assert_cancelled()
    running.run.go()
    running.assert_done_once()  # by its marker
    assert waiting.client.job(waiting.ids[0])["state"] == "queued"
    matrix.slurm.rule(squeue_fails=False)
    [task] = waiting.tasks()
    assert task["state"] not in ENDED
    matrix.slurm.run_to_end(task)
    waiting.assert_done_once()
