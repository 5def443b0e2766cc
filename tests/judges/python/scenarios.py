"""What one connection is put through."""

import contextlib
import time

import anyio
from mcp.shared.exceptions import MCPError

from connection import BOOK, TOOLS, VERSIONS, error_of, text_value, until
from stage import BROKEN

LIST_CHANGED = "notifications/tools/list_changed"
PROGRESS = "notifications/progress"


async def lists(run, connection):
    run.check("the era is the one that was asked for", connection.version == VERSIONS[run.era], connection.version)
    if run.era == "pinned":
        run.cannot("the server says its name", "nobody asks")
    else:
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

    async with anyio.create_task_group() as group:
        group.start_soon(connection.call, "slow_book", {"id": "b1", "ms": 30000})
        run.check("a slow call is under way", await until(slow), run.stage.seen())
        began = time.monotonic()
        group.cancel_scope.cancel()
    took = time.monotonic() - began
    run.check("the cancelled call ended at once", took < 15, took)
    run.check("cancelled, the upstream sees the abort", await until(aborted), slow())
    ended = await until(lambda: outcome() == "cancelled")
    run.check("the trail says that it was cancelled", ended, outcome())
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


ASKED = """
[[tool]]
api = "shelf"
operation = "dropBook"
name = "ask_book"
hold = { ask = ["client"], wait = "2s" }
"""


async def asks(run, connection):
    """The person at the client is asked, in the way of the era, and what they say is done."""

    def dropped():
        return [request["path"] for request in run.stage.seen() if request["method"] == "DELETE"]

    async def ask(answer):
        run.person.answer = answer
        run.person.asked.clear()
        result = await connection.call("ask_book", {"id": f"asked-{answer}"})
        return result, error_of(result)

    async def is_listed(wanted):
        with anyio.move_on_after(10):
            while ("ask_book" in [tool.name for tool in await connection.tools()]) != wanted:
                await anyio.sleep(0.1)

    run.stage.tools([], ASKED)
    try:
        await is_listed(True)
        await connection.call("add_book", {"body": {**BOOK, "id": "asked-accept"}})
        result, _ = await ask("accept")
        run.check("asked, a person says yes and the call is made", not result.is_error, result)
        shown = run.person.asked[0] if run.person.asked else ""
        whole = len(run.person.asked) == 1 and "ask_book" in shown and "asked-accept" in shown
        run.check("they are asked once, and shown what it is about", whole, run.person.asked)
        for answer in ["decline", "cancel"]:
            _, error = await ask(answer)
            run.check(f"asked, a person says {answer} and nothing is done", error.get("code") == "denied", error)
        if run.era == "legacy":
            began = time.monotonic()
            _, error = await ask(None)
            took = time.monotonic() - began
            run.check("a client that never answers holds no call", error.get("code") == "denied" and took < 15, (took, error))
        run.check("only the yes went out", [path.rpartition("/")[2] for path in dropped()] == ["asked-accept"], dropped())
    finally:
        run.stage.tools([])
        await is_listed(False)


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
    listening = connection.listen() if run.era != "legacy" else contextlib.nullcontext()
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
