"""Waiting for something that happens elsewhere."""

import time


def wait_until(condition, timeout=30, what=None, interval=0.05):
    """The first true value of `condition`; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("waited %d s for %s" % (timeout, what or condition.__name__))
        time.sleep(interval)
