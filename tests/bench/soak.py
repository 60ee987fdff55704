"""A day at 10 jobs/s in half an hour: does memory grow, do descriptors leak, does the store stay within its retention?"""

import json
import os
import subprocess
import tempfile

from lab import show
from support.berth import BIN


def run(arguments):
    hours, rate = (1, 1) if arguments.smoke else (24, 10)
    with tempfile.TemporaryDirectory(prefix="berth-bench-", dir=os.environ.get("BERTH_BENCH_ROOT") or None) as folder:
        program = subprocess.Popen([os.path.join(BIN, "bench_soak"), folder, str(hours), str(rate)],
                                   stdout=subprocess.PIPE, text=True)
        lines = []
        for line in program.stdout:
            lines.append(json.loads(line))
            show("after %d h" % lines[-1]["hour"], "memory %(memory_mb).0f MB" % lines[-1],
                 "%(descriptors)d descriptors" % lines[-1], "store %(store_mb).0f MB" % lines[-1],
                 "%(active)d active" % lines[-1], "%(accepted)d accepted" % lines[-1], "%(real_s).0f s" % lines[-1])
        if program.wait() != 0 or len(lines) != hours:
            raise SystemExit("bench_soak ended with %d" % program.returncode)
    # Jobs are kept for 2 hours: the store is full after 3.
    early, late = lines[min(3, hours - 1)], lines[-1]
    show("from hour %d to hour %d" % (early["hour"], late["hour"]),
         *("%s x %.2f" % (name, late[key] / early[key]) for name, key in
           (("memory", "memory_mb"), ("descriptors", "descriptors"), ("store", "store_mb"))))
