"""Prism as judge: no request that the bridge makes of valid arguments is refused as invalid.

    python client.py TOLLBRIDGE NODE PRISM [--smoke] [--only DESCRIPTION[:TOOL]]...

The arguments are made from the whole schemas (`schemas = "full"`), so the bridge has no reason
to refuse any either. In full, every tool of every description is called three times.
"""

import asyncio
import collections
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE))

from arguments import Unable, draws  # noqa: E402
from judge import Tally, causes  # noqa: E402
from stage import end  # noqa: E402
from excuses import excuse  # noqa: E402
from watcher import Watcher  # noqa: E402
from mcp import Client, StdioServerParameters  # noqa: E402
from mcp.client.stdio import stdio_client  # noqa: E402
from mcp.shared.exceptions import MCPError  # noqa: E402

BINARY, NODE, PRISM = sys.argv[1:4]
SMOKE = "--smoke" in sys.argv
ONLY = [word for before, word in zip(sys.argv, sys.argv[1:]) if before == "--only"]
# Prism takes its time for answers with large schemas.
PATIENCE = 'timeout = "250s"\nattempt_timeout = "240s"\n'
# It is started again where it ends, but not for ever.
MOST_STARTS = 12
# Codes of calls that were sent and have no answer.
UNANSWERED = ("outcome_unknown", "upstream_unavailable", "timeout")
ENV = {**os.environ, "JUDGE_SECRET": "judge-secret-1234", "NO_COLOR": "1"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def credentials(document):
    schemes = document.get("securityDefinitions") or document.get("components", {}).get("securitySchemes", {})
    lines = []
    for name, scheme in (schemes or {}).items():
        kind, http = scheme.get("type"), str(scheme.get("scheme", "")).lower()
        if kind == "apiKey":
            value = '{ kind = "api_key", value = "env:JUDGE_SECRET" }'
        elif kind == "basic" or http == "basic":
            value = '{ kind = "basic", username = "judge", password = "env:JUDGE_SECRET" }'
        else:
            value = '{ kind = "bearer", token = "env:JUDGE_SECRET" }'
        lines.append(f"{json.dumps(name)} = {value}\n")
    return "[api.judged.credentials]\n" + "".join(lines) if lines else ""


class Mock:
    """`prism mock --errors`, as a context manager."""

    def __init__(self, description, port, log):
        self.command = [NODE, "--max-old-space-size=6144", PRISM, "mock", "--errors", "-h", "127.0.0.1", "-p", str(port), str(description)]
        self.url, self.log, self.starts = f"http://127.0.0.1:{port}", log, 0

    def revived(self):
        """Whether it had ended, and serves again."""
        if self.process.poll() is None:
            return False
        if self.starts >= MOST_STARTS:
            raise RuntimeError(f"Prism ended {self.starts} times: {pathlib.Path(self.log.name).read_text()[-300:]}")
        self.__enter__()
        return True

    def __enter__(self):
        self.starts += 1
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        # It reads a description of a megabyte for a minute and more.
        until = time.monotonic() + 1500
        while time.monotonic() < until and self.process.poll() is None:
            try:
                urllib.request.urlopen(self.url + "/-nowhere-", timeout=5)
            except urllib.error.HTTPError:
                return self
            except OSError:
                time.sleep(0.2)
        self.__exit__()
        raise RuntimeError(f"Prism does not serve it: {pathlib.Path(self.log.name).read_text()[-300:]}")

    def __exit__(self, *_):
        end(self.process)


async def judge(tally, name, description, draws_most):
    document = yaml.load(description.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tollbridge-judge-")))
        log = stack.enter_context(open(folder / "prism.log", "w"))
        port = free_port()
        watcher = stack.enter_context(Watcher(port))
        config = folder / "tools.toml"
        command = [BINARY, "import", str(description), "--all", "--name", "judged", "--out", str(config)]
        command += ["--base-url", watcher.url]
        done = subprocess.run(command, env=ENV, capture_output=True, text=True, cwd=folder)
        if done.returncode:
            return tally.check(f"{name} is imported", False, done.stderr)
        text = config.read_text().replace("[api.judged]\n", f"[api.judged]\n{PATIENCE}", 1)
        config.write_text('[server]\nschemas = "full"\n\n' + text + "\n" + credentials(document))
        try:
            mock = stack.enter_context(Mock(description, port, log))
        except RuntimeError as error:
            return tally.cannot(name, error)
        server = StdioServerParameters(command=BINARY, args=["serve", "--config", str(config)], env=ENV)
        server_log = stack.enter_context(open(folder / "server.log", "w"))
        async with Client(stdio_client(server, errlog=server_log), read_timeout_seconds=300) as client:
            found = Findings()
            for tool in await everything(client):
                if ONLY and not {name, f"{name}:{tool.name}"} & set(ONLY):
                    continue
                await call(client, watcher, tool, draws_most, found)
                if mock.revived():
                    said = pathlib.Path(log.name).read_text()[-2000:].strip().splitlines()
                    print(f"        Prism ended at {tool.name}, and was started again: {said[-1:]}", flush=True)
                    if found.tools[tool.name] is not True:
                        found.tools[tool.name] = "Prism ends without an answer"
    found.tell(tally, name)


class Findings:
    """What was found of a description's tools."""

    def __init__(self):
        self.accepted, self.wrong, self.excused = 0, 0, collections.Counter()
        # Of each tool: True where a request of it was judged, or why none was.
        self.tools = {}

    def refuse(self, what):
        self.wrong += 1
        if self.wrong <= 20:
            print("        " + what[:1200], flush=True)

    def tell(self, tally, name):
        for tool, judged in self.tools.items():
            if judged is not True:
                tally.cannot(f"{name}: {tool}", judged)
        for reason, count in self.excused.items():
            print(f"        {count} excused: {reason}", flush=True)
        judged = sum(one is True for one in self.tools.values())
        what = f"{name}: {self.accepted} requests of {judged} of {len(self.tools)} tools"
        if judged or self.wrong:
            tally.check(what, not self.wrong, f"{self.wrong} are refused")
            # A word on a few of many tools is none.
            enough = 10 * judged >= 9 * len(self.tools)
            tally.check(f"{name}: Prism judges nine of ten tools", enough, f"{judged} of {len(self.tools)}")


async def everything(client):
    tools, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            return tools


async def call(client, watcher, tool, draws_most, found):
    try:
        drawn = draws(tool.input_schema, tool.name, draws_most)
    except Unable as error:
        found.tools[tool.name] = f"no arguments are found: {error}"
        return
    found.tools[tool.name] = "no answer of Prism's"
    for arguments in drawn:
        try:
            result = await client.call_tool(tool.name, arguments)
        except MCPError as error:
            found.refuse(f"{tool.name}: {error} for {json.dumps(arguments)}")
            continue
        exchanges = watcher.taken()
        error = (result.structured_content or {}).get("error") or {}
        if not exchanges and error.get("code") not in UNANSWERED:
            found.refuse(f"{tool.name}: nothing is sent: {json.dumps(error)} for {json.dumps(arguments)}")
        for exchange in exchanges[:1]:
            judge_one(tool.name, arguments, exchange, found)


def judge_one(tool, arguments, exchange, found):
    name, problem = exchange.problem()
    if name == "UNKNOWN" and exchange.status == 500:
        if found.tools[tool] is not True:
            found.tools[tool] = f"Prism fails: {problem.get('detail')}"
        return
    held = []
    for violation in exchange.violations():
        reason = excuse(violation, exchange, arguments)
        if reason:
            found.excused[reason] += 1
        else:
            held.append(violation)
    found.tools[tool] = True
    if held:
        said = "; ".join(map(str, held))
        found.refuse(f"{tool}: {said} | {exchange} | {json.dumps(arguments)}")
    else:
        found.accepted += 1


async def main():
    tally = Tally()
    documents = [ROOT / "specs" / "orders.yaml"]
    corpus = ROOT.parent / "shared" / "corpus" / "openapi"
    if SMOKE:
        pass
    elif corpus.is_dir():
        real = [one for one in corpus.iterdir() if one.suffix in (".json", ".yaml")]
        documents += sorted(real, key=lambda one: one.stat().st_size)
    else:
        tally.cannot("the corpus", f"{corpus} is not there")
    for description in documents:
        if not ONLY or any(one.split(":")[0] == description.name for one in ONLY):
            try:
                await judge(tally, description.name, description, 3)
            except Exception as error:  # noqa: BLE001: it is one failed check, not the judge's end
                tally.check(f"{description.name} is judged to its end", False, causes(error))
    tally.end()


asyncio.run(main())
