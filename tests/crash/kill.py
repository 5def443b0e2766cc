"""Kills a server at random moments under load, and compares its trail with what an API did.

    kill.py TOLLBRIDGE FOLDER KILLS DURABILITY

Standard library only. The API counts each effect by the name that the write carried; it answers some
at once, some after a while, so that a kill meets calls in all states.
"""

import http.client
import http.server
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "judges" / "lib"))

from judge import Tally  # noqa: E402

BINARY, FOLDER, KILLS, DURABILITY = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
CONFIG = FOLDER / "tools.toml"
DATABASE = FOLDER / "tollbridge.db"
IDENTITIES = ["ann", "bob", "cai"]
WORKERS = 2
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "crash", "version": "1"},
}
SPEC = """\
openapi: 3.1.0
info: {title: Ledger, version: "1"}
paths:
  /entries/{name}:
    parameters:
      - {name: name, in: path, required: true, schema: {type: string}}
    get:
      operationId: getEntry
      responses: {"200": {description: An entry., content: {application/json: {schema: {type: object}}}}}
    post:
      operationId: addEntry
      responses: {"200": {description: An entry., content: {application/json: {schema: {type: object}}}}}
"""
TOOLS = """\
[server.auth]
keys = true
[audit]
durability = "DURABILITY"
[api.ledger]
spec = "ledger.yaml"
base_url = "http://127.0.0.1:PORT"
timeout = "5s"
attempt_timeout = "4s"
[[tool]]
api = "ledger"
operation = "getEntry"
name = "get_entry"
[[tool]]
api = "ledger"
operation = "addEntry"
name = "add_entry"
calls = { limit = 100000000, per = "1d", by = "identity" }
budget = [{ count = true, limit = 100000000, per = "1d", by = "all" }]
"""

tally = Tally()
seed = int(os.environ.get("SEED", "1"))
effects = {}  # what the API did: how often, by the name that it was asked by
effects_lock = threading.Lock()
answered = []  # (call, tool) of which an agent had the answer
answered_lock = threading.Lock()


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        time.sleep(random.choice([0, 0, 0, 0.002, 0.01, 0.05]))
        body = b'{"ok": true}'
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass

    def do_GET(self):
        self.answer()

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        with effects_lock:
            name = self.path.rsplit("/", 1)[1]
            effects[name] = effects.get(name, 0) + 1
        self.answer()

    def log_message(self, *_):
        pass


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


class Agent(threading.Thread):
    """Calls until the server is gone."""

    def __init__(self, port, identity, key, name):
        super().__init__(daemon=True)
        self.port, self.identity, self.key, self.name_ = port, identity, key, name

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        number = 0
        try:
            while True:
                number += 1
                tool = "add_entry" if number % 3 == 0 else "get_entry"
                self.call(connection, tool, f"{self.name_}-{number}")
        except (OSError, http.client.HTTPException, ValueError):
            pass  # It was killed.
        finally:
            connection.close()

    def call(self, connection, tool, name):
        params = {"name": tool, "arguments": {"name": name}, "_meta": META}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
            "Authorization": f"Bearer {self.key}",
        }
        connection.request("POST", "/mcp", json.dumps(message), headers)
        text = connection.getresponse().read().decode()
        found = re.search(r'\{.*\}', text, re.S)
        result = json.loads(found.group(0))["result"]
        with answered_lock:
            answered.append((result["_meta"]["tollbridge/call"]["id"], tool, bool(result.get("isError"))))


def tollbridge(*words, ok=(0,)):
    command = [BINARY, *words, "--config", str(CONFIG)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode not in ok:
        raise RuntimeError(f"tollbridge {words}: exit {done.returncode}: {done.stderr}")
    return done


def after():
    """Calls, so that the next process cleans up. Where the disk was too slow for it, that is told, and
    it calls again: what counts is what the trail says in the end."""
    for left in reversed(range(4)):
        try:
            return tollbridge("call", "get_entry", "name=after")
        except RuntimeError as error:
            if left == 0 or "took longer than" not in str(error):
                raise
            print(f"the disk was slow: {error}", flush=True)


def serve():
    """Starts a server; the process, and its port."""
    command = [BINARY, "serve", "--http", "127.0.0.1:0", "--config", str(CONFIG)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/mcp", line)
        if found:
            # Whatever more it says must not fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, int(found.group(1))
    raise RuntimeError("the server did not start")


def look(seen_until):
    """What is wrong with the calls that came in after a place of the trail, and the next place."""
    wrong = []
    database = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
    rows = database.execute(
        "SELECT seq, call, kind, outcome, payload, tool FROM events WHERE seq > ? AND call IS NOT NULL"
        " ORDER BY seq",
        (seen_until,),
    ).fetchall()
    database.close()
    calls = {}
    for seq, call, kind, outcome, payload, tool in rows:
        one = calls.setdefault(call, {"kinds": [], "outcomes": [], "tool": None, "name": None})
        one["kinds"].append(kind)
        if kind == "received":
            one["tool"] = tool
            one["name"] = json.loads(payload)["arguments"].get("name")
        if outcome is not None:
            one["outcomes"].append(outcome)
    for call, one in calls.items():
        if len(one["outcomes"]) != 1:
            wrong.append(f"{call} ends {len(one['outcomes'])} times: {one['kinds']}")
        if one["kinds"][0] != "received":
            wrong.append(f"{call} begins with {one['kinds'][0]}")
    sent = {
        one["name"]: one
        for one in calls.values()
        if one["tool"] == "add_entry" and "attempt_started" in one["kinds"]
    }
    return wrong, calls, sent, (rows[-1][0] if rows else seen_until)


def shares(uses):
    """What of a budget stands in one row: time and amount, the length of a call's name, and the name."""
    many = at = 0
    while at < len(uses):
        at += 22 + int.from_bytes(uses[at + 20:at + 22], "little")
        many += 1
    return many


def counted():
    """How many uses of windows and of budgets are in the database, and of how many its trail says."""
    database = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
    there = [sum(many(uses) if uses else 1 for (uses,) in database.execute(f"SELECT uses FROM {table}"))
             for table, many in (("window_uses", lambda uses: len(uses) // 4), ("budget_uses", shares))]
    said = [0, 0]
    for (body,) in database.execute("SELECT body FROM events WHERE kind = 'reserved'"):
        reserved = json.loads(body)
        said[0] += len(reserved.get("windows", []))
        said[1] += len(reserved.get("budgets", []))
    database.close()
    return there, said


def main():
    FOLDER.mkdir(exist_ok=True)
    api = Quiet(("127.0.0.1", 0), Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    (FOLDER / "ledger.yaml").write_text(SPEC)
    CONFIG.write_text(TOOLS.replace("PORT", str(api.server_port)).replace("DURABILITY", DURABILITY))
    keys = {}
    for identity in IDENTITIES:
        keys[identity] = json.loads(tollbridge("key", "new", identity, "--json").stdout)["key"]
    moments = random.Random(seed)
    place, effects_seen, found, totals = 0, 0, [], {"calls": 0, "unknown": 0, "cancelled": 0, "answered": 0}
    begun = time.monotonic()
    for kill in range(1, KILLS + 1):
        process, port = serve()
        agents = [
            Agent(port, identity, keys[identity], f"k{kill}-{identity}{number}")
            for identity in IDENTITIES
            for number in range(WORKERS)
        ]
        for agent in agents:
            agent.start()
        time.sleep(moments.uniform(0.02, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for agent in agents:
            agent.join(30)
        # What the API was asked just before may still be on its way through it.
        time.sleep(0.1)
        # The next process: it takes the journal over and closes what was left open.
        after()
        verified = tollbridge("trace", "verify", ok=(0, 7))
        wrong, calls, sent, place = look(place)
        with effects_lock:
            done = {name: count for name, count in effects.items() if name.startswith(f"k{kill}-")}
        for name, count in done.items():
            if name not in sent:
                wrong.append(f"the API did {name}, and no call says so")
            elif count > 1:
                wrong.append(f"the API did {name} {count} times")
        with answered_lock:
            had, answered[:] = list(answered), []
        for call, tool, failed in had:
            one = calls.get(call)
            if one is None:
                wrong.append(f"{call} was answered and is not on record")
            elif not failed and one["outcomes"] != ["succeeded"]:
                wrong.append(f"{call} was answered, and ended as {one['outcomes']}")
        there, said = counted()
        if there != said:
            wrong.append(f"{there} uses are counted, and the trail says {said}")
        if verified.returncode:
            wrong.append(f"the trail does not verify: {verified.stderr.strip()}")
        outcomes = [one["outcomes"][0] for one in calls.values() if one["outcomes"]]
        totals["calls"] += len(calls)
        totals["unknown"] += outcomes.count("outcome_unknown")
        totals["cancelled"] += outcomes.count("cancelled")
        totals["answered"] += len(had)
        effects_seen += len(done)
        found += [f"kill {kill}: {line}" for line in wrong]
        if wrong or kill % 50 == 0 or kill == KILLS:
            print(f"kill {kill}: {len(calls)} calls, {len(done)} effects, {len(wrong)} wrong", flush=True)
    for line in found[:20]:
        print(line)
    seconds = time.monotonic() - begun
    print(
        f"{KILLS} kills in {seconds:.0f} s (seed {seed}): {totals['calls']} calls on record, {totals['answered']} answered,"
        f" {effects_seen} effects; {totals['unknown']} closed as outcome_unknown, {totals['cancelled']} as cancelled"
    )
    of = lambda *words: not any(any(word in line for word in words) for line in found)  # noqa: E731
    tally.check("the trail verifies after every kill", of("does not verify"))
    tally.check("whatever the API did is on record, and was done once", of("the API did"))
    tally.check("every call on record begins, and ends once", of("ends", "begins with"))
    tally.check("whatever was answered is on record as it was answered", of("was answered"))
    tally.check("what calls took of limits is counted once", of("uses are counted") and min(there) > 0)
    tally.check("calls were under way when the server was killed", totals["unknown"] > 0)
    api.shutdown()
    sys.exit(tally.end())


main()
