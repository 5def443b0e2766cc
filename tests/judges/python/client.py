"""Lists and calls tools through tollbridge with the official Python client.

The upstream is a small HTTP server in this script, with its own description and tools.toml
in a temporary folder. Every check runs over stdio and over HTTP, and in both protocol eras:
mode "auto" asks for 2026-07-28, mode "legacy" shakes hands as 2025-11-25 does.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

MODERN = {"2026-07-28"}
LEGACY = {"2025-11-25", "2025-06-18"}
KEY = "shelf-key-for-tests"
TOOLS = ["list_books", "get_book", "add_book"]

SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Shelf", "version": "1"},
    "paths": {
        "/books": {
            "get": {
                "operationId": "listBooks",
                "summary": "List the books",
                "responses": {
                    "200": {
                        "description": "The books.",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Book"},
                                }
                            }
                        },
                    }
                },
            },
            "post": {
                "operationId": "addBook",
                "summary": "Add a book",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Book"}}
                    },
                },
                "responses": {
                    "201": {
                        "description": "The book.",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Book"}}
                        },
                    }
                },
            },
        },
        "/books/{id}": {
            "get": {
                "operationId": "getBook",
                "summary": "Read one book",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {
                    "200": {
                        "description": "The book.",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Book"}}
                        },
                    },
                    "404": {"description": "There is none."},
                },
            }
        },
    },
    "components": {
        "schemas": {
            "Book": {
                "type": "object",
                "required": ["id", "title", "pages"],
                "properties": {
                    "id": {"type": "string"},
                    "title": {"type": "string"},
                    "pages": {"type": "integer", "minimum": 1},
                },
                "additionalProperties": False,
            }
        },
        "securitySchemes": {"Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
    },
    "security": [{"Key": []}],
}

# What breaks the description in every way that a client's validator looks for: a required
# member is missing, one has another type, one is not known.
BROKEN = {"id": 7, "pages": "many", "shelf": None}


class Shelf(BaseHTTPRequestHandler):
    """The upstream."""

    protocol_version = "HTTP/1.1"
    books: dict = {}
    seen: list = []

    def do_GET(self):
        self.seen.append(f"GET {self.path}")
        if self.headers.get("X-API-Key") != KEY:
            self.answer(401, {"title": "no key"})
        elif self.path == "/books":
            self.answer(200, list(self.books.values()))
        elif self.path == "/books/broken":
            self.answer(200, BROKEN)
        elif (book := self.books.get(self.path.removeprefix("/books/"))) is not None:
            self.answer(200, book)
        else:
            self.answer(404, {"title": "There is no such book"})

    def do_POST(self):
        self.seen.append(f"POST {self.path}")
        book = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.books[book["id"]] = book
        self.answer(201, book)

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Tally:
    """Counts the checks, and prints one line for each."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, holds, why=""):
        if holds:
            self.passed += 1
            print(f"ok      {what}")
        else:
            self.failed += 1
            print(f"FAILED  {what}: {why}")


def text_value(result):
    """The value in the first text block, or what stood there instead."""
    texts = [block.text for block in result.content if block.type == "text"]
    try:
        return json.loads(texts[0])
    except (IndexError, json.JSONDecodeError) as error:
        return f"no JSON text block: {error}"


async def exercise(tally, name, target, mode):
    """Every check, over one connection. `target` makes what Client takes."""
    Shelf.books = {"b1": {"id": "b1", "title": "Bridges", "pages": 212}}
    Shelf.seen = []

    def check(what, holds, why=""):
        tally.check(f"{name} {mode}: {what}", holds, why)

    async with target() as server, Client(server, mode=mode, read_timeout_seconds=20) as client:
        wanted = MODERN if mode == "auto" else LEGACY
        version = client.protocol_version
        check("the era is the one that was asked for", version in wanted, version)
        check("the server says its name", client.server_info.name == "shelf", client.server_info)

        tools = (await client.list_tools()).tools
        names = [tool.name for tool in tools]
        check("the list is what the file says, in its order", names == TOOLS, names)
        schemas = [tool.input_schema for tool in tools] + [
            tool.output_schema for tool in tools if tool.output_schema is not None
        ]
        roots = [schema.get("type") for schema in schemas]
        check("every schema's root is an object", set(roots) == {"object"}, roots)

        result = await client.call_tool("get_book", {"id": "b1"})
        book = Shelf.books["b1"]
        check("a call has a structured result", result.structured_content == book, result)
        check("the same stands as text", text_value(result) == book, result.content)
        check("it is no error", not result.is_error, result)
        about = (result.meta or {}).get("tollbridge/call") or {}
        check(
            "the result names its call",
            bool(about.get("id")) and (about.get("attempts"), about.get("status")) == (1, 200),
            result.meta,
        )

        result = await client.call_tool("list_books", {})
        check(
            "a list is wrapped as an object",
            result.structured_content == {"result": [book]},
            result.structured_content,
        )

        new = {"id": "b2", "title": "Tolls", "pages": 9}
        result = await client.call_tool("add_book", {"body": new})
        check("a write answers", result.structured_content == new, result)
        check("a write took effect", Shelf.books.get("b2") == new, Shelf.books)

        result = await client.call_tool("get_book", {"id": "none"})
        error = (result.structured_content or {}).get("error", {})
        check("an upstream's refusal is a tool error", result.is_error, result)
        check(
            "it says what the upstream said",
            (error.get("code"), error.get("upstream", {}).get("status")) == ("upstream_error", 404),
            error,
        )

        before = list(Shelf.seen)
        result = await client.call_tool("get_book", {"id": "b1", "colour": "red"})
        error = (result.structured_content or {}).get("error", {})
        check(
            "an unknown argument is refused",
            result.is_error and error.get("code") == "invalid_arguments",
            result,
        )
        pointers = [violation.get("pointer") for violation in error.get("violations", [])]
        check("the refusal points at the argument", pointers == ["/colour"], error)
        check("nothing of it was sent", Shelf.seen == before, Shelf.seen)

        try:
            result = await client.call_tool("drop_books", {})
            check("an unknown tool is a protocol error", False, result)
        except MCPError as error:
            check("an unknown tool is a protocol error", error.code == -32602, error)

        try:
            result = await client.call_tool("get_book", {"id": "broken"})
            check(
                "an answer that breaks its schema arrives",
                result.structured_content == BROKEN and not result.is_error,
                result,
            )
            marked = "tollbridge/drift" in (result.meta or {})
            check("it is marked as drift", marked, result.meta)
        except (MCPError, RuntimeError) as error:
            check("an answer that breaks its schema arrives", False, error)


def config(folder, upstream, auth):
    (folder / "shelf.json").write_text(json.dumps(SPEC))
    tools = "".join(
        f'[[tool]]\napi = "shelf"\noperation = "{operation}"\nname = "{name}"\n\n'
        for name, operation in zip(TOOLS, ["listBooks", "getBook", "addBook"])
    )
    path = folder / ("keys.toml" if auth else "tools.toml")
    path.write_text(
        f"""[server]
name = "shelf"
identity = "tester"

{"[server.auth]" if auth else ""}
{"keys = true" if auth else ""}

[audit]
store = "sqlite:{path.stem}.db"

[api.shelf]
spec = "shelf.json"
base_url = "{upstream}"
auth = {{ kind = "api_key", in = "header", name = "X-API-Key", value = "env:SHELF_KEY" }}

{tools}"""
    )
    return path


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def status_of(url, headers=None, data=None):
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@contextlib.contextmanager
def serving(binary, path, env):
    """`tollbridge serve --http`, ready, and ended by its own process id."""
    port = free_port()
    command = [binary, "serve", "--config", str(path), "--http", f"127.0.0.1:{port}"]
    with open(path.with_suffix(".log"), "ab") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        base = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                if status_of(f"{base}/-/ready") == 200:
                    break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"it is not ready:\n{path.with_suffix('.log').read_text()}")
            time.sleep(0.05)
        yield base, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def over_stdio(binary, path, env, log):
    @contextlib.asynccontextmanager
    async def target():
        server = StdioServerParameters(
            command=binary, args=["serve", "--config", str(path)], env=env
        )
        yield stdio_client(server, errlog=log)

    return target


def over_http(url, key=None):
    @contextlib.asynccontextmanager
    async def target():
        headers = {"Authorization": f"Bearer {key}"} if key else None
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            yield streamable_http_client(url, http_client=http)

    return target


async def attempt(tally, name, target, mode):
    """A connection that fails as a whole is one failed check, not the end of the script."""
    try:
        async with asyncio.timeout(60):
            await exercise(tally, name, target, mode)
    except Exception as error:  # noqa: BLE001: whatever it is, it is reported
        causes = getattr(error, "exceptions", [error])
        tally.check(f"{name} {mode}: the connection holds", False, "; ".join(map(repr, causes)))


def keyed(tally, binary, path, env):
    """API keys over HTTP: refused without one, let in with one, refused once revoked."""

    def run(*words):
        command = [binary, *words, "--config", str(path)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise RuntimeError(f"{words}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    key = json.loads(run("key", "new", "reader", "--json"))
    with serving(binary, path, env) as (base, _):
        url = f"{base}/mcp"
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
        status = status_of(url, headers, body)
        tally.check("keys: without a key it is 401", status == 401, status)
        status = status_of(url, headers | {"Authorization": "Bearer no-such-key"}, body)
        tally.check("keys: with a wrong key it is 401", status == 401, status)
        for mode in ("auto", "legacy"):
            asyncio.run(attempt(tally, "keys", over_http(url, key["key"]), mode))
        run("key", "revoke", key["id"])
        status = status_of(url, headers | {"Authorization": f"Bearer {key['key']}"}, body)
        tally.check("keys: a revoked key is 401", status == 401, status)


def main():
    binary = sys.argv[1]
    tally = Tally()
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Shelf)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    env = os.environ | {"SHELF_KEY": KEY, "NO_COLOR": "1"}
    # The client hands only a few variables on to what it starts: those and this one.
    stdio_env = {"SHELF_KEY": KEY, "NO_COLOR": "1"}
    with tempfile.TemporaryDirectory(prefix="tollbridge-python-") as name:
        folder = pathlib.Path(name)
        base_url = f"http://127.0.0.1:{upstream.server_address[1]}"
        path = config(folder, base_url, auth=False)
        with open(folder / "stdio.log", "a+") as log:
            for mode in ("auto", "legacy"):
                asyncio.run(attempt(tally, "stdio", over_stdio(binary, path, stdio_env, log), mode))
            if tally.failed:
                log.seek(0)
                print(log.read()[-4000:], file=sys.stderr)
        try:
            with serving(binary, path, env) as (base, process):
                for mode in ("auto", "legacy"):
                    asyncio.run(attempt(tally, "http", over_http(f"{base}/mcp"), mode))
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                tally.check("http: SIGTERM ends it with 0", process.returncode == 0, process.returncode)
        except Exception as error:  # noqa: BLE001
            tally.check("http: the server runs", False, error)
        try:
            keyed(tally, binary, config(folder, base_url, auth=True), env)
        except Exception as error:  # noqa: BLE001
            tally.check("keys: the server runs", False, error)
    upstream.shutdown()
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(1 if tally.failed else 0)


main()
