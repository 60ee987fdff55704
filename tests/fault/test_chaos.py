"""kill -9 of the daemon again and again, while clients submit to a real Slurm: every payload runs exactly once.

BERTH_CHAOS_KILLS, BERTH_CHAOS_JOBS and BERTH_CHAOS_SEED make another run of it (docs/testing.md).
"""

import os
import secrets

from chaos import LONG, Chaos
from dying import PROGRAM
from place import make_place
from support.berth import Programs

KILLS = int(os.environ.get("BERTH_CHAOS_KILLS", "12"))
JOBS = int(os.environ.get("BERTH_CHAOS_JOBS", "150"))


PLUGINS = ["slurm"]


def test_nothing_is_lost_or_started_twice_however_often_the_daemon_is_killed(base, contract, issuer, slurm, capsys):
    seed = os.environ.get("BERTH_CHAOS_SEED", secrets.token_hex(4))
    programs = Programs(os.path.join(base, "chaos-bin"), PROGRAM)
    # A kill costs an attempt when it comes between the intent and the submission.
    place = make_place(programs, os.path.join(base, "chaos"), contract, issuer, slurm,
                       {"attempts_max": 20, "lookup_window": "5s"})
    chaos = Chaos(place, KILLS, JOBS, seed)
    place.berth.start()
    with capsys.disabled():
        print("\nseed %s" % seed)
    try:
        chaos.run()
        chaos.check()
        chaos.kill_in_adoption()
    finally:
        with capsys.disabled():
            print(chaos.report())
        if place.berth.has_died():
            place.berth.start()  # so that what waits in Slurm can be ended
        place.berth.finish()
    assert min(len(states) for states in chaos.states) >= 4
    if KILLS >= LONG:
        assert not chaos.never_hit()
