"""Has MCP Inspector list and call tools of the stage, and look at the schemas of larger lists.

    inspect_tools.py [--smoke] TOLLBRIDGE NODE INSPECTOR

Inspector's own exit status is what counts: 0 done, 3 a key is asked for, 5 the tool answered
with an error or does not exist, 6 a schema that some clients do not take. Of its warnings one
kind is expected: that a schema without a keyword accepts any value. Published output schemas
describe in words and bind nothing, because clients throw away answers that break one; and in
input schemas it stands where the description itself says nothing.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent / "lib"))

from stage import ENV, TOOLS, Stage  # noqa: E402
from judge import Tally  # noqa: E402

ERAS = ["legacy", "modern"]
# Seconds that a server may take to be there, and to answer.
PATIENCE = 120
# As for crates/openapi/tests/corpus.rs.
CORPUS = pathlib.Path(os.environ.get("TOLLBRIDGE_CORPUS", ROOT.parent / "shared" / "corpus" / "openapi"))
# Of each kind one: Swagger 2.0, OpenAPI 3.0 and 3.1, JSON and YAML, small and large.
SMOKE = ["pdns.json", "oai_v3.0_uspto.yaml", "oai_v3.1_tictactoe.yaml", "slack_web_v2.json"]
EXPECTED = "Issue: Schema carries no validation keyword at all, so it accepts any value"


class Inspector:
    """Inspector with a configuration file of one server, in a home of its own."""

    def __init__(self, command, home, server):
        self.command, self.home = command, home
        self.config = home / "mcp.json"
        # A debug build on a busy machine needs its time for a description of a megabyte.
        server = server | {"connectionTimeout": PATIENCE * 1000, "requestTimeout": PATIENCE * 1000}
        self.config.write_text(json.dumps({"mcpServers": {"bridge": server}}))

    def run(self, era, *words):
        """Exit status, the result, and what stands on standard error."""
        command = [*self.command, "--cli", "--format", "json", "--config", str(self.config)]
        command += ["--server", "bridge", "--protocol-era", era, *words]
        done = subprocess.run(
            command,
            cwd=self.home,
            env=os.environ | {"HOME": str(self.home), "MCP_INSPECTOR_SECRET_STORE": "memory"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=8 * PATIENCE,
        )
        try:
            result = json.loads(done.stdout)["result"]
        except (ValueError, KeyError):
            result = {}
        return done.returncode, result, done.stderr.strip()

    def call(self, era, tool, arguments, *words):
        chosen = ["--tool-name", tool, "--tool-args-json", json.dumps(arguments)]
        return self.run(era, "--method", "tools/call", *chosen, *words)

    def strict(self, era):
        """As `run`, but of standard error only what is said of schemas, bar the expected."""
        code, result, said = self.run(era, "--method", "tools/list", "--strict")
        if code not in (0, 6):
            return code, result, said
        found = re.findall(r"^(?:Warning|Error): tool .*\n  Path: .*\n  Issue: .*", said, re.M)
        return code, result, "\n".join(one for one in found if EXPECTED not in one)


def talk(inspector, where, calls, tally):
    """One era over one transport: list, call, the errors of a call, and many calls."""
    era = where.split()[0]

    def expect(what, done, status, holds):
        code, result, said = done
        seen = f"exit {code}, {json.dumps(result)[:300]}, {said[:600]}"
        tally.check(f"{where} {what}", code == status and holds(result, said), seen)

    names = [name for name, *_ in TOOLS]
    expect(
        "lists, and no schema is one that a client refuses",
        inspector.strict(era),
        0,
        lambda result, said: [tool["name"] for tool in result["tools"]] == names and not said,
    )
    expect(
        "calls a tool",
        inspector.call(era, "get_book", {"id": "b1"}),
        0,
        lambda result, _: result["structuredContent"]["title"] == "Bridges",
    )
    expect(
        "is told of the API's error by the result",
        inspector.call(era, "get_book", {"id": "none"}),
        5,
        lambda result, _: result["structuredContent"]["error"]["upstream"]["status"] == 404,
    )
    expect(
        "is told of arguments that do not fit by the result",
        inspector.call(era, "slow_book", {"id": "b1", "ms": 0}),
        5,
        lambda result, _: result["structuredContent"]["error"]["code"] == "invalid_arguments",
    )
    expect(
        "gets an answer that breaks its schema, marked",
        inspector.call(era, "get_book", {"id": "broken"}),
        0,
        lambda result, _: result["_meta"]["tollbridge/drift"],
    )
    expect(
        "finds no tool that does not exist",
        inspector.call(era, "no_such_tool", {}),
        5,
        lambda _, said: "not found" in said,
    )
    expect(
        f"makes {calls} calls, ten at a time",
        inspector.call(era, "get_book", {"id": "b1"}, "--load", "--load-requests", str(calls)),
        0,
        lambda result, _: result["ok"] == calls and not result["errors"],
    )


def imported(binary, document, home, tally):
    """Every operation of a description as a tool, and Inspector's word on their schemas."""
    name = document.name
    command = [binary, "import", str(document), "--name", "api", "--all"]
    command += ["--base-url", "http://127.0.0.1:9", "--out", str(home / "tools.toml")]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=2 * PATIENCE)
    if done.returncode:
        tally.check(f"import of {name}", False, done.stderr)
        return None
    return {"command": binary, "args": ["serve", "--config", str(home / "tools.toml")]}


def lists(command, binary, documents, tally):
    for document in documents:
        with tempfile.TemporaryDirectory(prefix="tollbridge-judge-") as folder:
            home = pathlib.Path(folder)
            server = imported(binary, document, home, tally)
            if server is None:
                continue
            inspector = Inspector(command, home, server)
            for era in ERAS:
                code, result, said = inspector.strict(era)
                tools = result.get("tools")
                what = f"{era} stdio, all {len(tools or [])} tools of {document.name}"
                # A description of webhooks has no tool, and its list is empty.
                holds = code == 0 and tools is not None and not said
                tally.check(what, holds, f"exit {code}, {said[:1500]}")


def main():
    words = sys.argv[1:]
    smoke = "--smoke" in words
    binary, *command = [word for word in words if word != "--smoke"]
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="tollbridge-judge-") as folder:
        home = pathlib.Path(folder)
        with Stage(binary) as stage:
            server = {"command": stage.binary, "args": ["serve", "--config", str(stage.config)]}
            inspector = Inspector(command, home, server | {"env": ENV})
            for era in ERAS:
                talk(inspector, f"{era} stdio", 100 if smoke else 2000, tally)
        with Stage(binary, http=True, keys=True) as stage:
            server = {"type": "streamable-http", "url": f"{stage.http}/mcp"}
            key = {"headers": {"Authorization": f"Bearer {stage.key}"}}
            inspector = Inspector(command, home, server | key)
            for era in ERAS:
                talk(inspector, f"{era} http", 100 if smoke else 2000, tally)
            stranger = Inspector(command, home, server)
            for era in ERAS:
                code, result, said = stranger.run(era, "--method", "tools/list")
                refused = code == 3 and not result and "auth_required" in said
                tally.check(f"{era} http refuses who brings no key", refused, f"exit {code}, {said}")
    lists(command, binary, [ROOT / "specs" / "orders.yaml"], tally)
    if CORPUS.is_dir():
        chosen = sorted(CORPUS.iterdir())
        lists(command, binary, [one for one in chosen if not smoke or one.name in SMOKE], tally)
    else:
        tally.cannot("lists of the corpus", "there is no such folder; TOLLBRIDGE_CORPUS names it")
    tally.end()


if __name__ == "__main__":
    main()
