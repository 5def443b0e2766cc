"""Many calls, many connections, and clients and servers that go away."""

import json
import pathlib
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import anyio

from connection import BOOK, TOOLS, Person, Place, attempt, causes, error_of, until


async def many_calls(run, connection, count):
    """Sixteen at a time, each for a book of its own, so that answers cannot be mixed up."""
    books = [f"{run.transport}-{run.era}-{n}" for n in range(20)]
    for book in books:
        await connection.call("add_book", {"body": {"id": book, "title": book, "pages": 1}})
    left = iter(range(count))
    wrong = []

    async def worker():
        for n in left:
            book = books[n % len(books)]
            result = await connection.call("get_book", {"id": book})
            if (result.structured_content or {}).get("id") != book:
                wrong.append((book, result))

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        for _ in range(16):
            group.start_soon(worker)
    took = time.monotonic() - began
    run.check(f"{count} calls over one connection, each has its own answer", not wrong, wrong[:3])
    kept = [
        call["outcome"]
        for call in run.stage.trail("get_book", limit=count + 100)
        if call["arguments"].get("id") in books
    ]
    run.check(f"the trail has all {count}", kept == ["succeeded"] * count, (len(kept), set(kept)))
    print(f"        {count} calls took {took:.1f} s", flush=True)


async def many_connections(run, count):
    """All are open at once before the first of them calls."""
    book = f"{run.transport}-{run.era}-shared"
    open_now, all_open = [0], anyio.Event()
    lists, answers, broken = [], [], []

    async def one():
        try:
            async with run.connect() as connection:
                lists.append([tool.name for tool in await connection.tools()])
                open_now[0] += 1
                if open_now[0] == count:
                    all_open.set()
                with anyio.fail_after(90):
                    await all_open.wait()
                result = await connection.call("get_book", {"id": book})
                answers.append(error_of(result).get("upstream", {}).get("status"))
        except Exception as error:  # noqa: BLE001: whatever it is, it is reported
            broken.append(causes(error))
            all_open.set()

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(one)
    run.check(f"{count} connections at once hold", not broken, (len(broken), broken[:3]))
    run.check(f"{count} clients list", lists == [TOOLS] * count, (len(lists), lists[:1]))
    run.check(f"{count} clients call", answers == [404] * count, answers)
    outcomes = [
        call["outcome"]
        for call in run.stage.trail("get_book", limit=count + 100)
        if call["arguments"].get("id") == book
    ]
    run.check(f"the trail has one call of each of {count}", outcomes == ["upstream_error"] * count, outcomes)
    print(f"        {count} connections took {time.monotonic() - began:.1f} s", flush=True)


async def vanishes(run):
    """A client is killed amid a call: the others are served, and the call gets its end."""
    pid_file = pathlib.Path(run.stage.folder) / f"{run.transport}-{run.era}.pid"
    place = asdict(run.place)
    if run.transport == "stdio":
        # The shell leaves its process id behind and becomes the server.
        place["command"] = ["/bin/sh", "-c", 'echo $$ >"$0"; exec "$@"', str(pid_file), *place["command"]]
    run.stage.reset()
    before = len(run.stage.trail("slow_book"))
    command = [sys.executable, *sys.argv[:1], "--vanishing", json.dumps(place)]
    worker = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        under_way = await until(lambda: [seen for seen in run.stage.seen() if "/slow" in seen["path"]], 120)
        run.check("a client that will vanish has a call under way", under_way, run.stage.seen())
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    async with run.connect() as connection:
        result = await connection.call("get_book", {"id": "b1"})
        run.check("the others are served", result.structured_content == BOOK, result)

    def outcomes():
        return [call["outcome"] for call in run.stage.trail("slow_book")[before:]]

    # Where a session outlives its connections (2025-11-25, "Multiple Connections"), losing one
    # cancels nothing, and the call runs to its end.
    wanted = "succeeded" if (run.transport, run.era) == ("http", "legacy") else "cancelled"
    ended = await until(lambda: outcomes() == [wanted], 20)
    run.check(f"the vanished client's call is on record as {wanted}", ended, outcomes())
    settled = await until(lambda: all(seen["ended"] != "open" for seen in run.stage.seen()))
    run.check("nothing is left open upstream", settled, run.stage.seen())
    if run.transport == "stdio":
        pid = int(pid_file.read_text())
        run.check("its server ends by itself", await until(lambda: not alive(pid)), pid)


VANISHING_MS = 5000


async def vanishing(client, place):
    """The worker that `vanishes` kills."""
    async with client.connect(Place(**place), lambda _: None, Person()) as connection:
        await connection.call("slow_book", {"id": "b1", "ms": VANISHING_MS})


def alive(pid):
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def stops(run):
    """Told to end while a client listens, the server does, and says goodbye."""

    async def scenario():
        async with run.connect() as connection, connection.listen() as iterator:
            with anyio.fail_after(20):
                stopped = await anyio.to_thread.run_sync(run.stage.control, "stop", {})
                run.check("SIGTERM ends it with 0", stopped["exit"] == 0, stopped)
                run.check("a listening client is told", [event async for event in iterator] == [])

    attempt(run, "the end of the server", scenario, 60)
