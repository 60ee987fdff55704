"""Fixtures of the end-to-end tests. `--plugin NAME` chooses one of PLUGINS; all of them without it."""

import os
import shutil
import tempfile

import pytest

from support import account
from support.berth import BIN, Berth, Programs
from support.client import FINAL, STATES
from support.contract import Contract
from support.site import Site
from support.slurm import Slurm
from support.tokens import Issuer


# "slurm-rest" is Slurm with slurmrestd.
PLUGINS = ["local", "slurm", "slurm-rest"]
# Much longer than its wall time, and yet not for ever: a broken daemon would leave it behind.
ENDLESS = "#!/bin/sh\ntrap 'echo warned' USR1\ni=0\nwhile [ $i -lt 2000 ]; do sleep 0.2; i=$((i + 1)); done\n"


def pytest_addoption(parser):
    parser.addoption("--plugin", choices=PLUGINS, help="only this batch plugin")


def pytest_configure(config):
    config.addinivalue_line("markers", "slurm_only: needs Slurm's own commands")
    config.addinivalue_line("markers", "last: waits for something that was started early")
    config.failed_tests = 0


def plugins(config):
    return [config.getoption("--plugin")] if config.getoption("--plugin") else PLUGINS


def pytest_generate_tests(metafunc):
    if "plugin" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("slurm_only")
        # A file of tests may name the plugins that it is for.
        wanted = getattr(metafunc.module, "PLUGINS", plugins(metafunc.config))
        names = [name for name in plugins(metafunc.config) if name in wanted and (name != "local" or not only)]
        metafunc.parametrize("plugin", names, scope="session")


def pytest_collection_modifyitems(config, items):
    """What needs no batch system runs with the local plugin only; slow endings come last."""
    if (config.getoption("--plugin") or "local") != "local":
        chosen = [item for item in items if "plugin" in item.fixturenames]
    else:
        chosen = list(items)
    dropped = [item for item in items if item not in chosen]
    # pytest groups by the session-wide plugin itself; the sort keeps its order.
    chosen.sort(key=lambda item: (str(getattr(item, "callspec", None) and item.callspec.params.get("plugin", "")),
                                  item.get_closest_marker("last") is not None))
    config.hook.pytest_deselected(items=dropped)
    items[:] = chosen


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    item.config.failed_tests += report.failed


@pytest.fixture(scope="session")
def base(request):
    """A folder that other accounts can enter, with a short path: unix sockets have 108 bytes."""
    directory = tempfile.mkdtemp(prefix="berth-e2e-")
    os.chmod(directory, 0o755)
    yield directory
    if request.config.failed_tests or os.environ.get("BERTH_E2E_KEEP"):
        print("\nkept: " + directory)
    else:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def contract(request):
    result = Contract()
    request.config.contract = result
    return result


@pytest.fixture(scope="session")
def programs(base):
    assert os.path.exists(os.path.join(BIN, "berthd")), "build berthd first, or set BERTH_BIN"
    return Programs(os.path.join(base, "bin"))


@pytest.fixture(scope="session")
def issuer(base, programs):
    result = Issuer(programs.berthctl, os.path.join(base, "issuer"))
    account.own(result.directory)
    return result


def rest_option(plugin):
    return ["--rest"] if plugin == "slurm-rest" else []


def started_slurm(directory, *options):
    slurm = Slurm(directory, *options)
    try:
        slurm.add_prolog()
        yield slurm
    finally:
        slurm.stop()


@pytest.fixture(scope="session")
def slurm(base, plugin):
    yield from started_slurm(os.path.join(base, plugin), *rest_option(plugin), "--nodes", "2", "--cpus", "32", "--gpus")


@pytest.fixture(scope="session")
def slurm_with_history(base, plugin):
    """A second Slurm, with slurmdbd, whose queue forgets ended jobs after a few seconds."""
    yield from started_slurm(os.path.join(base, plugin + "-dbd"), *rest_option(plugin), "--nodes", "1", "--cpus", "8",
                             "--dbd", "--min-job-age", "2")


@pytest.fixture(scope="session")
def slurm_with_cgroups(base):
    """A third Slurm, which enforces memory limits."""
    memory = ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/cgroup.controllers")
    if os.getuid() != 0 or not any(os.path.exists(path) for path in memory):
        pytest.skip("needs root and the memory controller of cgroups")
    yield from started_slurm(os.path.join(base, "cg"), "--nodes", "1", "--cpus", "8", "--cgroups")


@pytest.fixture(scope="session")
def site(request, plugin, base, programs, contract, issuer):
    """The daemon that most tests share; every test is a client of its own (see `client`)."""
    slurm = request.getfixturevalue("slurm") if plugin != "local" else None
    berth = Berth(programs, os.path.join(base, "berth-" + plugin), contract, issuer, slurm).start()
    try:
        result = Site(plugin, berth, os.path.join(base, "shared-" + plugin))
        wall = {"wall_time_s": 60, "warning_s": 5} if slurm else {"wall_time_s": 4, "warning_s": 2}
        result.slow_job = berth.client("slow").submit({"script": ENDLESS, "resources": wall})
        yield result
    finally:
        berth.finish()


def subject_of(request):
    """One for each test: it sees only its own jobs."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:200]


@pytest.fixture
def client(request, site):
    result = site.berth.client(subject_of(request))
    yield result
    # A test that failed must not keep the slots that others need.
    for job in result.all_jobs("state=" + ",".join(sorted(set(STATES) - set(FINAL)))):
        result.post("/v1/jobs/%s/cancel" % job["id"])
    result.close()


@pytest.fixture
def make_berth(request, plugin, base, programs, contract, issuer):
    """Starts daemons of the test's own; make_berth(settings={...}) -> Berth."""
    made = []

    def make(settings=None, start=True, launcher=None, slurm=None):
        if plugin != "local" and slurm is None:
            slurm = request.getfixturevalue("slurm")
        directory = tempfile.mkdtemp(prefix="d", dir=base)
        os.chmod(directory, 0o755)
        berth = Berth(programs, directory, contract, issuer, slurm, settings, launcher)
        made.append(berth)
        return berth.start() if start else berth

    yield make
    problems = []
    for berth in made:
        try:
            if berth.process is not None:
                berth.finish()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.fixture
def own_site(plugin, make_berth):
    """make(settings) -> a Site with a daemon that the test may kill."""
    def make(settings=None, **more):
        berth = make_berth(settings, **more)
        return Site(plugin, berth, os.path.join(berth.directory, "shared"))
    return make


def pytest_terminal_summary(terminalreporter, config):
    contract = getattr(config, "contract", None)
    if contract is None or not contract.seen:
        return
    missing = sorted(contract.never_seen())
    terminalreporter.write_line("answers checked against the OpenAPI document: %d kinds; documented and not provoked: %d"
                                % (len(contract.seen), len(missing)))
    if config.getoption("verbose") > 0:
        for line in missing:
            terminalreporter.write_line("  " + line)
