"""The daemon dies at each of its named steps, once, and after the restart everything comes to its right end."""

import concurrent.futures
import os
import time

import pytest

from dying import PROGRAM, steps
from place import make_place
from scenarios import SCENARIOS
from support.berth import Programs

PLUGINS = ["slurm"]
AT_A_TIME = 6  # kills: each of them mostly waits


def cases():
    for step in sorted(set(steps())):
        for order, scenario in SCENARIOS.get(step, [("", None)]):
            name = step + order + ("-" + scenario.__name__ if scenario else "")
            yield pytest.param(step, order, scenario, id=name)


def run_case(make, number, step, order, scenario):
    """One kill: the scenario goes on in its own thread while the daemon dies and comes back."""
    place = make(number)
    berth = place.berth.start()
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        try:
            work = thread.submit(scenario, place)
            while not place.ready.wait(0.1):
                if work.done():
                    work.result()
                    raise AssertionError("the scenario was never ready for the kill")
            if place.at_start:
                berth.stop()
            berth.order(step + order)
            place.ordered.set()
            if place.at_start:
                berth.spawn()
            while not berth.has_died():
                if work.done():
                    work.result()
                    raise AssertionError("the scenario ended without a death at " + step + order)
                time.sleep(0.05)
            berth.wait_for_death(step + order)
            berth.withdraw()
            berth.start()
            place.died.set()
            work.result()
        except BaseException:
            place.insistent.timeout = 0  # the thread ends with the next request
            if berth.process.poll() is None:
                berth.kill()
            raise
    place.check()
    berth.finish()
    return time.monotonic() - begin


@pytest.fixture(scope="session")
def outcomes(request, base, contract, issuer, slurm):
    """The kills that are asked for, several at a time: case -> future."""
    programs = Programs(os.path.join(base, "dying"), PROGRAM)

    def make(number):
        return make_place(programs, os.path.join(base, "kill%d" % number), contract, issuer, slurm)

    wanted = [item.callspec.params for item in request.session.items if "order" in getattr(item, "fixturenames", ())]
    wanted = [(one["step"], one["order"], one["scenario"]) for one in wanted if one["scenario"]]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {case: pool.submit(run_case, make, number, *case) for number, case in enumerate(wanted)}


def test_no_two_steps_have_one_name():
    found = steps()
    assert found and len(found) == len(set(found)), found


def test_every_scenario_is_for_a_step_of_the_sources():
    assert set(SCENARIOS) <= set(steps())


@pytest.mark.parametrize("step, order, scenario", cases())
def test_after_a_death_at_the_step_every_job_comes_to_its_right_end(step, order, scenario, outcomes):
    assert scenario, "no scenario in scenarios.py reaches the step " + step
    outcomes[step, order, scenario].result()
