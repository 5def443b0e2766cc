"""Three identities at work through a bridge whose API breaks at random, and what is left of it.

    soak.py TOLLBRIDGE FOLDER SECONDS SEEN API PROXY RELOAD_EVERY

FOLDER has the configuration, SEEN is what the proxy passed on, whose process id is PROXY, API is
PowerDNS itself; the configuration is read again every so many seconds. Standard library only: what is driven is the bridge, and this is to cost little beside it.
"""

import collections
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "judges" / "lib"))

from judge import Tally  # noqa: E402

BINARY, FOLDER, SECONDS, SEEN, API, PROXY, RELOAD_EVERY = sys.argv[1:8]
FOLDER, SECONDS, RELOAD_EVERY = pathlib.Path(FOLDER), float(SECONDS), float(RELOAD_EVERY)
CONFIG = FOLDER / "tools.toml"
KEY = os.environ["PDNS_KEY"]
IDENTITIES = ["ann", "bob", "cai"]
WORKERS = 3
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "soak", "version": "1"},
}
WRITES = {"create_zone", "patch_zone", "delete_zone"}

tally = Tally()
check = tally.check


def tollbridge(*words):
    command = [BINARY, *words, "--config", str(CONFIG)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"tollbridge {words}: exit {done.returncode}: {done.stderr}")
    return done.stdout


class Agent(threading.Thread):
    """One worker of an identity: makes zones of its own, changes, reads and drops them."""

    def __init__(self, port, identity, key, number, until):
        super().__init__(daemon=True)
        self.port, self.identity, self.key, self.until = port, identity, key, until
        self.name_ = f"{identity}{number}"
        self.random = random.Random(self.name_)
        self.count = 0
        self.zones = []
        self.answered = []  # (call, tool, outcome)
        self.left = 0  # calls whose answer was not waited for
        self.broken = []
        self.connection = None

    def run(self):
        while time.monotonic() < self.until:
            try:
                self.step()
            except Exception as error:  # noqa: BLE001: whatever it is, it is reported
                self.broken.append(repr(error))
                self.drop()
            time.sleep(self.random.uniform(0.0, 0.1))
        self.drop()

    def step(self):
        number = self.random.randrange(100)
        if number < 20 or not self.zones:
            self.count += 1
            zone = f"{self.name_}-{self.count}.test."
            body = {"name": zone, "kind": "Native", "nameservers": [f"ns1.{zone}"]}
            # It may be there whatever is said: later steps find out.
            self.zones.append(zone)
            self.call("create_zone", {"body": body})
        elif number < 45:
            self.count += 1
            zone = self.random.choice(self.zones)
            address = f"10.{self.count >> 16 & 255}.{self.count >> 8 & 255}.{self.count & 255}"
            records = [{"content": address, "disabled": False}]
            one = {"name": f"www.{zone}", "type": "A", "ttl": 60, "changetype": "REPLACE", "records": records}
            self.call("patch_zone", {"zone_id": zone, "body": {"rrsets": [one]}})
        elif number < 55 and len(self.zones) > 4:
            zone = self.zones.pop(self.random.randrange(len(self.zones)))
            self.call("delete_zone", {"zone_id": zone})
        elif number < 85:
            self.call("list_zone", {"zone_id": self.random.choice(self.zones)})
        elif number < 95:
            self.call("search_data", {"q": f"{self.name_}*", "max": 5})
        else:
            self.call("list_zones", {})

    def call(self, tool, arguments):
        params = {"name": tool, "arguments": {"server_id": "localhost", **arguments}, "_meta": META}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
            "Authorization": f"Bearer {self.key}",
        }
        # Now and then an agent goes away in the middle of its call.
        leaves = self.random.randrange(100) < 3
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.connection.request("POST", "/mcp", json.dumps(message), headers)
        if leaves:
            self.left += 1
            time.sleep(self.random.uniform(0.0, 0.05))
            self.drop()
            return
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        result = answer["result"]
        error = (result.get("structuredContent") or {}).get("error", {}) if result["isError"] else {}
        call = result["_meta"]["tollbridge/call"]["id"]
        self.answered.append((call, tool, error.get("code", "succeeded")))

    def drop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Watch(threading.Thread):
    """Memory and open files of a process, again and again."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.samples, self.over = pid, [], threading.Event()

    def run(self):
        while not self.over.wait(1):
            self.samples.append(self.look())

    def look(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        files = os.listdir(f"/proc/{self.pid}/fd")
        return int(resident.split()[1]), len(files)


def metrics(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def effects(calls, seen):
    """What the trail says of each write, beside what the proxy passed on for it."""
    sent = collections.defaultdict(list)
    for line in seen:
        if line["method"] in ("POST", "PATCH", "DELETE"):
            sent[mark(line["method"], line["path"], line["body"])].append(line["status"])
    twice, lost, unknown, denied = [], [], [], []
    counted = collections.Counter()
    for call in calls:
        if call["tool"] not in WRITES:
            continue
        arguments = call["arguments"]
        method = {"create_zone": "POST", "patch_zone": "PATCH", "delete_zone": "DELETE"}[call["tool"]]
        body = json.dumps(arguments.get("body", {}))
        passed = sent.pop(mark(method, f"/{arguments.get('zone_id', '')}", body), [])
        done = [status for status in passed if status is not None and status < 300]
        outcome = call["outcome"]
        statuses = [attempt["status"] for attempt in call["attempts"]]
        # What says that nobody knows: the outcome's own name, or an answer of 5xx, or a
        # caller that went away.
        open_ = outcome in ("outcome_unknown", "cancelled") or any((s or 0) >= 500 for s in statuses)
        counted[outcome] += 1
        if method != "DELETE" and len(passed) > 1:
            twice.append((call["id"], passed))
        if outcome == "succeeded" and not passed:
            lost.append((call["id"], call["tool"], arguments))
        if done and outcome != "succeeded" and not open_ and not (method == "DELETE" and statuses[-1:] == [404]):
            unknown.append((call["id"], outcome, statuses, passed))
        if passed and outcome in ("invalid_arguments", "denied", "overloaded", "circuit_open") and not statuses:
            denied.append((call["id"], outcome))
    check("no write that may not be done twice was passed on twice", not twice, twice[:5])
    check("each write that succeeded was passed on", not lost, lost[:5])
    check("each write that the API carried out is done on record, or named as open", not unknown, unknown[:5])
    check("nothing was passed on for a call that was not sent", not denied, denied[:5])
    check("nothing was passed on that no call asked for", not sent, list(sent.items())[:5])
    print(f"        writes: {dict(counted)}", flush=True)


def mark(method, path, body):
    """What a write is known by: the zone that it makes or drops, the address that it sets."""
    if method == "DELETE":
        return method, path.rsplit("/", 1)[-1]
    value = json.loads(body or "{}")
    if method == "POST":
        return method, value.get("name")
    record = value["rrsets"][0]
    return method, record["name"], record["records"][0]["content"]


def state(seen):
    """The zones that there must be by what the proxy passed on, and those that there are."""
    zones = set()
    for line in seen:
        name = json.loads(line["body"])["name"] if line["method"] == "POST" else line["path"].rsplit("/", 1)[-1]
        if line["method"] == "POST" and line["status"] == 201:
            zones.add(name)
        if line["method"] == "DELETE" and line["status"] == 204:
            zones.discard(name)
    request = urllib.request.Request(f"{API}/servers/localhost/zones", headers={"X-API-Key": KEY})
    with urllib.request.urlopen(request, timeout=30) as answer:
        there = {zone["name"] for zone in json.load(answer)}
    untold = [line for line in seen if line["status"] is None]
    # Of a request whose answer the proxy never saw nobody can tell.
    maybe = {json.loads(line["body"])["name"] for line in untold if line["method"] == "POST"}
    maybe |= {line["path"].rsplit("/", 1)[-1] for line in untold if line["method"] == "DELETE"}
    differ = (zones ^ there) - maybe
    check("PowerDNS has the zones that its answers tell of, and no others", not differ, sorted(differ)[:5])


def once():
    """Each call ends once."""
    trail = sqlite3.connect(f"file:{FOLDER}/trail.db?mode=ro", uri=True)
    query = "SELECT call, count(outcome) FROM events WHERE call IS NOT NULL GROUP BY call HAVING count(outcome) <> 1"
    other = trail.execute(query).fetchall()
    check("every call has exactly one end in the trail", not other, other[:5])
    attempts = """SELECT call, count(*) FROM events WHERE kind IN ('attempt_started', 'attempt_finished')
                  GROUP BY call HAVING sum(kind = 'attempt_started') <> sum(kind = 'attempt_finished')"""
    other = trail.execute(attempts).fetchall()
    check("every attempt that began has its end in the trail", not other, other[:5])


def growth(samples):
    """The second half beside the first, once the first fifth has warmed it up."""
    samples = samples[len(samples) // 5 :]
    half = len(samples) // 2
    for what, at, room in (("memory", 0, 8 * 1024), ("open files", 1, 8)):
        first, second = ([s[at] for s in part] for part in (samples[:half], samples[half:]))
        mean = [sum(part) / max(len(part), 1) for part in (first, second)]
        said = f"{mean[0]:.0f} then {mean[1]:.0f}" + (" KiB" if at == 0 else "")
        check(f"{what} of the second half is that of the first: {said}", mean[1] <= mean[0] * 1.1 + room, said)


def main():
    keys = {who: json.loads(tollbridge("key", "new", who, "--json"))["key"] for who in IDENTITIES}
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    log = open(FOLDER / "serve.log", "wb")
    command = [BINARY, "serve", "--config", str(CONFIG), "--http", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        ready(port, server)
        watch = Watch(server.pid)
        watch.start()
        idle = metrics(port)
        files_idle = watch.look()[1]
        until = time.monotonic() + SECONDS
        agents = [Agent(port, who, keys[who], n, until) for who in IDENTITIES for n in range(WORKERS)]
        for agent in agents:
            agent.start()
        reloads = 0
        while time.monotonic() < until:
            time.sleep(min(RELOAD_EVERY, max(0.1, until - time.monotonic())))
            if time.monotonic() < until:
                # What is read again in the middle of it must lose nothing.
                text = CONFIG.read_text()
                CONFIG.with_suffix(".new").write_text(text + f"# {reloads}\n")
                os.replace(CONFIG.with_suffix(".new"), CONFIG)
                reloads += 1
        for agent in agents:
            agent.join(90)
        watch.over.set()
        settled = settle(port)
        check("nothing is in flight once everyone is gone", settled is not None, metrics(port))
        now = metrics(port)
        read = now.get('tollbridge_reloads_total{result="succeeded"}', 0)
        check(f"the configuration was read again: {read:.0f} times", not reloads or read > 0, now)
        alive = [found.get("tollbridge_runtime_tasks") for found in (idle, now)]
        check(f"no task is left: {alive[0]} then {alive[1]}", alive[1] <= alive[0] + 4, alive)
        files = watch.look()[1]
        check(f"no socket is left: {files_idle} then {files} open files", files <= files_idle + 40, files)
        growth(watch.samples)
    finally:
        server.terminate()
        code = server.wait(30)
    check("the server ends as it is told", code == 0, code)
    broken = [error for agent in agents for error in agent.broken]
    check("every answer was one", not broken, broken[:5])
    calls = json.loads(tollbridge("trace", "--json", "--limit", "1000000"))["calls"]
    answered = [one for agent in agents for one in agent.answered]
    known = {call["id"]: call for call in calls}
    wrong = [one for one in answered if one[0] not in known or known[one[0]]["outcome"] != one[2]]
    check("each answer is in the trail as it was given", not wrong, wrong[:5])
    left = sum(agent.left for agent in agents)
    more = len(calls) - len(answered)
    check(f"the trail has no other call but those that were left: {more} of {left}", 0 <= more <= left, more)
    running = [call["id"] for call in calls if call["outcome"] is None]
    check("no call is without an outcome", not running, running[:5])
    once()
    os.kill(int(PROXY), signal.SIGTERM)
    seen = listed()
    counts = next((line["counts"] for line in seen if "counts" in line), {})
    seen = [line for line in seen if "counts" not in line]
    effects(calls, seen)
    state(seen)
    attempts = sum(len(call["attempts"]) for call in calls)
    check(f"nothing was passed on without an attempt: {len(seen)} of {attempts}", len(seen) <= attempts, attempts)
    panics = (FOLDER / "serve.log").read_text().count("panicked")
    check("nothing panicked", panics == 0, panics)
    outcomes = collections.Counter(call["outcome"] for call in calls)
    good = outcomes["succeeded"] / max(len(calls), 1)
    check(f"most calls have their answer all the same: {good:.0%}", good > 0.5, outcomes)
    print(f"        {len(calls)} calls, {attempts} attempts, {reloads} reloads: {dict(outcomes)}")
    print(f"        faults: {counts}", flush=True)


def listed():
    """What the proxy passed on, once it has said what it counted."""
    until = time.monotonic() + 20
    while True:
        seen = [json.loads(line) for line in open(SEEN)]
        if (seen and "counts" in seen[-1]) or time.monotonic() > until:
            return seen
        time.sleep(0.2)


def ready(port, server):
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5):
                return
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"no server: {(FOLDER / 'serve.log').read_text()}") from None
            time.sleep(0.1)


def settle(port):
    """Waits until nothing is in flight."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = metrics(port)
        flight = [value for name, value in found.items() if "in_flight" in name or "waiting" in name]
        if not any(flight):
            time.sleep(3)
            return found
        time.sleep(0.5)
    return None


try:
    main()
except Exception as error:  # noqa: BLE001: whatever it is, it is reported
    check("the soak ends", False, repr(error))
tally.end()
