"""What every client in Python is put through, whoever wrote it.

A client is an object with `connect(place, heard)`, an async context manager that gives a
`Connection`: `place` is where and how (`Place`), `heard` is called with the method of every
notification that the client hands on. It is judged by `main(client)`. Each scenario runs over
stdio and over HTTP, in both eras of the protocol: "modern" is 2026-07-28, "legacy" is the
handshake of 2025-11-25, and "pinned" is 2026-07-28 by a client that knows that it is and does
not ask.
"""

import argparse
import contextlib
import json
import pathlib
import sys

import anyio

from connection import VERSIONS, Run, attempt, connected
from crowd import many_calls, many_connections, stops, vanishes, vanishing
from judge import Staged, Tally, status_of
from scenarios import asks, calls, cancels, changes, errors, holds, lists, progresses


def play(run, smoke):
    """All scenarios, each over a connection of its own. A crowd of pinned clients is none of its own."""
    for scenario in [lists, calls, errors, cancels, progresses, holds, changes, asks]:
        attempt(run, scenario.__name__, connected(run, scenario), 120)
    if run.era == "pinned":
        return
    attempt(run, "many calls", connected(run, many_calls, 200 if smoke else 2000), 600)
    attempt(run, "many connections", lambda: many_connections(run, 10 if smoke else 50), 600)
    attempt(run, "a vanishing client", lambda: vanishes(run), 180)


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
            attempt(run, scenario.__name__, connected(run, scenario), 120)
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
