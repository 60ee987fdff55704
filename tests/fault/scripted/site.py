"""A berthd in front of the scripted Slurm."""

import os

from support.berth import Berth
from support.site import Site

from .slurm import ScriptedSlurm

JOBS = {"poll_interval": "1s", "poll_interval_max": "2s", "lookup_window": "5s", "unknown_grace": "20s"}


def start_site(directory, parts, jobs=None, settings=None, prepare=None):
    """`parts`: programs, contract and issuer; `prepare(berth)` changes the daemon before its start."""
    os.chmod(directory, 0o755)
    slurm = ScriptedSlurm(os.path.join(directory, "slurm"))
    tables = {"jobs": {**JOBS, **(jobs or {})}}
    for table, keys in (settings or {}).items():
        tables.setdefault(table, {}).update(keys)
    programs, contract, issuer = parts
    berth = Berth(programs, os.path.join(directory, "berth"), contract, issuer, slurm, tables)
    if prepare:
        prepare(berth)
    return Site("slurm", berth.start(), os.path.join(directory, "shared"))


def finish_site(site):
    try:
        site.berth.finish()
    finally:
        site.slurm.stop()
