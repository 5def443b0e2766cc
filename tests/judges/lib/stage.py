"""The stage on which a judge plays: an upstream, its description, tools.toml, a server.

    python3 tests/judges/lib/stage.py TOLLBRIDGE [--http] [--keys]

Prints one line of JSON once all is ready, and lives until its standard input closes; then it
ends what it started, by process id, and deletes its folder:

    {"folder", "config", "binary", "upstream", "control", "http", "key", "env", "pid", "log"}

With --http a server listens at `http`, else that is null and a client starts `binary serve
--config CONFIG` with `env` itself. With --keys a caller over HTTP needs `key`. `pid` and `log`
are the server's. Everything is on loopback. `control` is for the judge, with JSON:

    GET  seen          requests so far: [{"method", "path", "ended": "answered"|"aborted"|"open"}]
    POST reset         forget them, put the books back, let flaky_book fail again
    POST approve       {"id"}: what a person does, `tollbridge approve yes ID`
    POST tools         {"without": ["get_book"]}: tools.toml without them, which is a reload;
                       "more" is TOML that stands at its end
    GET  trail?limit=N `tollbridge trace --json`
    GET  holds         `tollbridge approve ls --json`
    POST stop          ends the server as an init system does: {"exit", "seconds"}
"""

import argparse
import contextlib
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UPSTREAM_KEY = "shelf-key-for-tests"
ENV = {"SHELF_KEY": UPSTREAM_KEY, "NO_COLOR": "1"}

# Tool, operation, and what else stands in its table.
TOOLS = [
    ("list_books", "listBooks", ""),
    ("get_book", "getBook", ""),
    ("add_book", "addBook", 'calls = { limit = 100000, per = "1h", by = "identity" }\n'),
    ("slow_book", "slowBook", ""),
    ("flaky_book", "flakyBook", ""),
    ("drop_book", "dropBook", "hold = true\n"),
]

BOOK = {"$ref": "#/components/schemas/Book"}
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
MS = {
    "name": "ms",
    "in": "query",
    "required": True,
    "schema": {"type": "integer", "minimum": 1, "maximum": 60000},
}


def json_of(schema):
    return {"description": "As asked.", "content": {"application/json": {"schema": schema}}}


def operation(name, summary, status, schema, parameters=(), body=None):
    answers = {status: {"description": "Done."} if schema is None else json_of(schema)}
    value = {"operationId": name, "summary": summary, "responses": answers}
    if parameters:
        value["parameters"] = list(parameters)
        answers["404"] = {"description": "There is none."}
    if body is not None:
        content = {"application/json": {"schema": body}}
        value["requestBody"] = {"required": True, "content": content}
    return value


DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "Shelf", "version": "1"},
    "paths": {
        "/books": {
            "get": operation("listBooks", "List the books", "200", {"type": "array", "items": BOOK}),
            "post": operation("addBook", "Add a book", "201", BOOK, body=BOOK),
        },
        "/books/{id}": {
            "get": operation("getBook", "Read one book", "200", BOOK, [ID]),
            "delete": operation("dropBook", "Drop a book", "204", None, [ID]),
        },
        "/books/{id}/slow": {
            "get": operation("slowBook", "Read one book slowly", "200", BOOK, [ID, MS])
        },
        "/books/{id}/flaky": {
            "get": operation("flakyBook", "Read one book from a flaky shelf", "200", BOOK, [ID])
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
# And what is no JSON at all: a PNG's first bytes.
PICTURE = b"\x89PNG\r\n\x1a\n"


class State:
    """What the upstream keeps, under one lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        with self.lock:
            self.books = {"b1": {"id": "b1", "title": "Bridges", "pages": 212}}
            self.seen = []
            self.failures = {}

    def begin(self, method, path):
        entry = {"method": method, "path": path, "ended": "open"}
        with self.lock:
            self.seen.append(entry)
        return entry

    def fails(self, book):
        """Whether a flaky read of the book fails: the first two do."""
        with self.lock:
            self.failures[book] = self.failures.get(book, 0) + 1
            return self.failures[book] <= 2


class Shelf(BaseHTTPRequestHandler):
    """The upstream, and beside it the judge's control."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: the second is not to wait for the client's acknowledgement.
    disable_nagle_algorithm = True
    stage: "Stage"

    def do_GET(self):
        self.route()

    do_POST = do_DELETE = do_GET

    def route(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path, _, query = self.path.partition("?")
        if path.startswith("/_control/"):
            try:
                value = self.control(path.removeprefix("/_control/"), query, body or {})
                self.answer(*((404, {"title": "no such control"}) if value is None else (200, value)))
            except Exception as error:  # noqa: BLE001: whatever it is, the judge reads it
                self.answer(500, {"title": str(error)})
            return
        state = self.stage.state
        entry = state.begin(self.command, self.path)
        try:
            if self.headers.get("X-API-Key") != UPSTREAM_KEY:
                self.answer(401, {"title": "no key"})
            else:
                self.books(state, [urllib.parse.unquote(part) for part in path.split("/")[1:]], query, body)
            ended = "answered"
        except OSError:
            ended = "aborted"
            self.close_connection = True
        with state.lock:
            entry["ended"] = ended

    def books(self, state, path, query, body):
        match self.command, path:
            case "GET", ["books"]:
                self.answer(200, list(state.books.values()))
            case "POST", ["books"]:
                with state.lock:
                    state.books[body["id"]] = body
                self.answer(201, body)
            case "GET", ["books", "broken"]:
                self.answer(200, BROKEN)
            case "GET", ["books", "picture"]:
                self.answer(200, PICTURE, "image/png")
            case "GET", ["books", book]:
                self.book(state, book)
            case "DELETE", ["books", book]:
                with state.lock:
                    dropped = state.books.pop(book, None)
                self.answer(404 if dropped is None else 204, None if dropped else {"title": "no such book"})
            case "GET", ["books", book, "slow"]:
                self.wait(int(urllib.parse.parse_qs(query)["ms"][0]) / 1000)
                self.book(state, book)
            case "GET", ["books", book, "flaky"]:
                if state.fails(book):
                    self.answer(503, {"title": "the shelf wobbles"})
                else:
                    self.book(state, book)
            case _:
                self.answer(404, {"title": "nothing is here"})

    def book(self, state, book):
        found = state.books.get(book)
        self.answer(*((200, found) if found else (404, {"title": "There is no such book"})))

    def wait(self, seconds):
        """Waits, or fails as soon as the caller hangs up."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], left)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionAbortedError
            if readable:
                # A next request on the connection: it waits its turn, and we our time.
                time.sleep(min(left, 0.05))

    def control(self, what, query, body):
        stage = self.stage
        match self.command, what:
            case "GET", "seen":
                with stage.state.lock:
                    return list(map(dict, stage.state.seen))
            case "POST", "reset":
                stage.state.reset()
                return {}
            case "POST", "approve":
                return json.loads(stage.tollbridge("approve", "yes", body["id"], "--json"))
            case "POST", "tools":
                stage.write_config(body.get("without", []), body.get("more", ""))
                return {}
            case "GET", "trail":
                limit = urllib.parse.parse_qs(query).get("limit", ["100"])[0]
                return json.loads(stage.tollbridge("trace", "--json", "--limit", limit))
            case "GET", "holds":
                return json.loads(stage.tollbridge("approve", "ls", "--json"))
            case "POST", "stop":
                began = time.monotonic()
                end(stage.process)
                return {"exit": stage.process.returncode, "seconds": time.monotonic() - began}

    def answer(self, status, value, media_type="application/json"):
        body = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Upstream(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class Stage:
    """All of it, as a context manager.

    `auth` makes the table `[server.auth]` of the URL of `/mcp`, and `more` has further lines for
    a tool's table, by its name.
    """

    def __init__(self, binary, http=False, keys=False, auth=None, more=None):
        self.binary = str(pathlib.Path(binary).resolve())
        self.with_http, self.keys, self.auth, self.more = http, keys, auth, more or {}
        self.address = f"127.0.0.1:{free_port()}" if http else None
        self.state = State()
        self.http = self.key = self.process = None

    def __enter__(self):
        self.closing = contextlib.ExitStack()
        try:
            name = self.closing.enter_context(tempfile.TemporaryDirectory(prefix="tollbridge-judge-"))
            self.folder = pathlib.Path(name)
            self.config = self.folder / "tools.toml"
            self.log = self.folder / "serve.log"
            handler = type("Handler", (Shelf,), {"stage": self})
            upstream = self.closing.enter_context(Upstream(("127.0.0.1", 0), handler))
            self.closing.callback(upstream.shutdown)
            threading.Thread(target=upstream.serve_forever, daemon=True).start()
            self.upstream = f"http://127.0.0.1:{upstream.server_address[1]}"
            (self.folder / "shelf.json").write_text(json.dumps(DESCRIPTION))
            self.write_config([])
            if self.keys:
                self.key = json.loads(self.tollbridge("key", "new", "reader", "--json"))["key"]
            if self.with_http:
                self.serve()
            return self
        except BaseException:
            self.closing.close()
            raise

    def __exit__(self, *_):
        self.closing.close()

    def about(self):
        return {
            "folder": str(self.folder),
            "config": str(self.config),
            "binary": self.binary,
            "upstream": self.upstream,
            "control": f"{self.upstream}/_control",
            "http": self.http and f"{self.http}/mcp",
            "key": self.key,
            "env": ENV,
            "pid": self.process and self.process.pid,
            "log": str(self.log),
        }

    def write_config(self, without, more=""):
        tools = "".join(
            f'\n[[tool]]\napi = "shelf"\noperation = "{named}"\nname = "{name}"\n{rest}{self.more.get(name, "")}'
            for name, named, rest in TOOLS
            if name not in without
        )
        auth = "[server.auth]\nkeys = true\n\n" if self.keys else ""
        if self.auth:
            auth = f"[server.auth]\n{self.auth(f'http://{self.address}/mcp')}\n\n"
        # A whole file at once: a server that watches it never reads a half.
        new = self.folder / "tools.toml.new"
        new.write_text(
            f"""[server]
name = "shelf"
identity = "tester"

{auth}[audit]
store = "sqlite:trail.db"

[api.shelf]
spec = "shelf.json"
base_url = "{self.upstream}"
timeout = "90s"
attempt_timeout = "75s"
auth = {{ kind = "api_key", in = "header", name = "X-API-Key", value = "env:SHELF_KEY" }}
{tools}{more}"""
        )
        os.replace(new, self.config)

    def tollbridge(self, *words):
        """What a person does at the command line; its standard output."""
        command = [self.binary, *words, "--config", str(self.config)]
        done = subprocess.run(command, env=os.environ | ENV, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"tollbridge {' '.join(words)}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def serve(self):
        """`tollbridge serve --http`, ready."""
        command = [self.binary, "serve", "--config", str(self.config), "--http", self.address]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, env=os.environ | ENV, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.closing.callback(end, self.process)
        self.http = f"http://{self.address}"
        until = time.monotonic() + 30
        while not ready(self.http):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the server is not ready:\n{self.log.read_text()}")
            time.sleep(0.05)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ready(base):
    try:
        with urllib.request.urlopen(f"{base}/-/ready", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.HTTPError):
        return False


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def main():
    arguments = argparse.ArgumentParser(description="The stage on which a judge plays.")
    arguments.add_argument("binary", metavar="TOLLBRIDGE")
    arguments.add_argument("--http", action="store_true", help="start a server over HTTP")
    arguments.add_argument("--keys", action="store_true", help="callers over HTTP need a key")
    given = arguments.parse_args()
    # Told to go, it still ends what it started.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        with Stage(given.binary, given.http, given.keys) as stage:
            print(json.dumps(stage.about()), flush=True)
            sys.stdin.buffer.read()
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
