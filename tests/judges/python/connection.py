"""A client in Python, connected: what the scenarios know of it, whoever wrote it."""

import json
import pathlib
import sys
import time
from dataclasses import dataclass
from typing import Any, Awaitable, Callable

import anyio

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from judge import causes  # noqa: E402
from stage import TOOLS as STAGED  # noqa: E402

VERSIONS = {"modern": "2026-07-28", "pinned": "2026-07-28", "legacy": "2025-11-25"}
TOOLS = [name for name, *_ in STAGED]
BOOK = {"id": "b1", "title": "Bridges", "pages": 212}


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
    # None where it is not known: a pinned client asks nothing before it calls.
    server: str | None
    # The tools, with name, input_schema and output_schema.
    tools: Callable[[], Awaitable[list[Any]]]
    # (name, arguments, progress callback or None, _meta or None) to the result.
    call: Callable[..., Awaitable[Any]]
    # An async context manager that gives an async iterator of changes; not in the legacy era.
    listen: Callable[[], Any]
    # Whether it asks for the progress of every call, wanted or not.
    always_asks: bool = False


class Person:
    """Who sits at a client, and what they say when they are asked."""

    def __init__(self):
        self.asked = []
        # An action of MCP's, or None for somebody who never answers.
        self.answer = "cancel"

    async def __call__(self, message):
        self.asked.append(message)
        if self.answer is None:
            await anyio.sleep(60)
        return self.answer, {"approve": True} if self.answer == "accept" else None


class Run:
    """One client, in one era, over one transport, on one stage."""

    def __init__(self, tally, client, stage, transport, era, key=None):
        self.tally, self.client, self.stage = tally, client, stage
        self.transport, self.era = transport, era
        self.heard = []
        self.person = Person()
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
        return self.client.connect(self.place, self.heard.append, self.person)


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


def connected(run, scenario, *more):
    async def over_one_connection():
        async with run.connect() as connection:
            await scenario(run, connection, *more)

    return over_one_connection
