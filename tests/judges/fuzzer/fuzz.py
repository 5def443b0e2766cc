"""Has mcp-fuzzer send the stage what nobody would, and reads its report.

    fuzz.py [--smoke] TOLLBRIDGE

No input may crash the server, hang or go unanswered; afterwards it serves, and every call on
record has ended. The fuzzer takes each input of its for malformed. Here it is held against the
schema of its tool: accepted may be only what is valid.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import jsonschema
from mcp_fuzzer.protocol_registry import EXECUTABLE_PROTOCOL_METHODS

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from judge import Staged, Tally  # noqa: E402

# add_book answers with the book as it was sent: so does its API, and a bridge that rewrote
# values would not be one. An error of tools/call names the tool or the argument that there is
# not. Both are strings in JSON, which is not a page.
ECHOES = ["add_book", "CallToolRequest"]
GENERIC = "GenericJSONRPCRequest"
TOLERANT = ["initialize", "ping", "tools/list", "server/discover"]


def fuzz(words, home):
    """What a run of the fuzzer left: exit status, what it said, its summary and findings."""
    out = home / "out"
    command = [str(pathlib.Path(sys.executable).parent / "mcp-fuzzer"), *words]
    command += ["--no-network", "--no-corpus", "--seed", "1", "--output-dir", str(out)]
    command += ["--timeout", "20", "--fs-root", str(home / "sandbox")]
    done = subprocess.run(
        command,
        cwd=home,
        env=os.environ | {"HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )

    def report(name):
        file = out / name
        return json.loads(file.read_text()) if file.exists() else None

    return done, report("run_summary.json"), (report("findings.json") or {}).get("findings", [])


def fault(finding, schemas):
    """Why an accepted input should not have been, or None."""
    value = finding["evidence"].get("input", {})
    tool, arguments = finding["target"], value
    if finding["kind"] == "protocol":
        # The fuzzer sends the method of the type that it fuzzes, whatever its report says that the
        # input's was, and an id of its own. Only a generic request's is the input's.
        method, is_told = EXECUTABLE_PROTOCOL_METHODS[tool]
        params = value.get("params") or {}
        if tool == GENERIC:
            method = value.get("method", "")
        if method != "tools/call":
            # These take what odd strings they like; a notification is answered by nothing.
            served = is_told or method in TOLERANT or method.startswith("notifications/")
            return None if served else f"unserved: {json.dumps(finding)}"
        tool, arguments = params.get("name"), params.get("arguments") or {}
    if tool not in schemas:
        return f"there is no tool {tool}"
    errors = jsonschema.Draft202012Validator(schemas[tool]).iter_errors(arguments)
    said = "; ".join(error.message for error in errors)
    return f"{tool} {json.dumps(arguments)[:300]}: {said}" if said else None


def judge(where, words, schemas, tally):
    with tempfile.TemporaryDirectory(prefix="tollbridge-judge-") as folder:
        done, summary, findings = fuzz(words, pathlib.Path(folder))
    if not summary or summary["status"] != "completed":
        return tally.check(f"{where}: the fuzzer ends its work", False, done.stdout[-1500:])
    for name, tool in sorted(summary["tools"]["by_name"].items()):
        outcomes = tool["outcomes"]
        bad = {kind: outcomes[kind] for kind in ("anomaly", "crashed", "exceptions")}
        what = f"{where}: {name} answers {tool['total_runs']} inputs"
        tally.check(what, tool["total_runs"] and not any(bad.values()), bad)
    for name, kind in sorted(summary["protocols"]["by_type"].items()):
        tally.check(f"{where}: {name} is sent {kind['total_runs']} times", kind["total_runs"])
    accepted = [one for one in findings if one["category"] == "accepted_malformed"]
    wrong = [said for one in accepted if (said := fault(one, schemas))]
    tally.check(f"{where}: {len(accepted)} accepted inputs are valid", not wrong, wrong)
    rest = [
        one
        for one in findings
        if one not in accepted
        and not (one["category"] == "injection_reflection" and one["target"] in ECHOES)
    ]
    tally.check(f"{where}: nothing else was found", not rest, json.dumps(rest))


def calm(where, stage, tally):
    """What must hold once the fuzzer is gone."""
    calls = stage.trail(limit=100000)
    open_ = [call["id"] for call in calls if call["outcome"] is None]
    tally.check(f"{where}: all {len(calls)} calls on record have ended", calls and not open_, open_)
    internal = [call["id"] for call in calls if call["outcome"] == "internal"]
    tally.check(f"{where}: none ended by a defect of ours", not internal, internal)


def main():
    words = sys.argv[1:]
    smoke = "--smoke" in words
    [binary] = [word for word in words if word != "--smoke"]
    tally = Tally()
    tools = ["--mode", "tools", "--phase", "both", "--runs", "5" if smoke else "60"]
    protocol = ["--mode", "protocol", "--protocol-phase", "aggressive"]
    protocol += ["--runs-per-type", "2" if smoke else "20"]
    with Staged(binary, "--http") as stage:
        listed = json.loads(stage.run("tools", "--json"))["tools"]
        schemas = {tool["name"]: tool["inputSchema"] for tool in listed}
        where = ["--protocol", "streamablehttp", "--endpoint", stage.http]
        judge("http tools", [*tools, *where], schemas, tally)
        judge("http protocol", [*protocol, *where], schemas, tally)
        os.kill(stage.pid, 0)
        ready = stage.http.removesuffix("/mcp") + "/-/ready"
        with urllib.request.urlopen(ready, timeout=10) as answer:
            tally.check("http: the server serves", answer.status == 200, answer.status)
        calm("http", stage, tally)
    with Staged(binary) as stage:
        os.environ |= stage.env
        command = f"{stage.binary} serve --config {stage.config}"
        where = ["--protocol", "stdio", "--endpoint", command]
        judge("stdio tools", [*tools, *where], schemas, tally)
        calm("stdio", stage, tally)
    tally.end()


if __name__ == "__main__":
    main()
