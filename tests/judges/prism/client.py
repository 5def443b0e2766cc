"""Prism as judge: no request that the bridge makes of valid arguments is refused as invalid.

    python client.py TOLLBRIDGE NODE PRISM [--smoke]
"""

import asyncio
import collections
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
from judge import Tally  # noqa: E402
from mcp import Client, StdioServerParameters  # noqa: E402
from mcp.client.stdio import stdio_client  # noqa: E402

# What Prism says where a request is not what the description describes (its error types).
INVALID = {
    400: "a request that it cannot read",
    401: "without the credentials of the description",
    404: "on no path, server or method of it",
    405: "with no method of it",
    406: "for no media type of it",
    413: "with too large a body",
    415: "with no media type of it",
    422: "that its schemas refuse",
}
BINARY, NODE, PRISM = sys.argv[1:4]
SMOKE = "--smoke" in sys.argv
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
        self.command = [NODE, PRISM, "mock", "--errors", "-h", "127.0.0.1", "-p", str(port), str(description)]
        self.url, self.log = f"http://127.0.0.1:{port}", log

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 90
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(self.url + "/-nowhere-", timeout=5)
            except urllib.error.HTTPError:
                return self
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"Prism does not serve it: {self.process.poll()}")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


async def judge(tally, name, description, tools_most, draws_most, minutes):
    document = yaml.load(description.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    counts, wrong = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder, open(pathlib.Path(folder) / "prism.log", "w") as log:
        port = free_port()
        config = pathlib.Path(folder) / "tools.toml"
        command = [BINARY, "import", str(description), "--all", "--name", "judged", "--out", str(config)]
        subprocess.run([*command, "--base-url", f"http://127.0.0.1:{port}"], check=True, env=ENV, capture_output=True, cwd=folder)
        config.write_text(config.read_text() + "\n" + credentials(document))
        try:
            mock = Mock(description, port, log).__enter__()
        except RuntimeError as error:
            tally.cannot(name, error)
            return
        try:
            server = StdioServerParameters(command=BINARY, args=["serve", "--config", str(config)], env=ENV)
            with open(pathlib.Path(folder) / "server.log", "w") as server_log:
                async with Client(stdio_client(server, errlog=server_log), read_timeout_seconds=60) as client:
                    await calls(client, counts, wrong, tools_most, draws_most, minutes)
        finally:
            mock.__exit__()
    for one in wrong[:20]:
        print("        " + one[:600], flush=True)
    shown = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    if wrong or counts["accepted"]:
        tally.check(f"{name}: {counts['accepted']} requests accepted", not wrong, shown)
    else:
        tally.cannot(name, "Prism judged no request")
    print(f"        {shown}", flush=True)


def has_list(arguments):
    body = arguments.get("body")
    return isinstance(body, dict) and any(isinstance(one, list) for one in body.values())


async def calls(client, counts, wrong, tools_most, draws_most, minutes):
    tools, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    step = max(1, len(tools) // tools_most)
    end = time.monotonic() + 60 * minutes
    for tool in tools[::step][:tools_most]:
        try:
            found = draws(tool.input_schema, tool.name, draws_most)
        except Unable:
            counts["tools without arguments"] += 1
            continue
        for arguments in found:
            if time.monotonic() > end:
                counts["out of time"] += 1
                return
            result = await client.call_tool(tool.name, arguments)
            error = (result.structured_content or {}).get("error") if result.is_error else None
            if error is None:
                counts["accepted"] += 1
                continue
            upstream = error.get("upstream") or {}
            status, body = upstream.get("status"), json.dumps(upstream.get("body"))
            if error["code"] == "invalid_arguments":
                # The listed schema says less than the full one: nothing was sent.
                counts["refused by the bridge itself"] += 1
            elif status == 422 and "must be array" in body and has_list(arguments):
                # In a form without `encoding` Prism keeps the last of several pairs of one
                # name, where a list is one pair an item (OpenAPI 3.2.0 §4.14.4.1).
                counts["lists in forms, which Prism cannot read"] += 1
            elif status in INVALID and "stoplight.io/prism" in body:
                counts[f"refused with {status}"] += 1
                wrong.append(f"{tool.name} {status}, {INVALID[status]}: {json.dumps(arguments)[:250]} {body[:300]}")
            elif (status == 500 and "errors#VIOLATIONS" in body) or (status and "stoplight.io/prism" not in body):
                # Its own answer broke the description, or is an error that this has as an
                # example; the request passed (an invalid one is answered with 422).
                counts["accepted"] += 1
            else:
                counts[f"not answered ({status or error['code']})"] += 1


async def main():
    tally = Tally()
    documents = [(ROOT / "specs" / "orders.yaml", 200, 3)]
    corpus = ROOT.parent / "shared" / "corpus" / "openapi"
    if corpus.is_dir():
        small = sorted(corpus.iterdir(), key=lambda one: one.stat().st_size)
        documents += [(one, 60, 2) for one in small if one.suffix in (".json", ".yaml")]
    else:
        tally.cannot("the corpus", f"{corpus} is not there")
    if SMOKE:
        documents = documents[:1]
    for description, tools, count in documents:
        try:
            await judge(tally, description.name, description, tools, count, 0.7 if SMOKE else 2)
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace") if error.stderr else str(error)
            tally.cannot(description.name, said.strip().splitlines()[-1] if said.strip() else error)
    tally.end()


asyncio.run(main())
