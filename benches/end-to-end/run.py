#!/usr/bin/env python3
"""The bridge beside its peers, end to end, in one run: docs/performance.md says what is what.

    benches/end-to-end/run.py [--rounds N] [--seconds S] [--only 'NAME;...'] [--no-fastmcp]
                            [--http-only] [--no-build] [--from FOLDER]

Builds the release binary and the two bare peers, or takes them from a folder, starts them and
nginx on loopback, and drives all of them in turn, round by round, so that what else the machine
does falls on all alike.
Needs `nginx` and `wrk`; FastMCP is installed from PyPI once, into target/bench/venv. Everything
stays under target/bench; the figures are in target/bench/results.json too.

The exit status is 0 where the run came to its end, whether or not the aims are met; 1 where a
server answered wrongly; 2 where something that is needed is missing.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
WORK = ROOT / "target" / "bench"

MODERN, LEGACY = "2026-07-28", "2025-11-25"
ITEM = {
    "id": "a1", "name": "Kettle, enamelled, 2 l", "price": 39.90, "currency": "EUR",
    "stock": [{"warehouse": "berlin", "units": 12}, {"warehouse": "lyon", "units": 0}],
    "tags": ["kitchen", "induction"], "updated": "2026-11-02T08:15:00Z",
}
FASTMCP = "fastmcp==4.1.*"
OPERATIONS = 1200


# --- What is started ---------------------------------------------------------------------------



def fail(message, status=2):
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(status)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, name, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    fail(f"{name} does not listen", 1)


def build(wanted, folder):
    release = folder or TARGET / "release"
    built = release / "tollbridge", release / "examples/peer-proxy", release / "examples/peer-rmcp"
    if wanted and not folder:
        command = ["cargo", "build", "--release", "--locked", "--features", "peers", "--bin",
                   "tollbridge", "--example", "peer-proxy", "--example", "peer-rmcp"]
        if subprocess.run(command, cwd=ROOT).returncode != 0:
            fail("the release build failed")
    if missing := [path for path in built if not path.exists()]:
        fail(f"expected the program and its peers in {release}, and there is no {missing[0]}")
    return built


def make_venv():
    python = WORK / "venv/bin/python"
    wanted = "import fastmcp; assert fastmcp.__version__.startswith('4.1.')"
    if subprocess.run([python, "-c", wanted], capture_output=True).returncode != 0 \
            if python.exists() else True:
        print(f"installing {FASTMCP} into {WORK / 'venv'}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", FASTMCP], check=True, timeout=300)
    return python


class Started:
    """The processes of a run, ended one by one at its end."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []

    def start(self, name, command, **options):
        log = open(self.folder / f"{name}.log", "wb")
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                   stderr=log, cwd=self.folder,
                                   **{"stdout": log, **options})
        self.processes.append(process)
        return process

    def start_on_its_port(self, name, command):
        process = self.start(name, command, stdout=subprocess.PIPE)
        return int(process.stdout.readline())

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                print(f"warning: killed, as it did not end: {process.args}", file=sys.stderr)
                process.kill()


def nginx(started, port):
    folder = started.folder
    answer = json.dumps(ITEM).replace("'", "")
    folder.joinpath("nginx.conf").write_text(f"""
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ default_type application/json; return 200 '{answer}'; }}
    }}
}}
""")
    started.start("nginx", ["nginx", "-p", folder, "-c", folder / "nginx.conf"])
    wait_for(port, "nginx")


def description(operations, upstream):
    """`get_item`, and so many more operations that nobody calls."""
    item = {
        "type": "object",
        "properties": {
            "id": {"type": "string"}, "name": {"type": "string"}, "price": {"type": "number"},
            "currency": {"type": "string"}, "updated": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "stock": {"type": "array", "items": {"type": "object", "properties": {
                "warehouse": {"type": "string"}, "units": {"type": "integer"}}}},
        },
    }
    path = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    answers = {"200": {"description": "It", "content": {"application/json": {
        "schema": {"$ref": "#/components/schemas/Item"}}}}}
    paths = {"/items/{id}": {"get": {"operationId": "get_item", "summary": "An item",
                                     "parameters": [path], "responses": answers}}}
    for n in range(1, operations):
        query = [{"name": f"filter_{at}", "in": "query", "description": f"Filter {at} of {n}",
                  "schema": {"type": "string", "maxLength": 40 + at}} for at in range(n % 6)]
        operation = {"operationId": f"operation_{n:04}", "summary": f"Operation {n}",
                     "parameters": [path, *query], "responses": answers}
        method = "get"
        if n % 4 == 0:
            method = "post"
            operation["requestBody"] = {"required": True, "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Item"}}}}
        paths[f"/area-{n % 40}/things-{n}/{{id}}"] = {method: operation}
    return {"openapi": "3.1.0", "info": {"title": "Items", "version": "1"},
            "servers": [{"url": upstream}], "paths": paths,
            "components": {"schemas": {"Item": item}}}


def configuration(folder, name, upstream, durability):
    """A folder with a configuration of one tool, and its path."""
    here = folder / name
    here.mkdir()
    here.joinpath("spec.json").write_text(json.dumps(description(1, upstream)))
    here.joinpath("tools.toml").write_text(f"""
[audit]
store = "sqlite:trail.db"
durability = "{durability}"
[api.items]
spec = "spec.json"
base_url = "{upstream}"
[[tool]]
api = "items"
operation = "get_item"
""")
    return here / "tools.toml"


# Every limit that a call can pass through: none of them is reached.
LIMITED = """
[server.auth]
keys = true
[groups]
agents = ["bench", "other"]
interns = ["trainee"]
[safety]
policies = ["limits.cedar"]
zone = "UTC"
loops = { limit = 100000000, per = "1m" }
errors = { limit = 1000, per = "1m" }
drift = { limit = 1000, per = "1h" }
[redact]
detect = ["secrets", "cards", "ibans", "emails"]
answers = true
answer_fields = ["/updated"]
"""
LIMITED_TOOL = """
allow = ["group:agents"]
deny = ["group:interns"]
when = { days = "mon-sun", hours = "00:00-24:00", zone = "UTC" }
hold = { identities = ["trainee"] }
reason = "optional"
calls = { limit = 100000000, per = "1h" }
budget = [{ count = true, limit = 100000000, per = "1h", by = "group" }]
[tool.args.id]
max_length = 40
pattern = "^[a-z0-9]+$"
[[budget]]
name = "reads"
count = true
effect = "read"
limit = 100000000
per = "1d"
by = "all"
"""
POLICIES = """
@id("not_these") @reason("items of old are not read")
forbid(principal, action == Action::"get_item", resource)
when { context.arguments.id like "old-*" };
@id("trainees_read_one") @hold("30m")
forbid(principal in Group::"interns", action in Action::"call", resource)
unless { context.arguments has id && context.arguments.id == "a1" };
@id("writes_by_day")
forbid(principal, action in Action::"call", resource)
when { resource.effect != "read" }
unless { context.time.local.hour >= 6 && context.time.local.hour < 22 };
"""


def limited(folder, name, upstream, durability, bridge):
    """The same with every limit, and the key with which it is called."""
    config = configuration(folder, name, upstream, durability)
    config.write_text(LIMITED + config.read_text() + LIMITED_TOOL)
    config.with_name("limits.cedar").write_text(POLICIES)
    command = [bridge, "--config", config, "key", "new", "bench", "--json"]
    made = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if made.returncode != 0:
        fail(f"no key: {made.stderr}", 1)
    return config, json.loads(made.stdout)["key"]


# --- What is asked -----------------------------------------------------------------------------

META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}
CALL = {"name": "get_item", "arguments": {"id": "a1"}}
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def message(method, params, number=1):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


class Asked:
    """One request, made again and again at one place."""

    def __init__(self, url, method="POST", body="", headers=None):
        self.url, self.method, self.body, self.headers = url, method, body, headers or {}

    @classmethod
    def modern(cls, port, **more):
        headers = {**JSON, **more, "Mcp-Protocol-Version": MODERN, "Mcp-Method": "tools/call",
                   "Mcp-Name": "get_item"}
        body = json.dumps(message("tools/call", {**CALL, "_meta": META}))
        return cls(f"http://127.0.0.1:{port}/mcp", "POST", body, headers)

    @classmethod
    def legacy(cls, port):
        """In a session that is opened for it."""
        url = f"http://127.0.0.1:{port}/mcp"
        hello = {"protocolVersion": LEGACY, "capabilities": {},
                 "clientInfo": {"name": "bench", "version": "1"}}
        opened = post(url, message("initialize", hello), JSON)
        session = opened.headers["mcp-session-id"]
        headers = {**JSON, "Mcp-Session-Id": session, "Mcp-Protocol-Version": LEGACY}
        post(url, {"jsonrpc": "2.0", "method": "notifications/initialized"}, headers)
        return cls(url, "POST", json.dumps(message("tools/call", CALL)), headers)

    def once(self):
        data = self.body.encode() if self.method == "POST" else None
        request = urllib.request.Request(self.url, data, self.headers, method=self.method)
        with OPENER.open(request, timeout=20) as answer:
            return answer.read().decode()

    def wrk(self, connections, seconds):
        headers = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        environment = {**os.environ, "BENCH_METHOD": self.method, "BENCH_BODY": self.body,
                       "BENCH_HEADERS": headers}
        ran = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE / "post.lua", self.url],
            env=environment, capture_output=True, text=True)
        lines = [line for line in ran.stdout.splitlines() if line.startswith("FIGURES ")]
        if not lines:
            fail(f"wrk at {self.url}: {ran.stdout}{ran.stderr}", 1)
        figures = json.loads(lines[0].removeprefix("FIGURES "))
        if figures["errors"]:
            fail(f"{self.url} answered {figures['errors']} times with an error", 1)
        return {"rate": figures["requests"] / figures["microseconds"] * 1e6,
                "p50": figures["p50"], "p99": figures["p99"]}


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(url, body, headers):
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    answer = OPENER.open(request, timeout=20)
    answer.read()
    return answer


class Stdio:
    """A server over standard input and output, in a session of 2025-11-25."""

    def __init__(self, name, command, folder):
        self.log = open(folder / f"{name}.stdio.log", "wb")
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, cwd=folder)
        hello = {"protocolVersion": LEGACY, "capabilities": {},
                 "clientInfo": {"name": "bench", "version": "1"}}
        self.send(message("initialize", hello, 0))
        self.read()
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.number = 0
        before, after = json.dumps(message("tools/call", CALL, "#")).split('"#"')
        self.before, self.after = before.encode(), after.encode() + b"\n"
        self.call()
        if b"Kettle" not in (answer := self.read()):
            fail(f"{name} over stdio answers {answer[:300]}", 1)

    def send(self, what):
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()

    def call(self):
        self.number += 1
        self.process.stdin.write(b"%s%d%s" % (self.before, self.number, self.after))
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            fail("a server over stdio has ended", 1)
        return line

    def one_by_one(self, seconds):
        took, end = [], time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            self.call()
            self.read()
            took.append(time.perf_counter() - begun)
        return {"rate": len(took) / sum(took), "p50": statistics.median(took) * 1e6}

    def many(self, seconds, window=16):
        for _ in range(window):
            self.call()
        answered, begun = 0, time.perf_counter()
        while (now := time.perf_counter()) - begun < seconds:
            self.read()
            self.call()
            answered += 1
        for _ in range(window):
            self.read()
        return {"rate": answered / (now - begun)}

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def fdatasync(folder, times=200):
    """Microseconds that one page more and its fdatasync take: what a commit waits for."""
    took = []
    with open(folder / "fdatasync", "wb", buffering=0) as file:
        for _ in range(times):
            file.write(b"\0" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begun) * 1e6)
    return statistics.median(took)


def sqlite(folder, seconds, group=16):
    """Rows a second that a bare loop inserts into SQLite, so many a commit: write-ahead log, each
    commit on disk (`synchronous=FULL`), one thread, nothing else. What sixteen calls that wait for
    the same commit could at best be recorded at, one row a call."""
    path = folder / "bare.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, call TEXT NOT NULL,"
                     " at INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL) STRICT")
    rows = [(f"01K{number:023}", number, "received", "x" * 400) for number in range(group)]
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO events (call, at, kind, body) VALUES (?, ?, ?, ?)", rows)
        db.execute("COMMIT")
        count += group
    took = time.perf_counter() - begun
    db.close()
    return count / took


def first_list(command, folder):
    """Seconds from the start of a server to its first list of tools, and how many it has."""
    begun = time.perf_counter()
    with open(folder / "first-list.log", "ab") as log:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=log, cwd=folder)
    hello = {"protocolVersion": LEGACY, "capabilities": {},
             "clientInfo": {"name": "bench", "version": "1"}}
    for line in (message("initialize", hello), {"jsonrpc": "2.0",
                 "method": "notifications/initialized"}, message("tools/list", {}, 2)):
        process.stdin.write(json.dumps(line).encode() + b"\n")
    process.stdin.flush()
    process.stdout.readline()
    answer = process.stdout.readline()
    took = time.perf_counter() - begun
    tools = len(json.loads(answer)["result"]["tools"])
    process.stdin.close()
    process.wait(20)
    return took, tools, len(answer)


# --- What comes of it --------------------------------------------------------------------------


def spread(values, form):
    values = sorted(values)
    return (f"{form.format(statistics.median(values))} "
            f"[{form.format(values[0])}–{form.format(values[-1])}]")


def ratio(rounds, one, other, key="rate"):
    return [a[key] / b[key] for a, b in zip(rounds[one], rounds[other])]


def more(rounds, one, other):
    return [a["p50"] - b["p50"] for a, b in zip(rounds[one], rounds[other])]


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def report(found):
    at = found["http"]
    print(f"\n{found['rounds']} rounds of {found['seconds']} s; in brackets the lowest and the "
          f"highest. One fdatasync: {spread(found['fdatasync'], '{:.0f}')} µs.\n")
    rows = []
    for name, rounds in at["16"].items():
        one = at["1"][name]
        rows.append([
            name,
            spread([r["rate"] for r in rounds], "{:.0f}"),
            spread([r["p99"] / 1000 for r in rounds], "{:.1f}"),
            spread([r["rate"] for r in one], "{:.0f}"),
            spread([r["p50"] for r in one], "{:.0f}"),
        ])
    table(["over HTTP", "calls/s, 16 connections", "99th percentile, ms", "calls/s, 1 connection",
           "median, µs"], rows)
    if found["stdio"]:
        rows = [[name, spread([r["rate"] for r in rounds["many"]], "{:.0f}"),
                 spread([r["p50"] for r in rounds["one"]], "{:.0f}")]
                for name, rounds in found["stdio"].items()]
        table(["over stdio", "calls/s, 16 at once", "median one by one, µs"], rows)
    if found["start"]:
        rows = [[name, spread([r[0] for r in rounds], "{:.2f}"), str(rounds[0][1]),
                 f"{rounds[0][2] / 1e6:.2f}"] for name, rounds in found["start"].items()]
        table(["start to the first `tools/list`", "s", "tools", "MB"], rows)
    print(f"A bare SQLite loop, 16 rows a commit, each commit on disk: "
          f"{spread(found['sqlite'], '{:.0f}')} rows a second.\n")
    rows = []

    def aim(what, values, form, bound, met):
        rows.append([what, bound, spread(values, form),
                     "yes" if met(statistics.median(values)) else "no"])

    sixteen, one = at["16"], at["1"]
    sync = statistics.median(found["fdatasync"])
    for limits in ("", ", limits"):
        process, full = f"bridge, process{limits}", f"bridge, full{limits}"
        if {process, "bare rmcp"} <= sixteen.keys():
            aim(f"process{limits} ÷ rmcp, calls/s at 16", ratio(sixteen, process, "bare rmcp"),
                "{:.2f}", "≥ 0.75", lambda v: v >= 0.75)
            aim(f"process{limits} − rmcp, median at 1, µs", more(one, process, "bare rmcp"),
                "{:.0f}", "≤ 120", lambda v: v <= 120)
        if {full, "bare rmcp"} <= sixteen.keys():
            aim(f"full{limits} ÷ rmcp, calls/s at 16", ratio(sixteen, full, "bare rmcp"),
                "{:.2f}", "≥ 0.45", lambda v: v >= 0.45)
            aim(f"full{limits} − rmcp, median at 1, µs", more(one, full, "bare rmcp"),
                "{:.0f}", f"≤ 2 × {sync:.0f} + 150", lambda v: v <= 2 * sync + 150)
        if full in sixteen:
            rates = [r["rate"] for r in sixteen[full]]
            aim(f"full{limits}, calls/s at 16", rates, "{:.0f}", "≥ 5000", lambda v: v >= 5000)
            rows.append([f"full{limits} ÷ a bare SQLite loop, calls/s at 16", "–", spread(
                [rate / other for rate, other in zip(rates, found["sqlite"])], "{:.2f}"), "–"])
        for name in (process, full):
            if {name, "FastMCP"} <= sixteen.keys():
                what = f"{name.removeprefix('bridge, ')} ÷ FastMCP, calls/s at 16"
                aim(what, ratio(sixteen, name, "FastMCP"), "{:.1f}", "> 25", lambda v: v > 25)
    for name in ("bridge, process", "bridge, full"):
        for other in ("bare proxy", "upstream itself"):
            if {name, other} <= sixteen.keys():
                rows.append([f"{name.removeprefix('bridge, ')} ÷ {other.split()[-1]}, calls/s at 16",
                             "–", spread(ratio(sixteen, name, other), "{:.2f}"), "–"])
    if {"bridge, process, session", "bare rmcp, session"} <= sixteen.keys():
        rows.append(["process ÷ rmcp in sessions, calls/s at 16", "–", spread(
            ratio(sixteen, "bridge, process, session", "bare rmcp, session"), "{:.2f}"), "–"])
    table(["aim", "bound", "found", "met"], rows)


def main():
    parser = argparse.ArgumentParser(description="The bridge beside its peers, end to end.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--only", help="names of what is driven over HTTP, with `;` between them")
    parser.add_argument("--no-fastmcp", action="store_true")
    parser.add_argument("--http-only", action="store_true")
    parser.add_argument("--no-build", dest="build", action="store_false", help="what is built stands")
    parser.add_argument("--from", dest="folder", type=lambda path: pathlib.Path(path).resolve(),
                        help="the folder with the programs, in place of building them")
    options = parser.parse_args()

    for program in ("nginx", "wrk"):
        if shutil.which(program) is None:
            fail(f"`{program}` is needed (Debian: apt-get install nginx wrk)")
    bridge, proxy, bare = build(options.build, options.folder)
    WORK.mkdir(parents=True, exist_ok=True)
    python = None if options.no_fastmcp else make_venv()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=WORK))
    started = Started(folder)
    try:
        found = measure(options, folder, started, bridge, proxy, bare, python)
    finally:
        started.end()
    WORK.joinpath("results.json").write_text(json.dumps(found, indent=1) + "\n")
    report(found)
    shutil.rmtree(folder)


def measure(options, folder, started, bridge, proxy, bare, python):
    upstream_port = free_port()
    nginx(started, upstream_port)
    upstream = f"http://127.0.0.1:{upstream_port}"
    spec = folder / "spec.json"
    spec.write_text(json.dumps(description(1, upstream)))

    asked = {"upstream itself": Asked(f"{upstream}/items/a1", "GET")}
    proxy_port = started.start_on_its_port("proxy", [proxy, upstream])
    asked["bare proxy"] = Asked(f"http://127.0.0.1:{proxy_port}/items/a1", "POST",
                                Asked.modern(0).body, JSON)
    bare_port = started.start_on_its_port("rmcp", [bare, upstream])
    asked["bare rmcp"] = Asked.modern(bare_port)
    ports = {}
    for durability in ("process", "full"):
        ports[durability] = free_port()
        config = configuration(folder, durability, upstream, durability)
        started.start(f"bridge-{durability}", [bridge, "--config", config, "serve", "--http",
                                               f"127.0.0.1:{ports[durability]}"])
        wait_for(ports[durability], f"the bridge ({durability})")
        asked[f"bridge, {durability}"] = Asked.modern(ports[durability])
    for durability in ("process", "full"):
        name, port = f"{durability}-limits", free_port()
        config, key = limited(folder, name, upstream, durability, bridge)
        started.start(f"bridge-{name}", [bridge, "--config", config, "serve", "--http",
                                         f"127.0.0.1:{port}"])
        wait_for(port, f"the bridge ({name})")
        asked[f"bridge, {durability}, limits"] = Asked.modern(port, Authorization=f"Bearer {key}")
    asked["bare rmcp, session"] = Asked.legacy(bare_port)
    asked["bridge, process, session"] = Asked.legacy(ports["process"])
    if python:
        port = free_port()
        started.start("fastmcp", [python, HERE / "fast_mcp.py", spec, upstream, port])
        wait_for(port, "FastMCP")
        asked["FastMCP"] = Asked.modern(port)
    if options.only:
        asked = {name: asked[name] for name in options.only.split(";")}
    for name, one in asked.items():
        if "Kettle" not in (answer := one.once()):
            fail(f"{name} answers {answer[:300]}", 1)
        one.wrk(4, 1)

    found = {"rounds": options.rounds, "seconds": options.seconds, "fdatasync": [], "sqlite": [],
             "http": {"1": {name: [] for name in asked}, "16": {name: [] for name in asked}},
             "stdio": {}, "start": {}}
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        found["fdatasync"].append(fdatasync(folder))
        found["sqlite"].append(sqlite(folder, options.seconds))
        for name, one in asked.items():
            for connections in ("1", "16"):
                figures = one.wrk(connections, options.seconds)
                found["http"][connections][name].append(figures)
    if not options.http_only:
        over_stdio(options, found, folder, upstream, spec, bridge, bare, python)
        to_the_first_list(options, found, folder, upstream, bridge, python)
    return found


def over_stdio(options, found, folder, upstream, spec, bridge, bare, python):
    servers = {"bare rmcp": Stdio("rmcp", [bare, upstream, "--stdio"], folder)}
    for durability in ("process", "full"):
        config = configuration(folder, f"stdio-{durability}", upstream, durability)
        servers[f"bridge, {durability}"] = Stdio(
            f"bridge-{durability}", [bridge, "--config", config, "serve"], folder)
    if python:
        servers["FastMCP"] = Stdio(
            "fastmcp", [python, HERE / "fast_mcp.py", spec, upstream, "stdio"], folder)
    found["stdio"] = {name: {"one": [], "many": []} for name in servers}
    for number in range(options.rounds):
        print(f"stdio, round {number + 1} of {options.rounds}", file=sys.stderr)
        for name, server in servers.items():
            found["stdio"][name]["one"].append(server.one_by_one(options.seconds / 2))
            found["stdio"][name]["many"].append(server.many(options.seconds / 2))
    for server in servers.values():
        server.end()


def to_the_first_list(options, found, folder, upstream, bridge, python):
    large = folder / "large"
    large.mkdir()
    spec = large / "spec.json"
    spec.write_text(json.dumps(description(OPERATIONS, upstream)))
    config = large / "tools.toml"
    # The command itself writes the configuration: each operation becomes a tool.
    imported = [bridge, "import", spec, "--all", "--name", "large", "--base-url", upstream,
                "--out", config]
    subprocess.run([str(part) for part in imported], check=True, capture_output=True, cwd=large)
    found["start"] = {"bridge": []}
    print("start to the first list", file=sys.stderr)
    for _ in range(options.rounds):
        serve = [bridge, "--config", config, "serve"]
        found["start"]["bridge"].append(first_list(serve, large))
    if python:
        serve = [python, HERE / "fast_mcp.py", spec, upstream, "stdio"]
        found["start"]["FastMCP"] = [first_list(serve, large) for _ in range(2)]


if __name__ == "__main__":
    main()
