"""Logs clients in at a real authorization server, and has them call through the bridge.

    judge.py [--smoke] TOLLBRIDGE NODE PROJECT PYTHON AUTHLAB

The authorization server is oidc-provider (authority.mjs). The clients are the official ones in
TypeScript (client.mjs) and Python (client.py): they find the server by what the bridge tells
them, register themselves, log in with PKCE for the bridge as a resource, and come back for more
scopes when a call needs them. Then keys are rotated, tokens revoked, the server taken down. Last
comes mcp-authlab with its own list.
"""

import base64
import hashlib
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

from browser import BACK, follow  # noqa: E402
from judge import Tally, status_of  # noqa: E402
from stage import ENV, Stage  # noqa: E402

OPAQUE, FOREIGN = "http://127.0.0.1:9/opaque", "http://127.0.0.1:9/foreign"
SECRET = "bridge s3cret/+"
LIST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "j", "version": "1"}}}).encode()


class Talk:
    """A process that answers a line with a line."""

    def __init__(self, command, cwd=None):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"it ended: exit {self.process.wait()}")
        return json.loads(line)

    def ask(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.read()


class Authority(Talk):
    def __init__(self, node, project, resource):
        super().__init__([node, f"{project}/authority.mjs", resource, OPAQUE, FOREIGN], cwd=project)

    def __enter__(self):
        about = self.read()
        self.issuer, self.where = about["issuer"], about["control"]
        return self

    def control(self, what):
        with urllib.request.urlopen(f"{self.where}/{what}", timeout=10) as answer:
            return json.load(answer)

    def post(self, path, form, headers=None):
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(f"{self.issuer}{path}", data=body, headers=headers or {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def register(self):
        body = json.dumps({
            "client_name": "judge", "redirect_uris": [BACK], "application_type": "native",
            "grant_types": ["authorization_code"], "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }).encode()
        request = urllib.request.Request(
            f"{self.issuer}/reg", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["client_id"]

    def token(self, client, resource, scope):
        """A token by a login, as a client would get it."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        query = {
            "response_type": "code", "client_id": client, "redirect_uri": BACK, "scope": scope,
            "resource": resource, "code_challenge": challenge, "code_challenge_method": "S256",
        }
        back = follow(f"{self.issuer}/auth?{urllib.parse.urlencode(query)}")
        form = {
            "grant_type": "authorization_code", "code": back["code"], "redirect_uri": BACK,
            "client_id": client, "code_verifier": verifier, "resource": resource,
        }
        return self.post("/token", form)["access_token"]


def status(stage, token, headers=None):
    """What a request with this token is answered with."""
    all = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        **({"Authorization": f"Bearer {token}"} if token else {}),
        **(headers or {}),
    }
    return status_of(f"{stage.http}/mcp", all, LIST)


def until(wanted, act, seconds):
    """Whether it comes to that in time."""
    end = time.monotonic() + seconds
    while (now := act()) != wanted and time.monotonic() < end:
        time.sleep(0.5)
    return now == wanted


def trail(stage):
    return json.loads(stage.tollbridge("trace", "--json"))["calls"]


def client_logs_in(name, command, stage, authority, tally):
    """One client, from nothing to a call that needs more than it had, over a rotation of keys."""
    resource = f"{stage.http}/mcp"
    with Talk([*command, resource]) as client:
        told = client.ask("list")
        listed = told.get("result") or []
        tally.check(f"{name}: logs in by itself and lists", "get_book" in listed, told)
        tally.check(f"{name}: with one login, for the bridge as a resource",
                    (told["logins"], told["resource"]) == (1, resource), told)
        tally.check(f"{name}: for the scope that the challenge names", told["asked"] == "mcp", told)
        told = client.ask("get")
        tally.check(f"{name}: calls", (told.get("result") or {}).get("id") == "b1", told)
        call = trail(stage)[-1]
        tally.check(f"{name}: is who it logged in as, in the trail", call["identity"] == "alice", call)
        told = client.ask("add")
        tally.check(f"{name}: gets more scopes when a call needs them, and calls again",
                    (told.get("result") or {}).get("id") == "b2", told)
        tally.check(f"{name}: by one more login, for all that was named",
                    told["logins"] == 2 and set(told["asked"].split()) >= {"mcp", "books:write"}, told)
        refused = [call for call in trail(stage) if call["outcome"] == "denied"][-1:]
        tally.check(f"{name}: the refused call is on record with its rule",
                    refused and refused[0]["decision"]["rules"] == ["add_book.scopes"], refused)
        authority.control("rotate")
        told = client.ask("get")
        tally.check(f"{name}: the old token is good after the keys were rotated",
                    (told.get("result") or {}).get("id") == "b1" and told["logins"] == 2, told)
    with Talk([*command, resource]) as client:
        told = client.ask("get")
        tally.check(f"{name}: so is a token of the new key, at once", (told.get("result") or {}).get("id") == "b1", told)
        return told["token"]


def signed(binary, node, project, python, authlab, smoke, tally):
    def auth(issuer):
        return lambda resource: (
            f'scopes = ["mcp"]\njwt = {{ issuer = "{issuer()}", audience = "{resource}", algorithms = ["RS256"], '
            'groups = "groups", claims = ["tenant"], typed = true }'
        )
    stage = Stage(binary, http=True, auth=lambda _: "keys = true", more={
        "add_book": 'scopes = ["books:write"]\n', "list_books": 'allow = ["group:readers"]\n',
        "slow_book": 'allow = ["group:writers"]\n',
    })
    resource = f"http://{stage.address}/mcp"
    with Authority(node, project, resource) as authority:
        stage.auth = auth(lambda: authority.issuer)
        with stage:
            clients = [("typescript", [node, f"{project}/client.mjs"]), ("python", [python, str(HERE / "client.py")])]
            for name, command in clients:
                token = client_logs_in(name, command, stage, authority, tally)
            groups(stage, token, tally)
            attacks(stage, authority, token, tally)
            lab(stage, authority, authlab, tally)
            rotation(stage, authority, token, tally, smoke)
            seen = stage.state.seen
            tally.check("no token is in the log or the store", not leaked(stage, token), leaked(stage, token))
            tally.check("the API was called", len(seen) > 0, seen)


def groups(stage, token, tally):
    headers = {
        "Authorization": f"Bearer {token}", "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/list",
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "j", "version": "1"}}}}).encode()
    request = urllib.request.Request(f"{stage.http}/mcp", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        names = [tool["name"] for tool in json.load(answer)["result"]["tools"]]
    tally.check("the groups that the token claims decide what is listed",
                "list_books" in names and "slow_book" not in names, names)


def attacks(stage, authority, token, tally):
    header, payload, signature = token.split(".")
    client = authority.register()
    foreign = authority.token(client, FOREIGN, "mcp")
    scarce = authority.token(client, f"{stage.http}/mcp", "books:write")
    for what, sent, wanted in [
        ("nothing", None, 401),
        ("a token for another resource of the same server's", foreign, 401),
        ("a changed signature", f"{header}.{payload}.{signature[:-6]}AAAAAA", 401),
        ("no signature", f"{header}.{payload}.", 401),
        ("a token without the scope that all need", scarce, 403),
        ("a good token", token, 200),
    ]:
        got = status(stage, sent)
        tally.check(f"{what} is answered {wanted}", got == wanted, got)
    before = authority.control("seen")["jwks"]
    for number in range(50):
        forged = base64.urlsafe_b64encode(
            json.dumps({"alg": "RS256", "kid": f"x{number}", "typ": "at+jwt"}).encode()
        ).rstrip(b"=").decode()
        status(stage, f"{forged}.{payload}.{signature}")
    after = authority.control("seen")["jwks"]
    tally.check("fifty tokens of unknown keys fetch the key set at most three times", after - before <= 3, after - before)


def lab(stage, authority, authlab, tally):
    """mcp-authlab's list. Over plain http some of it cannot hold, and is not counted."""
    resource = f"{stage.http}/mcp"
    client = authority.register()
    good = authority.token(client, resource, "mcp")
    foreign = authority.token(client, FOREIGN, "mcp")
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [authlab, "scan", "--no-login", "--token", good, "--foreign-token", foreign, "--tool", "add_book",
             "--format", "json", "--no-color", resource],
            capture_output=True, text=True, timeout=120, env=os.environ | {"HOME": home},
        )
    try:
        results = json.loads(done.stdout)["results"]
    except (ValueError, KeyError):
        tally.check("mcp-authlab makes its report", False, done.stdout + done.stderr)
        return
    for one in results:
        name = f"mcp-authlab {one['id']}: {one.get('title', '')}"
        if one["status"] in ("skip", "login"):
            tally.cannot(name, one.get("detail") or one.get("message") or one["status"])
        elif one["id"] in ("TLS-01", "ASM-03"):
            tally.cannot(name, "it is on loopback, without TLS")
        else:
            tally.check(name, one["status"] == "pass", one)


def rotation(stage, authority, token, tally, smoke):
    """The issuer goes, comes back, and withdraws a key."""
    authority.control("down")
    tally.check("while the authorization server is down a token is good", status(stage, token) == 200)
    authority.control("up")
    if smoke:
        return
    # A key that was withdrawn is noticed when another one is asked for.
    authority.control("rotate")
    authority.control("withdraw")
    client = authority.register()
    fresh = authority.token(client, f"{stage.http}/mcp", "mcp")
    tally.check("a token of the next key is good", until(200, lambda: status(stage, fresh), 15))
    tally.check("one of a key that was withdrawn is not", status(stage, token) == 401)


def leaked(stage, token):
    signature = token.rsplit(".", 1)[1].encode()
    return [str(path) for path in stage.folder.rglob("*") if path.is_file() and signature in path.read_bytes()]


def opaque(binary, node, project, tally):
    """Tokens that say nothing, which the bridge asks about."""
    stage = Stage(binary, http=True, auth=lambda _: "keys = true")
    with Authority(node, project, f"http://{stage.address}/mcp") as authority:
        stage.auth = lambda resource: (
            f'resource = "{resource}"\n[server.auth.introspection]\nurl = "{authority.issuer}/token/introspection"\n'
            f'client_id = "bridge"\nclient_secret = "env:ASK"\nissuer = "{authority.issuer}"\naudience = "{OPAQUE}"\n'
            'cache = "1s"'
        )
        ENV["ASK"] = SECRET
        with stage:
            client = authority.register()
            token = authority.token(client, OPAQUE, "mcp")
            foreign = authority.token(client, FOREIGN, "mcp")
            tally.check("an opaque token is good", status(stage, token) == 200, status(stage, token))
            tally.check("one that nobody issued is not", status(stage, "no-such-token") == 401)
            # It is a JWT, about which oidc-provider answers no question (400): the bridge then
            # knows nothing of it, says 503, and lets nobody in.
            got = status(stage, foreign)
            tally.check("one for another resource is not", got in (401, 503), got)
            authority.control("down")
            time.sleep(1.2)
            got = status(stage, token)
            tally.check("while nobody can be asked nobody is let in, and is told to come back", got == 503, got)
            authority.control("up")
            authority.post("/token/revocation", {"token": token, "client_id": client})
            tally.check("one that was revoked is not good any more", until(401, lambda: status(stage, token), 5))


def main():
    words = sys.argv[1:]
    smoke = "--smoke" in words
    binary, node, project, python, authlab = [word for word in words if word != "--smoke"]
    tally = Tally()
    signed(binary, node, project, python, authlab, smoke, tally)
    opaque(binary, node, project, tally)
    tally.end()


if __name__ == "__main__":
    main()
