"""Signed requests, judged by signers of others.

python client.py TOLLBRIDGE [--smoke]
"""

import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import botocore.auth  # noqa: E402
from botocore.auth import S3SigV4Auth, SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402
from http_message_signatures import HTTPMessageVerifier, MappingKeyResolver, algorithms  # noqa: E402
from judge import Tally  # noqa: E402

ACCESS, SECRET, LENT = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a+lent/token=="
SHARED = "shared-by-both-sides-0123456789"

# What is easily written in two ways.
TEXTS = [
    "plain",
    "two words",
    "a+b",
    "a%20b",
    "x/y",
    "é漢𝄞",
    "~-_.",
    "!*'();:@&=$,?#[]",
    "100%",
    '"quoted" \\ back',
    "..",
    "=a&b=",
]

DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "Signed", "version": "1"},
    "paths": {
        "/things/{id}": {
            method: {
                "operationId": f"{method}Thing",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "q", "in": "query", "schema": {"type": "string"}},
                    {"name": "B", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                ],
                **(
                    {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
                    if method == "post"
                    else {}
                ),
                "responses": {"200": {"description": "Done."}},
            }
            for method in ("get", "post")
        }
    },
}


class Api(BaseHTTPRequestHandler):
    """Keeps each request as it came."""

    protocol_version = "HTTP/1.1"
    seen: list

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.seen.append(SimpleNamespace(method=self.command, path=self.path, headers=self.headers, body=body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_):
        pass


def pem(key):
    """The private key as PKCS #8 in PEM."""
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def calls(smoke):
    """Tool and arguments of each call."""
    for at, text in enumerate(TEXTS if not smoke else TEXTS[::4]):
        other = TEXTS[(at + 5) % len(TEXTS)]
        if text not in (".", ".."):
            yield "get_thing", {"id": text, "q": other}
            yield "post_thing", {"id": text, "B": [other, text, ""], "body": {"text": text, "n": 1.50}}
    yield "get_thing", {"id": "x"}
    yield "post_thing", {"id": "x", "q": "", "B": ["b", "a"], "body": {}}


def sigv4(cls, service):
    """Has botocore sign the request as it came."""

    def judge(base, came):
        given = came.headers["X-Amz-Date"]
        moment = datetime.datetime.strptime(given, "%Y%m%dT%H%M%SZ")
        botocore.auth.get_current_datetime = lambda *_, **__: moment
        path, _, query = came.path.partition("?")
        # AWS reads the query and writes it down anew, whatever a client leaves as it is.
        pairs = sorted(
            (urllib.parse.quote(name, safe="-_.~"), urllib.parse.quote(value, safe="-_.~"))
            for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True)
        )
        canonical = "&".join(f"{name}={value}" for name, value in pairs)
        kind = came.headers["Content-Type"]
        request = AWSRequest(
            method=came.method,
            url=base + path + (f"?{canonical}" if canonical else ""),
            headers={"Content-Type": kind} if kind else {},
            data=came.body,
        )
        cls(Credentials(ACCESS, SECRET, LENT), service, "eu-west-1").add_auth(request)
        return request.headers["Authorization"], came.headers["Authorization"]

    return judge


def rfc9421(algorithm, public):
    """Has http-message-signatures verify the request."""

    def judge(base, came):
        resolver = MappingKeyResolver(public_keys={"bridge": public}, private_keys={})
        verifier = HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=resolver)
        message = SimpleNamespace(method=came.method, url=base + came.path, headers=came.headers)
        wanted = ["@method", "@authority", "@path", "@query"]
        if came.body:
            wanted += ["content-type", "content-digest"]
        covered = [f'"{name}"' for name in wanted]
        results = verifier.verify(message, require_components=covered, body=came.body or None)
        return sorted(covered), sorted(name for name in results[0].covered_components if name in covered)

    return judge


def credentials(folder):
    """Each credential in TOML, and who judges it."""
    keys = {
        "ed25519": (ed25519.Ed25519PrivateKey.generate(), algorithms.ED25519),
        "p256": (ec.generate_private_key(ec.SECP256R1()), algorithms.ECDSA_P256_SHA256),
        "rsa": (rsa.generate_private_key(65537, 2048), algorithms.RSA_V1_5_SHA256),
    }
    own = f'kind = "sigv4", access_key_id = "{ACCESS}", secret_access_key = "file:secret", session_token = "file:lent"'
    (folder / "secret").write_text(SECRET)
    (folder / "lent").write_text(LENT)
    (folder / "shared").write_text(SHARED)
    for service, cls in (("execute-api", SigV4Auth), ("s3", S3SigV4Auth)):
        yield f"SigV4, {service}", f'{own}, region = "eu-west-1", service = "{service}"', sigv4(cls, service)
    hmac = algorithms.HMAC_SHA256
    shared = 'kind = "signature", key_id = "bridge", secret = "file:shared", expires = "1m", tag = "t"'
    yield "RFC 9421, hmac", shared, rfc9421(hmac, SHARED.encode())
    for name, (key, algorithm) in keys.items():
        (folder / name).write_text(pem(key))
        yield (
            f"RFC 9421, {name}",
            f'kind = "signature", key_id = "bridge", key = "file:{name}"',
            rfc9421(algorithm, key.public_key()),
        )


def main():
    binary, smoke = sys.argv[1], "--smoke" in sys.argv
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="tollbridge-signers-") as name:
        folder = pathlib.Path(name)
        (folder / "api.json").write_text(json.dumps(DESCRIPTION))
        handler = type("Handler", (Api,), {"seen": []})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        for who, auth, judge in credentials(folder):
            tools = "".join(
                f'[[tool]]\napi = "signed"\noperation = "{method}Thing"\nname = "{method}_thing"\n'
                for method in ("get", "post")
            )
            (folder / "tools.toml").write_text(
                f'[audit]\nstore = "sqlite:trail.db"\n\n[api.signed]\nspec = "api.json"\n'
                f'base_url = "{base}"\nauth = {{ {auth} }}\n\n{tools}'
            )
            for tool, arguments in calls(smoke):
                what = f"{who}: {tool} {json.dumps(arguments, ensure_ascii=False)}"
                handler.seen.clear()
                words = [binary, "call", tool, "--args", json.dumps(arguments), "--json"]
                words += ["--config", str(folder / "tools.toml")]
                done = subprocess.run(words, capture_output=True, text=True, timeout=60)
                if done.returncode != 0 or len(handler.seen) != 1:
                    tally.check(what, False, f"exit {done.returncode}: {done.stderr}{done.stdout}")
                    continue
                try:
                    expected, found = judge(base, handler.seen[0])
                    tally.check(what, expected == found, f"{expected}\n{found}\n{handler.seen[0].path}")
                except Exception as error:  # noqa: BLE001: whatever it says is its verdict
                    tally.check(what, False, repr(error))
        server.shutdown()
    tally.end()


if __name__ == "__main__":
    main()
