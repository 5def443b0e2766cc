"""Runs the conformance suite against the bridge and holds its findings to the baselines.

    suite.py TOLLBRIDGE NODE SUITE

A finding is one check of one scenario. It is ok, or it fails as `expected/REVISION.yml` says
it will, or this judge fails: also where an entry of a baseline has no reason, or names
something that does not fail.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

from stage import end  # noqa: E402
from judge import Tally  # noqa: E402

REVISIONS = ["2025-11-25", "2026-07-28"]
# From good to bad. What was skipped, or is for information, is no finding.
STATES = ["SUCCESS", "WARNING", "FAILURE"]


def reasons(path):
    """The entries of a baseline, each with the comment above its paragraph."""
    entries = {}
    for paragraph in path.read_text().split("\n\n"):
        lines = [line.strip() for line in paragraph.splitlines()]
        reason = " ".join(line.strip("# ") for line in lines if line.startswith("#"))
        entries |= {line[2:]: reason for line in lines if line.startswith("- ")}
    return entries


def findings(out):
    """`scenario:check` to its worst state and what was said of it."""
    found = {}
    for file in sorted(out.glob("server-*/checks.json")):
        scenario = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT[-\dZ]+", file.parent.name)[1]
        for check in json.loads(file.read_text()):
            if check["status"] in STATES:
                name = f"{scenario}:{check['id']}"
                new = (STATES.index(check["status"]), check.get("errorMessage") or "")
                found[name] = max(found.get(name, (0, "")), new)
    return found


def judge(revision, url, suite, out, tally):
    """One run of the suite; how many of its findings are failures that were expected."""
    baseline = HERE / "expected" / f"{revision}.yml"
    command = [*suite, "server", "--url", url, "--requirements", revision]
    command += ["--expected-failures", str(baseline), "-o", str(out)]
    said = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180
    )
    expected, found, foreseen = reasons(baseline), findings(out), 0
    for name, (state, message) in found.items():
        what = f"{revision} {name}"
        if not state and name not in expected:
            tally.check(what, True)
        elif state and expected.get(name):
            foreseen += 1
            print(f"foreseen {what}: {expected[name]}")
        elif state:
            tally.check(what, False, message or "no reason was given")
    for name, reason in expected.items():
        if not reason:
            tally.check(f"{revision} {name}", False, "its entry in the baseline has no reason")
        if not found.get(name, (0,))[0]:
            tally.check(f"{revision} {name}", False, "it is in the baseline and does not fail")
    tally.check(
        f"{revision} the suite's own verdict",
        found and said.returncode == 0,
        f"{len(found)} findings, exit {said.returncode}: {said.stdout[-800:]}",
    )
    return foreseen


@contextlib.contextmanager
def bridge(binary, work):
    """The upstream and the bridge in front of it: the bridge's process and its URL."""
    for file in ["openapi.yaml", "tools.toml"]:
        shutil.copy(HERE / file, work)
    with contextlib.ExitStack() as stack:
        upstream = subprocess.Popen(
            [sys.executable, HERE / "upstream.py", work / "tools.toml"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        stack.callback(end, upstream)
        if upstream.stdout.readline() != b"ready\n":
            raise RuntimeError("the upstream does not start")
        server = subprocess.Popen(
            [binary, "serve", "--http", "127.0.0.1:0"],
            cwd=work,
            env=os.environ | {"NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(work / "serve.log", "wb"),
        )
        stack.callback(end, server)
        yield server, address(server, work / "serve.log")


def address(server, log):
    """Where the bridge serves, as it says itself."""
    until = time.monotonic() + 30
    while time.monotonic() < until and server.poll() is None:
        if said := re.search(r"serving MCP at (http://\S+)", log.read_text()):
            return said[1]
        time.sleep(0.02)
    raise RuntimeError(f"the server is not ready:\n{log.read_text()}")


def trail(binary, work):
    said = subprocess.run(
        [binary, "trace", "--json", "--limit", "10000"],
        cwd=work,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(said.stdout)["calls"]


def main():
    binary, *suite = sys.argv[1:]
    tally, foreseen = Tally(), 0
    with tempfile.TemporaryDirectory(prefix="tollbridge-judge-") as folder:
        work = pathlib.Path(folder)
        with bridge(binary, work) as (server, url):
            for revision in REVISIONS:
                foreseen += judge(revision, url, suite, work / revision, tally)
            tally.check("the server lives", server.poll() is None, f"exit {server.returncode}")
        calls = trail(binary, work)
        open_ = [call["id"] for call in calls if call["outcome"] is None]
        tally.check(f"{len(calls)} calls in the trail have ended", calls and not open_, open_)
    print(f"{foreseen} failures are foreseen, each with its reason, in expected/")
    tally.end()


if __name__ == "__main__":
    main()
