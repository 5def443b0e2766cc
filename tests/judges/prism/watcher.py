"""A proxy between the bridge and Prism that keeps what passed: what Prism says of a request
stands in headers and bodies that no client of the bridge gets to see.

Where a description has an answer for invalid requests, Prism gives that one in the place of its
own, and says only in `sl-violations` what it found. So a status tells nothing.
"""

import email
import http.client
import json
import threading
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
ERROR = "https://stoplight.io/prism/errors#"
# Errors of Prism's for a request that was found valid: it could not make an answer.
OF_ANSWERS = {"NO_RESPONSE_RESPONSE_DEFINED", "SCHEMA_TOO_COMPLEX", "VIOLATIONS"}


@dataclass
class Violation:
    """What Prism holds against a request."""

    status: int
    # Such as ["body", "names", "0"].
    location: list
    message: str

    def __str__(self):
        return f"{self.status} {'.'.join(self.location)}: {self.message}"


@dataclass
class Exchange:
    """A request as the bridge sent it, and Prism's answer."""

    method: str
    target: str
    headers: dict
    body: bytes
    status: int
    answer_headers: dict
    answer: bytes

    @property
    def form(self):
        """The pairs of a form, or the names and texts of its parts, in their order; none of other
        bodies."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            return urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True)
        if not kind.startswith("multipart/form-data"):
            return []
        whole = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + self.body)
        return [
            (
                part.get_param("name", header="content-disposition"),
                part.get_payload(decode=True).decode(errors="replace"),
            )
            for part in whole.get_payload()
        ]

    def problem(self):
        """Prism's own error, where the answer is one: its name and the whole."""
        try:
            value = json.loads(self.answer)
            kind = value["type"]
        except (ValueError, KeyError, TypeError):
            return None, {}
        if not isinstance(kind, str) or not kind.startswith(ERROR):
            return None, {}
        return kind.removeprefix(ERROR), value

    def violations(self):
        """All that Prism holds against the request."""
        found = [
            Violation(self.status, list(map(str, one["location"][1:])), one["message"])
            for one in listed(self.answer_headers.get("sl-violations", "[]"))
            if one["location"][:1] == ["request"] and one["severity"] == "Error"
        ]
        name, problem = self.problem()
        if found or name is None or name in OF_ANSWERS:
            return found
        said = [
            Violation(self.status, list(map(str, one.get("location") or [])), one["message"])
            for one in problem.get("validation") or []
        ]
        return said or [Violation(self.status, [name], problem.get("detail") or problem.get("title", ""))]

    def __str__(self):
        body = self.body[:400].decode(errors="replace")
        return f"{self.method} {self.target} {self.headers.get('content-type', '')} {body}".rstrip()


def listed(header):
    """The violations of the header, those of the request first. A long list is cut anywhere."""
    at, found, decoder = header.index("[") + 1, [], json.JSONDecoder()
    while at < len(header) and header[at] == "{":
        try:
            one, at = decoder.raw_decode(header, at)
        except ValueError:
            break
        found.append(one)
        at += 1
    return found


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def __getattr__(self, name):
        # Whatever the method is: a description may have any.
        if name.startswith("do_"):
            return self.forward
        raise AttributeError(name)

    def forward(self):
        turn = self.server.turn
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        body = self.chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = [(name, value) for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP]
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=240)
        try:
            connection.putrequest(self.command, self.path, skip_accept_encoding=True)
            for name, value in sent:
                connection.putheader(name, value)
            if body or "Content-Length" in self.headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        told = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        lower = [{name.lower(): value for name, value in headers} for headers in (sent, told)]
        exchange = Exchange(self.command, self.path, lower[0], body, answer.status, lower[1], said)
        if self.server.turn == turn:
            self.server.exchanges.append(exchange)
        self.send_response_only(answer.status)
        for name, value in told:
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


class Watcher(ThreadingHTTPServer):
    """Forwards to `port` of loopback; `url` is its own place. A context manager."""

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port, self.exchanges, self.turn = port, [], 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def taken(self):
        """What passed since it was last asked for. What is still under way then is forgotten."""
        self.turn += 1
        taken, self.exchanges = self.exchanges, []
        return taken
