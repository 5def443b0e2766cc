"""What every client in Python is put through, whoever wrote it.

A client is an object with `connect(place, heard)`, an async context manager that gives a
`Connection`: `place` is where and how (`Place`), `heard` is called with the method of every
notification that the client hands on. It is judged by `main(client)`. Each scenario runs over stdio and over HTTP, in both eras of
the protocol: "modern" is 2026-07-28, "legacy" is the handshake of 2025-11-25.
"""

import argparse
import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Awaitable, Callable

import anyio
from mcp.shared.exceptions import MCPError

from judge import Staged, Tally, status_of

VERSIONS = {"modern": "2026-07-28", "legacy": "2025-11-25"}
TOOLS = ["list_books", "get_book", "add_book", "slow_book", "flaky_book", "drop_book"]
BOOK = {"id": "b1", "title": "Bridges", "pages": 212}
BROKEN = {"id": 7, "pages": "many", "shelf": None}
LIST_CHANGED = "notifications/tools/list_changed"
PROGRESS = "notifications/progress"


@dataclass
class Place:
    """Where a client connects, and how."""

    transport: str
    era: str
    command: list[str]
    env: dict[str, str]
    url: str | None
    key: str | None
    log: str


@dataclass
class Connection:
    """A client, connected."""

    version: str
    server: str
    # The tools, with name, input_schema and output_schema.
    tools: Callable[[], Awaitable[list[Any]]]
    # (name, arguments, progress callback or None, _meta or None) to the result.
    call: Callable[..., Awaitable[Any]]
    # An async context manager that gives an async iterator of changes; modern only.
    listen: Callable[[], Any]
    # Whether it asks for the progress of every call, wanted or not.
    always_asks: bool = False


class Run:
    """One client, in one era, over one transport, on one stage."""

    def __init__(self, tally, client, stage, transport, era, key=None):
        self.tally, self.client, self.stage = tally, client, stage
        self.transport, self.era = transport, era
        self.heard = []
        self.place = Place(
            transport,
            era,
            [stage.binary, "serve", "--config", stage.config],
            stage.env,
            stage.http,
            key,
            str(pathlib.Path(stage.folder) / "stdio.log"),
        )

    def check(self, what, holds, why=""):
        self.tally.check(f"{self.transport} {self.era}: {what}", holds, why)

    def cannot(self, what, reason):
        self.tally.cannot(f"{self.transport} {self.era}: {what}", reason)

    def connect(self):
        return self.client.connect(self.place, self.heard.append)


async def until(holds, seconds=10.0):
    """Waits for it to hold; the last answer."""
    end = time.monotonic() + seconds
    while not (answer := holds()) and time.monotonic() < end:
        await anyio.sleep(0.05)
    return answer


def error_of(result):
    return (result.structured_content or {}).get("error", {}) if result.is_error else {}


def text_value(result):
    """The value in the first text block, or what stood there instead."""
    texts = [block.text for block in result.content if block.type == "text"]
    try:
        return json.loads(texts[0])
    except (IndexError, json.JSONDecodeError) as error:
        return f"no JSON text block: {error}"


async def lists(run, connection):
    run.check("the era is the one that was asked for", connection.version == VERSIONS[run.era], connection.version)
    run.check("the server says its name", connection.server == "shelf", connection.server)
    tools = await connection.tools()
    names = [tool.name for tool in tools]
    run.check("the list is what the file says, in its order", names == TOOLS, names)
    schemas = [tool.input_schema for tool in tools]
    schemas += [tool.output_schema for tool in tools if tool.output_schema is not None]
    roots = [schema.get("type") for schema in schemas]
    run.check("every schema's root is an object", set(roots) == {"object"}, roots)


async def calls(run, connection):
    result = await connection.call("get_book", {"id": "b1"})
    run.check("a call has a structured result", result.structured_content == BOOK, result)
    run.check("the same stands as text", text_value(result) == BOOK, result.content)
    run.check("it is no error", not result.is_error, result)
    about = (result.meta or {}).get("tollbridge/call") or {}
    named = bool(about.get("id")) and (about.get("attempts"), about.get("status")) == (1, 200)
    run.check("the result names its call", named, result.meta)

    result = await connection.call("list_books", {})
    run.check("a list is wrapped as an object", result.structured_content == {"result": [BOOK]}, result)

    new = {"id": "b2", "title": "Tolls", "pages": 9}
    result = await connection.call("add_book", {"body": new})
    run.check("a write answers", result.structured_content == new, result)
    result = await connection.call("get_book", {"id": "b2"})
    run.check("a write took effect", result.structured_content == new, result)


async def errors(run, connection):
    result = await connection.call("get_book", {"id": "none"})
    error = error_of(result)
    run.check("an upstream's refusal is a tool error", result.is_error, result)
    said = error.get("code"), error.get("upstream", {}).get("status")
    run.check("it says what the upstream said", said == ("upstream_error", 404), error)

    before = run.stage.seen()
    error = error_of(await connection.call("get_book", {"id": "b1", "colour": "red"}))
    run.check("an unknown argument is refused", error.get("code") == "invalid_arguments", error)
    pointers = [violation.get("pointer") for violation in error.get("violations", [])]
    run.check("the refusal points at the argument", pointers == ["/colour"], error)
    run.check("nothing of it was sent", run.stage.seen() == before, run.stage.seen())

    try:
        result = await connection.call("drop_books", {})
        run.check("an unknown tool is a protocol error", False, result)
    except MCPError as error:
        run.check("an unknown tool is a protocol error", error.code == -32602, error)

    try:
        result = await connection.call("get_book", {"id": "broken"})
        arrived = result.structured_content == BROKEN and not result.is_error
        run.check("an answer that breaks its schema arrives", arrived, result)
        run.check("it is marked as drift", "tollbridge/drift" in (result.meta or {}), result.meta)
    except (MCPError, RuntimeError) as error:
        run.check("an answer that breaks its schema arrives", False, error)


async def cancels(run, connection):
    def slow():
        return [request for request in run.stage.seen() if "/slow" in request["path"]]

    def aborted():
        return slow() and slow()[-1]["ended"] == "aborted"

    def outcome():
        of_tool = run.stage.trail("slow_book")
        return of_tool and of_tool[-1]["outcome"]

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        group.start_soon(connection.call, "slow_book", {"id": "b1", "ms": 30000})
        run.check("a slow call is under way", await until(slow), run.stage.seen())
        group.cancel_scope.cancel()
    run.check("cancelled, the upstream sees the abort", await until(aborted), slow())
    ended = await until(lambda: outcome() == "cancelled")
    run.check("the trail says that it was cancelled", ended, outcome())
    run.check("the cancelled call ended at once", time.monotonic() - began < 15, time.monotonic() - began)
    result = await connection.call("get_book", {"id": "b1"})
    run.check("the connection serves on after a cancel", result.structured_content == BOOK, result)


async def progresses(run, connection):
    steps = []

    async def step(progress, total, message):
        steps.append(progress)

    result = await connection.call("flaky_book", {"id": "b1"}, step)
    ended = list(steps)
    run.check("a flaky read succeeds after repetition", result.structured_content == BOOK, result)
    attempts = ((result.meta or {}).get("tollbridge/call") or {}).get("attempts")
    run.check("the result says how often it was tried", attempts == 3, result.meta)
    run.check("progress is told", len(ended) >= 2, ended)
    run.check("progress only increases", ended == sorted(set(ended)), ended)
    await anyio.sleep(0.3)
    run.check("none is told after the end", steps == ended, (ended, steps))

    if connection.always_asks:
        run.cannot("none is told who did not ask", "this client asks in every call")
        return
    run.check("progress is a notification that the judge hears", PROGRESS in run.heard, run.heard)
    run.stage.reset()
    run.heard.clear()
    await connection.call("flaky_book", {"id": "b1"})
    await anyio.sleep(0.2)
    run.check("none is told who did not ask", PROGRESS not in run.heard, run.heard)


async def holds(run, connection):
    async def drop(meta=None):
        result = await connection.call("drop_book", {"id": "b1"}, None, meta)
        return result, (error_of(result).get("hold") or {}).get("id")

    def dropped():
        return [request for request in run.stage.seen() if request["method"] == "DELETE"]

    result, first = await drop()
    run.check("a call is held for a person", error_of(result).get("code") == "held" and first, result)
    _, again = await drop()
    run.check("made again, it is held as the same", again == first, (first, again))
    run.check("nothing of it was sent yet", dropped() == [], dropped())
    run.stage.approve(first)
    result, _ = await drop()
    run.check("approved, the same call goes on", not result.is_error, result)
    result, second = await drop()
    run.check("once: again it is held anew", second not in (None, first), (first, result))

    await connection.call("add_book", {"body": BOOK})
    run.stage.approve(second)
    named = {"tollbridge/approval": second}
    result, _ = await drop(named)
    run.check("a call that names its approval goes on", not result.is_error, result)
    result, third = await drop(named)
    run.check("once, too", result.is_error and third != second, result)
    run.check("the upstream saw what was approved", len(dropped()) == 2, dropped())


async def changes(run, connection):
    """The list changes under a connected client: it is told, and what it lists is new."""

    async def told(iterator):
        if iterator is None:
            return await until(lambda: LIST_CHANGED in run.heard)
        with anyio.move_on_after(10):
            return type(await anext(iterator, None)).__name__ == "ToolsListChanged"
        return False

    async def without(iterator, missing):
        run.heard.clear()
        run.stage.tools(missing)
        run.check(f"a reload without {missing or 'nothing'} is told", await told(iterator), run.heard)
        names = [tool.name for tool in await connection.tools()]
        wanted = [name for name in TOOLS if name not in missing]
        run.check(f"the list is then without {missing or 'nothing'}", names == wanted, names)

    await connection.tools()
    listening = connection.listen() if run.era == "modern" else contextlib.nullcontext()
    try:
        async with listening as iterator, anyio.create_task_group() as group:
            slow = []

            async def under_way():
                slow.append(await connection.call("slow_book", {"id": "b1", "ms": 1500}))

            group.start_soon(under_way)
            await until(run.stage.seen)
            await without(iterator, ["get_book", "slow_book"])
            await until(lambda: slow)
            ended = [result.structured_content for result in slow]
            run.check("a call under way ends on what it began with", ended == [BOOK], slow)
            try:
                result = await connection.call("get_book", {"id": "b1"})
                run.check("a tool that is gone is unknown", False, result)
            except MCPError as error:
                run.check("a tool that is gone is unknown", error.code == -32602, error)
            await without(iterator, [])
            result = await connection.call("get_book", {"id": "b1"})
            run.check("back again, it is called", result.structured_content == BOOK, result)
    finally:
        run.stage.tools([])


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
        under_way = await until(lambda: [seen for seen in run.stage.seen() if "/slow" in seen["path"]], 30)
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


VANISHING_MS = 8000


async def vanishing(client, place):
    """The worker that `vanishes` kills."""
    async with client.connect(Place(**place), lambda _: None) as connection:
        await connection.call("slow_book", {"id": "b1", "ms": VANISHING_MS})


def alive(pid):
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def causes(error):
    """What is behind a group of exceptions."""
    inner = getattr(error, "exceptions", None)
    return "; ".join(map(causes, inner)) if inner else repr(error)


def attempt(run, what, scenario, seconds):
    """A scenario that fails as a whole is one failed check, not the end of the judge."""

    async def bounded():
        run.stage.reset()
        with anyio.fail_after(seconds):
            await scenario()

    try:
        anyio.run(bounded)
    except Exception as error:  # noqa: BLE001: whatever it is, it is reported
        run.check(f"{what} goes to its end", False, causes(error))


SCENARIOS = [lists, calls, errors, cancels, progresses, holds]


def connected(run, scenario, *more):
    async def over_one_connection():
        async with run.connect() as connection:
            await scenario(run, connection, *more)

    return over_one_connection


def play(run, smoke):
    """All scenarios, each over a connection of its own."""
    for scenario in [*SCENARIOS, changes]:
        attempt(run, scenario.__name__, connected(run, scenario), 60)
    attempt(run, "many calls", connected(run, many_calls, 200 if smoke else 2000), 240)
    attempt(run, "many connections", lambda: many_connections(run, 10 if smoke else 50), 240)
    attempt(run, "a vanishing client", lambda: vanishes(run), 90)


def stops(run):
    """Told to end while a client listens, the server does, and says goodbye."""

    async def scenario():
        async with run.connect() as connection, connection.listen() as iterator:
            with anyio.fail_after(20):
                stopped = await anyio.to_thread.run_sync(run.stage.control, "stop", {})
                run.check("SIGTERM ends it with 0", stopped["exit"] == 0, stopped)
                run.check("a listening client is told", [event async for event in iterator] == [])

    attempt(run, "the end of the server", scenario, 60)


def keyed(tally, client, stage):
    """API keys: refused without one, let in with one, refused once revoked."""
    key = json.loads(stage.run("key", "new", "second", "--json"))
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()

    def refused(what, key=None):
        bearer = {"Authorization": f"Bearer {key}"} if key else {}
        status = status_of(stage.http, headers | bearer, body)
        tally.check(f"keys: {what} it is 401", status == 401, status)

    refused("without a key")
    refused("with a wrong key", "no-such-key")
    for era in VERSIONS:
        run = Run(tally, client, stage, "keys", era, key["key"])
        for scenario in [lists, calls, errors]:
            attempt(run, scenario.__name__, connected(run, scenario), 60)
        callers = {call["identity"] for call in stage.trail("get_book")}
        run.check("the trail says who called", callers == {"second"}, callers)
    stage.run("key", "revoke", key["id"])
    refused("once the key is revoked", key["key"])


def main(client):
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary", nargs="?")
    arguments.add_argument("--smoke", action="store_true")
    arguments.add_argument("--vanishing", type=json.loads, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.vanishing:
        anyio.run(vanishing, client, given.vanishing)
        return
    tally = Tally()
    with Staged(given.binary) as stage:
        for era in VERSIONS:
            play(Run(tally, client, stage, "stdio", era), given.smoke)
        if tally.failed:
            with contextlib.suppress(FileNotFoundError):
                print(pathlib.Path(stage.folder, "stdio.log").read_text()[-4000:], file=sys.stderr)
    with Staged(given.binary, "--http") as stage:
        for era in VERSIONS:
            play(Run(tally, client, stage, "http", era), given.smoke)
        stops(Run(tally, client, stage, "http", "modern"))
        if tally.failed:
            print(pathlib.Path(stage.log).read_text()[-4000:], file=sys.stderr)
    with Staged(given.binary, "--http", "--keys") as stage:
        keyed(tally, client, stage)
    tally.end()
