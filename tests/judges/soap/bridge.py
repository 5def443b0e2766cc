"""A SOAP server of others, and the bridge before it: imported, served, and called over MCP."""

import asyncio
import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile
import time

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

ENV = {**os.environ, "NO_COLOR": "1", "DEPOT_SECRET": "open sesame é"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A program that listens on `port`, as a context manager; `log` is what it printed."""

    def __init__(self, command, port, cwd=None, env=None):
        self.command, self.port, self.cwd, self.env = command, port, cwd, {**os.environ, **(env or {})}

    def __enter__(self):
        self._log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            self.command,
            cwd=self.cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            time.sleep(0.1)
        self.__exit__()
        raise RuntimeError(f"it does not listen: {self.log()[-2000:]}")

    def log(self):
        self._log.seek(0)
        return self._log.read()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Called:
    """What a tool answered: its value, or its error."""

    def __init__(self, result):
        self.value = None if result.is_error else result.structured_content
        self.error = (result.structured_content or {}).get("error") if result.is_error else None
        self.drift = (result.meta or {}).get("tollbridge/drift")

    def __repr__(self):
        return f"value {self.value!r}, error {self.error!r}, drift {self.drift!r}"

    @property
    def fault(self):
        return ((self.error or {}).get("upstream") or {}).get("fault")


class Bridge:
    """The tools of a description; operations are called by the ends of their ids."""

    def __init__(self, client, tools):
        self.client, self.tools = client, {tool.name: tool for tool in tools}

    async def __call__(self, tool, arguments):
        async with asyncio.timeout(60):
            return Called(await self.client.call_tool(tool, arguments))


class Refused(Exception):
    """The bridge refuses the configuration, or the description."""


def run(binary, folder, *words):
    command = [str(binary), *words]
    done = subprocess.run(command, env=ENV, cwd=folder, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Refused(f"{' '.join(words[:2])}: exit {done.returncode}: {done.stdout}{done.stderr}")


@contextlib.asynccontextmanager
async def bridge(binary, description, *options, more=""):
    """The bridge over a description, with every operation that `options` select as a tool.

    `more` is TOML for the API's table.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "tools.toml"
        words = [
            "import",
            str(description),
            "--name",
            "judged",
            "--out",
            str(config),
            *(options or ["--all"]),
        ]
        run(binary, folder, *words)
        if more:
            text = config.read_text()
            config.write_text(text.replace("[api.judged]\n", f"[api.judged]\n{more}\n", 1))
            run(binary, folder, "check", "--config", str(config))
        server = StdioServerParameters(command=str(binary), args=["serve", "--config", str(config)], env=ENV)
        with open(pathlib.Path(folder) / "server.log", "w") as log:
            async with Client(stdio_client(server, errlog=log), read_timeout_seconds=60) as client:
                tools, cursor = [], None
                while True:
                    page = await client.list_tools(cursor=cursor)
                    tools += page.tools
                    cursor = page.next_cursor
                    if not cursor:
                        break
                yield Bridge(client, tools)
