"""The API that openapi.yaml describes, on a free port of 127.0.0.1.

    upstream.py TOOLS_TOML

Serves until its standard input closes. TOOLS_TOML is the configuration of the bridge in front
of it: it puts its address there, prints a line when it has, and `POST /list` rewrites it.
"""

import itertools
import json
import os
import pathlib
import struct
import sys
import threading
import time
import urllib.parse
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EXTRA = """
[[tool]]
api       = "fixtures"
operation = "readText"
name      = "on_and_off"
"""


def png() -> bytes:
    """One red pixel (PNG, third edition, section 5)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def wav() -> bytes:
    """Eight silent samples, 8 kHz, 8 bit, mono."""
    samples = b"\x80" * 8
    fmt = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + fmt + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pdf() -> bytes:
    """One empty page."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    return out + b"startxref\n%d\n%%%%EOF\n" % table


def parts() -> bytes:
    """One of each kind (RFC 2046, section 5.1)."""
    kinds = [("text/plain", b"Two more follow."), ("image/png", png()), ("application/pdf", pdf())]
    out = b""
    for kind, data in kinds:
        out += b"--part\r\nContent-Type: %s\r\n\r\n%s\r\n" % (kind.encode(), data)
    return out + b"--part--\r\n"


class List:
    """The tools that the bridge serves: its configuration, with one tool more or not."""

    def __init__(self, path: pathlib.Path, address: str):
        self.path, self.lock, self.listed = path, threading.Lock(), False
        self.without = path.read_text().replace("UPSTREAM", address)
        self.write(self.without)

    def change(self) -> bool:
        with self.lock:
            self.listed = not self.listed
            self.write(self.without + (EXTRA if self.listed else ""))
            return self.listed

    def write(self, text: str) -> None:
        new = self.path.with_name(".tools.toml.new")
        new.write_text(text)
        os.replace(new, self.path)


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tools: List
    reports = itertools.count(1)
    forecasts = itertools.count(1)

    def answer(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def json(self, status: int, value: object, media_type: str = "application/json") -> None:
        self.answer(status, media_type, json.dumps(value).encode())

    def do_GET(self) -> None:
        place = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(place.query))
        match place.path:
            case "/text":
                self.answer(200, "text/plain", b"This is a simple text response for testing.")
            case "/image":
                self.answer(200, "image/png", png())
            case "/audio":
                self.answer(200, "audio/wav", wav())
            case "/document":
                self.answer(200, "application/pdf", pdf())
            case "/parts":
                self.answer(200, "multipart/mixed; boundary=part", parts())
            case "/refusal":
                problem = {"title": "Refused", "detail": "This is refused to show an error."}
                self.json(422, problem, "application/problem+json")
            case "/report" if next(self.reports) % 3:
                self.json(503, {"title": "Not ready yet"}, "application/problem+json")
            case "/forecast" if next(self.forecasts) % 2:
                self.json(503, {"title": "Not ready yet"}, "application/problem+json")
            case "/forecast":
                self.json(200, {"forecast": "Rain."})
            case "/report":
                self.json(200, {"report": "It is ready."})
            case "/greeting":
                self.answer(200, "text/plain", f"Good day, {asked['name']}.".encode())
            case "/work":
                time.sleep(min(int(asked["seconds"]), 60))
                self.json(200, {"label": asked.get("label", "")})
            case _:
                self.json(404, {"title": "There is no such thing"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match self.path:
            case "/list":
                self.json(200, {"listed": self.tools.change()})
            case "/contacts":
                self.json(201, json.loads(body))
            case _:
                self.json(404, {"title": "There is no such thing"})

    def log_message(self, *_args) -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    Upstream.tools = List(pathlib.Path(sys.argv[1]), "127.0.0.1:%d" % server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
