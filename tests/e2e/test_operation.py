"""Running the service: start and stop, reload, health and metrics, berthctl, the systemd unit."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from support import account, confine
from support.berth import SOURCE, make_certificate
from support.waiting import wait_until

OK = "#!/bin/sh\n"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


UNIT = os.path.join(SOURCE, "src", "app", "systemd", "berthd.service")


def test_sigterm_ends_the_daemon_with_status_0_and_open_streams_with_it(own_site):
    site = own_site()
    client = site.berth.client()
    stream = client.events()
    client.run({"script": OK})
    begin = time.monotonic()
    site.berth.stop()  # fails on another exit status than 0
    assert time.monotonic() - begin < 10
    while stream.next_event(5) is not None:
        pass


def test_a_second_daemon_on_one_store_refuses_to_start(make_berth):
    berth = make_berth()
    log = len(berth.log())
    other = subprocess.run(berth.command(), capture_output=True, text=True, timeout=30, env=berth.environment())
    assert other.returncode not in (0, -signal.SIGKILL), other
    assert re.search(r"lock|another|in use|second", other.stderr), other.stderr
    assert berth.client().run({"script": OK})["state"] == "done"
    assert "level=error" not in berth.log()[log:]


def test_a_reload_takes_a_new_mapping_at_once_and_keeps_connections(make_berth, issuer):
    berth = make_berth()
    client = berth.client("carol")
    assert client.get("/v1/jobs").status == 200
    wire = client.connection.sock
    berth.settings["ban"] = [{"issuer": issuer.name, "subject": "carol"}]
    berth.write_config()
    berth.reload()
    wait_until(lambda: client.get("/v1/jobs").status == 403, 10, "the ban")
    assert client.connection.sock is wire
    assert berth.client("dave").get("/v1/jobs").status == 200


def test_a_reload_with_a_bad_file_keeps_the_old_configuration_and_says_so(make_berth):
    berth = make_berth()
    berth.expected_errors.append(r"jbos|reload|config")
    client = berth.client()
    berth.write_config("[jbos]\npoll_interval = 5\n")
    berth.reload()
    wait_until(lambda: "jbos" in berth.log(), 10, "a line about the bad table")
    assert client.run({"script": OK})["state"] == "done"
    berth.write_config()
    berth.reload()
    assert client.get("/v1/jobs").status == 200


def test_a_reload_takes_a_certificate_at_another_place_or_says_why_not(make_berth):
    berth = make_berth()
    other = os.path.join(berth.directory, "other")
    os.makedirs(other)
    make_certificate(other)
    account.own(other)
    berth.settings["api"].update(certificate=os.path.join(other, "ca.crt"), key=os.path.join(other, "tls.key"))
    berth.write_config()
    refused = berth.berthctl("reload", check=False)
    assert refused.returncode == 1 and "api.certificate" in refused.stderr, refused
    assert berth.client().get("/v1/jobs").status == 200, "the old one is served"
    berth.settings["api"]["certificate"] = os.path.join(other, "tls.crt")
    berth.write_config()
    berth.berthctl("reload")
    berth.ca_file = os.path.join(other, "ca.crt")
    assert berth.client().get("/v1/jobs").status == 200


def test_the_checks_find_what_would_stop_the_start(make_berth, issuer):
    berth = make_berth(start=False)
    berth.settings["api"]["certificate"] = berth.config_file
    berth.settings["store"]["path"] = os.path.join(berth.directory, "nowhere", "berth.db")
    berth.settings["jobs"]["session_root"] = "/"
    berth.settings["mapping"] = [{"issuer": issuer.name, "subject": ".*", "account": account.NAME, "groups": ["atlas"]}]
    berth.settings["issuer"][0]["keys_file"] = berth.config_file
    berth.write_config()
    checked = subprocess.run(berth.command("--check-config"), capture_output=True, text=True, timeout=30,
                             env=berth.environment())
    assert checked.returncode == 2, checked
    for key in ("api.certificate", "store.path", "jobs.session_root", "mapping[0].subject", "mapping[0].groups",
                "issuer[0].keys_file"):
        assert key in checked.stderr, (key, checked.stderr)


def test_a_reload_takes_log_store_and_door_limits(make_berth):
    berth = make_berth()
    client = berth.client()
    audit = os.path.join(berth.directory, "audit.log")
    berth.settings["log"] = {"level": "debug", "audit_file": audit}
    berth.settings["store"]["free_bytes_min"] = "1000TB"
    berth.write_config()
    berth.reload()
    wait_until(lambda: client.post("/v1/jobs", {"script": OK}).status == 503, 10, "the new limit of free space")
    assert client.get("/v1/jobs").status == 200
    assert ":alice" in read(audit)

    os.rename(audit, audit + ".1")  # as log rotation does
    berth.settings["store"]["free_bytes_min"] = "1MB"
    berth.settings["api"]["connections_per_peer_max"] = 1
    berth.write_config()
    berth.reload()
    wait_until(lambda: os.path.exists(audit), 10, "the audit log to be opened again")
    assert client.run({"script": OK})["state"] == "done"
    assert ":alice" in read(audit)
    with pytest.raises(OSError):
        berth.client("bob").get("/v1/jobs")  # the first connection is still open


def test_a_reload_with_an_audit_file_that_cannot_be_opened_is_refused(make_berth):
    berth = make_berth()
    berth.settings["log"] = {"audit_file": os.path.join(berth.config_file, "audit.log")}
    berth.settings["store"]["free_bytes_min"] = "1000TB"
    berth.write_config()
    refused = berth.berthctl("reload", check=False)
    assert refused.returncode != 0
    assert "audit" in refused.stdout + refused.stderr
    assert berth.client().run({"script": OK})["state"] == "done", "nothing of the file is in force"


def test_a_reload_takes_a_new_certificate(make_berth):
    berth = make_berth()
    old = berth.client()
    assert old.get("/v1/jobs").status == 200
    make_certificate(berth.directory)
    account.own(berth.directory)
    berth.reload()

    def served():
        try:
            return berth.client().get("/v1/jobs").status == 200  # trusts the new CA only
        except OSError:
            return False
    wait_until(served, 10, "the new certificate")
    assert old.get("/v1/jobs").status == 200


@pytest.mark.parametrize("extra, words", [
    ("[jbos]\n", ["jbos", "jobs"]), ("[log]\nlevle = \"info\"\n", ["levle", "level"]), ("[log]\nlevel = 5\n", ["level"]),
    ("[log]\nlevel = \"loud\"\n", ["loud", "info"]), ("[log\n", []), ("[log]\nlevel = \"info\"\n[log]\n", []),
])
def test_a_bad_configuration_is_refused_with_file_and_line(make_berth, extra, words):
    berth = make_berth(start=False)
    checked = subprocess.run(berth.command("--check-config"), capture_output=True, text=True, timeout=20)
    assert checked.returncode == 0, checked
    berth.write_config(extra)
    for arguments in (["--check-config"], []):
        done = subprocess.run(berth.command(*arguments), capture_output=True, text=True, timeout=20)
        text = done.stdout + done.stderr
        assert done.returncode not in (0, -signal.SIGKILL), text
        assert re.search(r"berth\.toml:\d+(:\d+)?", text), text
        assert all(word in text for word in words), text


def test_without_disk_space_new_jobs_are_refused_and_reads_go_on(make_berth):
    berth = make_berth({"store": {"free_bytes_min": "1000TB"}})
    client = berth.client()
    assert client.post("/v1/jobs", {"script": OK}).status == 503
    assert client.all_jobs() == []
    assert client.get("/health/ready").status == 200
    assert client.get("/health").json()["status"] != "ok"


def test_metrics_count_jobs_requests_and_batch_commands(site, client):
    client.run({"script": OK})
    status, text = site.berth.observe("/metrics")
    assert status == 200
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 20
    for line in lines:
        assert re.fullmatch(r"berth_[a-z0-9_]+(\{.*\})? [-+0-9.eE]+(inf|nan)?", line, re.IGNORECASE), line
    assert re.search(r"^berth_\w*jobs\w*\{[^}]*state=\"done\"", text, re.MULTILINE), "no jobs by state"
    assert client.token[:40] not in text and "alice" not in text


def test_no_secret_is_in_the_log(site, client):
    client.run({"script": OK, "environment": {"PASSWORD": "correct-horse-battery"}})
    log = site.berth.log()
    assert client.token not in log and client.token.split(".")[2] not in log
    assert "correct-horse-battery" not in log


def test_berthctl_finds_a_job_by_id_tag_and_batch_id(site, client):
    job = client.run({"name": "findme", "script": OK})
    for name in (job["id"], job["tag"], job["batch_id"]):
        text = site.berth.berthctl("job", name).stdout
        assert job["id"] in text and "done" in text, text
    assert job["id"] in site.berth.berthctl("jobs").stdout
    assert site.berth.berthctl("status").stdout
    assert site.berth.berthctl("job", "0" * 22, check=False).returncode != 0


def test_a_drained_daemon_takes_no_new_jobs_and_answers_everything_else(own_site):
    site = own_site()
    client = site.berth.client()
    done = client.run({"script": OK})
    said = site.berth.berthctl("drain").stdout
    assert said == "no new jobs are taken; those that were accepted go on\n"
    reply = client.post("/v1/jobs", {"script": OK})
    assert reply.status == 503, reply  # Retry-After is checked against the document
    assert client.job(done["id"])["state"] == "done"
    assert site.berth.berthctl("undrain").stdout == "new jobs are taken again\n"
    assert client.run({"script": OK})["state"] == "done"


def test_berthctl_says_in_a_sentence_what_it_did(own_site):
    berth = own_site().berth
    assert berth.berthctl("reload").stdout == "configuration and certificates have been read again\n"
    assert berth.berthctl("flush-keys").stdout == "the keys of all issuers are being fetched again\n"
    assert json.loads(berth.berthctl("--json", "flush-keys").stdout) == {"flushed": True}


def test_a_backup_is_a_store_that_opens(own_site):
    site = own_site()
    site.berth.client().run({"script": OK})
    path = os.path.join(site.berth.directory, "copy.db")
    site.berth.berthctl("backup", path)
    with open(path, "rb") as file:
        assert file.read(15) == b"SQLite format 3"


def test_berthctl_explains_a_token(site):
    token = site.berth.token("alice")
    path = os.path.join(site.shared, "token")
    with open(path, "w", encoding="utf-8") as file:
        file.write(token)
    os.chmod(path, 0o644)
    text = site.berth.berthctl("token", "inspect", path).stdout
    assert "alice" in text and account.NAME in text and "compute.create" in text, text
    assert token.split(".")[2] not in text


def test_berthctl_check_talks_to_the_batch_system(site):
    text = site.berth.berthctl("check").stdout
    names = ["grid", "short", "long"] if site.slurm else [site.berth.client().get("/v1/site").json()["queues"][0]["name"]]
    for name in names:
        assert name in text, text


def test_an_unknown_job_in_the_queue_is_left_alone(site, client):
    """A batch job of the same account that is not Berth's."""
    if not site.slurm:
        return
    number = subprocess.run([*account.prefix(), "sbatch", "--parsable", "-p", "held", "-o", "/dev/null", "--wrap", "true"],
                            capture_output=True, text=True, timeout=20, check=True, cwd="/",
                            env=dict(os.environ, SLURM_CONF=site.slurm.conf)).stdout.strip()
    client.run({"script": OK})
    time.sleep(3)  # more than one poll
    assert "PENDING" in site.slurm.run("squeue", "-h", "-j", number, "-o", "%T")
    site.slurm.run("scancel", number)


# ---- the systemd unit

def test_jobs_are_submitted_under_the_filters_of_the_unit(make_berth):
    """The unit's system-call and address-family filters, put on berthd and all that it starts."""
    berth = make_berth(start=False)
    shutil.copy(confine.__file__, berth.directory)
    shutil.copy(UNIT, berth.directory)
    account.own(berth.directory)
    berth.launcher = [sys.executable, os.path.join(berth.directory, "confine.py"), os.path.join(berth.directory, "berthd.service")]
    berth.start()
    with open("/proc/%d/status" % berth.process.pid, encoding="utf-8") as file:
        assert re.search(r"^Seccomp:\s+2$", file.read(), re.MULTILINE), "the filter is not on"
    client = berth.client()
    stream = client.events()
    job = client.submit({"script": "#!/bin/sh\ncat in\n", "files": ["in"]})
    client.wait(job["id"], "uploading")
    assert client.upload(job["id"], "in", b"confined\n").status == 201
    assert stream.until(job["id"], "done")
    assert client.stdout(job["id"]) == "confined\n"
    client.act("cancel", client.submit({"script": "#!/bin/sh\nsleep 30\n"})["id"])
    assert client.request("DELETE", "/v1/jobs/" + job["id"]).status == 204
    berth.reload()
    assert client.run({"script": OK, "count": 1})["state"] == "done"


def test_the_filter_of_the_unit_names_what_it_must():
    with open(UNIT, encoding="utf-8") as file:
        wanted = confine.Filter(file.read())
    assert wanted.allowed and {"read", "openat2", "execve", "socket"} <= wanted.allowed
    assert not wanted.allowed & {"mount", "reboot", "init_module", "ptrace", "bpf", "setuid", "chroot"}
    assert wanted.families and len(wanted.families) <= 3


def test_the_exposure_of_the_unit_is_at_most_two():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", UNIT],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_the_filter_reads_a_unit_as_systemd_does():
    wanted = confine.Filter("[Unit]\nSystemCallFilter=mount\n[Service]\nSystemCallFilter=@system-service \\\n  mount\n"
                            "SystemCallFilter=~@resources kill\n; SystemCallFilter=reboot\nRestrictAddressFamilies=AF_UNIX\n"
                            "RestrictAddressFamilies=AF_INET\nSystemCallErrorNumber=EPERM\nMemoryDenyWriteExecute=true\n")
    assert {"read", "mount", "openat"} <= wanted.allowed
    assert not wanted.allowed & {"kill", "sched_setscheduler", "reboot"}
    assert (len(wanted.families), wanted.error, wanted.no_write_execute) == (2, 1, True)
