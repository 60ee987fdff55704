"""Many nodes at once."""

import asyncio
import os
import random
import statistics
import time

import pytest

from lab.wire import cvmfs_head

NODES = int(os.environ.get("BERTH_CACHE_NODES", "1000"))
IDLE = int(os.environ.get("BERTH_CACHE_IDLE", "10000"))
MEMORY_MAX_MB = 400
DOOR = {"node": {"connections_max": 20_000, "connections_per_peer_max": 20_000, "idle_timeout": "600s"}}


@pytest.fixture
def place(make_stratum, make_cache, node):
    """A stratum, a cache with room for many connections, and a node."""
    stratum = make_stratum(servers=2)
    stratum.publish({"/hello": b"hello"})
    cache = make_cache([stratum.settings()], settings=DOOR)
    return stratum, cache, node(cache, stratum.origins[0].name, stratum.fqrn)


async def read_one(port, request, data, pause_s=0.0):
    """Status, size, and whether all bytes are those of `data`; the body is not kept."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 18)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        size, right = 0, True
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        while size < length:
            piece = await reader.read(1 << 18)
            if not piece:
                break
            right = right and data[size:size + len(piece)] == piece
            size += len(piece)
            if pause_s:
                await asyncio.sleep(pause_s)
        return int(head.split(b" ")[1]), size, right
    finally:
        writer.close()


async def watch_memory(cache, found):
    while True:
        found.append(cache.rss_mb())
        await asyncio.sleep(0.05)


def test_a_thousand_nodes_that_want_one_cold_object_cost_one_request_and_little_memory(place):
    stratum, cache, _ = place
    data = random.Random(20).randbytes(20_000_000)
    path = stratum.put(data)
    full = stratum.path(path)
    request = cvmfs_head(full, stratum.origins[0].name)

    async def crowd():
        memory = []
        watcher = asyncio.create_task(watch_memory(cache, memory))
        began = time.monotonic()
        # A few read slowly: they may cost neither memory nor the others' time.
        view = memoryview(data)
        found = await asyncio.gather(*(read_one(cache.port, request, view, 0.02 if i % 100 == 0 else 0)
                                       for i in range(NODES)))
        watcher.cancel()
        return found, memory, time.monotonic() - began
    before = cache.rss_mb()
    found, memory, seconds = asyncio.run(crowd())
    assert set(found) == {(200, len(data), True)}
    assert sum(origin.count(full) for origin in stratum.origins) == 1
    print("\n%d nodes, 20 MB, cold: %.1f s (%.0f MB/s), memory %.0f MB before, %.0f MB at most" % (
        NODES, seconds, NODES * 20 / seconds, before, max(memory)))
    assert max(memory) < MEMORY_MAX_MB


def latency_ms(node, paths):
    taken = []
    for path in paths:
        began = time.monotonic()
        node.get(path)
        taken.append((time.monotonic() - began) * 1000)
    return statistics.median(taken), sorted(taken)[len(taken) * 99 // 100]


def test_ten_thousand_idle_connections_are_kept_and_the_others_answered(place, node):
    stratum, cache, reader = place
    paths = [stratum.put(random.Random(i).randbytes(5000)) for i in range(50)]
    for path in paths:
        reader.get(path)
    alone, memory = latency_ms(reader, paths * 10), cache.rss_mb()
    request = cvmfs_head(stratum.path(paths[0]), stratum.origins[0].name)

    async def idle():
        kept = []
        for at in range(0, IDLE, 200):
            kept += await asyncio.gather(*(asyncio.open_connection("127.0.0.1", cache.port) for _ in range(200)))
            for stream, writer in kept[at:]:  # each has asked once
                writer.write(request)
                await stream.readuntil(b"\r\n\r\n")
                await stream.readexactly(5000)
        loop = asyncio.get_running_loop()
        beside = await loop.run_in_executor(None, latency_ms, node(cache, stratum.origins[0].name, stratum.fqrn), paths * 10)
        full = cache.rss_mb()
        alive = 0
        for stream, writer in kept[::37]:  # none of them was dropped
            writer.write(request)
            alive += (await stream.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await stream.readexactly(5000)
        for _, writer in kept:
            writer.close()
        return beside, full, alive, len(kept[::37])
    beside, full, alive, asked = asyncio.run(idle())
    assert alive == asked
    print("\n%d idle connections: memory %.0f -> %.0f MB (%.1f KB each); a hit takes %.2f ms (p99 %.2f), without them "
          "%.2f ms (p99 %.2f)" % (IDLE, memory, full, (full - memory) * 1000 / IDLE, *beside, *alone))
    assert full < MEMORY_MAX_MB


def test_many_nodes_with_different_objects_get_their_own(place):
    """Connections to the server are bounded; nobody gets another one's bytes."""
    stratum, cache, _ = place
    objects = [random.Random(i).randbytes(1000 + 400 * i) for i in range(500)]
    paths = [stratum.put(data) for data in objects]

    async def crowd():
        return await asyncio.gather(*(
            read_one(cache.port, cvmfs_head(stratum.path(path), stratum.origins[i % 2].name), data)
            for i, (path, data) in enumerate(list(zip(paths, objects)) * 2)))
    assert asyncio.run(crowd()) == [(200, len(data), True) for data in objects] * 2
    # A server that is slow at that moment has the next one asked as well, but none is asked twice.
    assert all(origin.count(stratum.path(path)) <= 1 for path in paths for origin in stratum.origins)
