"""Tokens of an authorization server of others'.

python client.py TOLLBRIDGE NODE PROJECT
"""

import http.cookiejar
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from judge import Tally  # noqa: E402

SECRET = "bridge s3cret/+"
DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "Guarded", "version": "1"},
    "paths": {"/me": {"get": {"operationId": "me", "responses": {"200": {"description": "Who."}}}}},
}


def post(url, **form):
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=20) as answer:
        return json.load(answer)


class Api(BaseHTTPRequestHandler):
    """Lets in whom the authorization server knows, and says who that is."""

    issuer: str
    tokens: list

    def do_GET(self):
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        self.tokens.append(token)
        told = post(f"{self.issuer}/token/introspection", token=token, client_id="api", client_secret=SECRET)
        body = json.dumps(told).encode()
        self.send_response(200 if told.get("active") else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Person:
    """A browser with its cookies, and somebody who says yes."""

    def __init__(self):
        jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(rfc2965=False))
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def open(self, url, **form):
        data = urllib.parse.urlencode(form).encode() if form else None
        with self.opener.open(url, data, timeout=20) as answer:
            return answer.url, answer.read().decode()

    def type_code(self, url):
        """Opens the page of a device's code, and confirms each form that it shows."""
        at, page = self.open(url)
        for _ in range(5):
            form = re.search(r'<form[^>]*action="([^"]+)"', page)
            if form is None:
                return page
            fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
            code = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).get("user_code", [""])[0]
            fields.setdefault("user_code", code)
            at, page = self.open(urllib.parse.urljoin(at, form[1]), **fields, confirm="yes")
        return page


class House:
    """A configuration of the bridge's, and what is run on it."""

    def __init__(self, folder, binary, api, issuer, members):
        self.folder, self.binary = folder, binary
        folder.mkdir()
        (folder / "api.json").write_text(json.dumps(DESCRIPTION))
        (folder / "secret").write_text(SECRET)
        (folder / "tools.toml").write_text(
            f'[audit]\nstore = "sqlite:trail.db"\n\n[api.guarded]\nspec = "api.json"\nbase_url = "{api}"\n'
            f'auth = {{ kind = "oauth2", issuer = "{issuer}", {members} }}\n\n'
            f'[[tool]]\napi = "guarded"\noperation = "me"\nname = "me"\n'
        )

    def start(self, *words):
        command = [self.binary, *words, "--config", str(self.folder / "tools.toml")]
        out = subprocess.PIPE
        return subprocess.Popen(command, stdout=out, stderr=out, text=True, env=os.environ | {"BROWSER": ""})

    def run(self, *words):
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def call(self):
        code, out, err = self.run("call", "me", "--json")
        try:
            return json.loads(out).get("structuredContent", {}), f"exit {code}: {out}{err}"
        except ValueError:
            return {}, f"exit {code}: {out}{err}"

    def log_in(self, *words, act):
        """Logs in; `act` gets the URL that is printed for the person."""
        process = self.start("login", "guarded", "--timeout", "30s", *words)
        told = ""
        for line in process.stderr:
            told += line
            urls = re.findall(r"http://127\.0\.0\.1:\S+", line)
            if urls and ("user_code=" in urls[0] or "client_id=" in urls[0]):
                act(urls[0])
                break
        out, err = process.communicate(timeout=60)
        return process.returncode, told + out + err


def machines(tally, house):
    for name, members in (
        ("client_secret_basic", 'client_id = "basic", client_secret = "file:secret"'),
        ("client_secret_post", 'client_id = "post", client_secret = "file:secret", client_auth = "post"'),
        ("private_key_jwt", 'client_id = "signs", client_key = "file:../key.pem", client_key_id = "k1"'),
    ):
        one = house(name, members)
        said, why = one.call()
        client = re.search(r'client_id = "(\w+)"', members)[1]
        tally.check(f"client credentials by {name}", said.get("client_id") == client, why)


def people(tally, house, api):
    for name, members in (
        ("a client with a secret", 'client_id = "person", client_secret = "file:secret"'),
        ("a public client", 'client_id = "public"'),
    ):
        members += ', grant = "authorization_code", scopes = ["openid", "offline_access"]'
        one = house(name, members)
        code, told = one.log_in(act=lambda url: Person().open(url))
        tally.check(f"{name}: a login with a browser, PKCE", code == 0, told)
        renewed(tally, one, name, api)

    members = 'client_id = "person", client_secret = "file:secret", grant = "device_code", '
    one = house("a device", members + 'scopes = ["openid", "offline_access"]')
    code, told = one.log_in(act=lambda url: Person().type_code(url))
    tally.check("a device: a login with a code", code == 0, told)
    renewed(tally, one, "a device", api)


def renewed(tally, one, name, api):
    """Calls as the person, renews the token twice, and logs out."""
    api.tokens.clear()
    for number in range(3):
        said, why = one.call()
        tally.check(f"{name}: call {number + 1}, as alice", said.get("sub") == "alice", why)
        # The access token lives for two seconds, and what renews it is good for one use.
        time.sleep(2.2)
    tokens = set(api.tokens)
    tally.check(f"{name}: a token for each call, renewed by one that is rotated", len(tokens) == 3, api.tokens)
    code, out, err = one.run("login", "guarded", "--forget")
    tally.check(f"{name}: the login is ended at the server", code == 0 and "ended there" in err, out + err)
    said, why = one.call()
    tally.check(f"{name}: no call without a login", not said.get("active") and "tollbridge login" in why, why)


def main():
    binary, node, project = sys.argv[1:4]
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="tollbridge-login-") as name:
        folder = pathlib.Path(name)
        key, public = str(folder / "key.pem"), str(folder / "public.pem")
        generate = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key]
        subprocess.run(generate, check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        os.chmod(key, 0o600)
        command = [node, str(pathlib.Path(project) / "authority.mjs"), public]
        authority = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            line = authority.stdout.readline()
            if not line:
                sys.exit(2)
            issuer = json.loads(line)["issuer"]
            api = type("Handler", (Api,), {"issuer": issuer, "tokens": []})
            server = ThreadingHTTPServer(("127.0.0.1", 0), api)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            base = f"http://127.0.0.1:{server.server_address[1]}"

            def house(name, members):
                return House(folder / name.replace(" ", "-"), binary, base, issuer, members)

            machines(tally, house)
            people(tally, house, api)
            server.shutdown()
        finally:
            authority.stdin.close()
            authority.wait(20)
    tally.end()


if __name__ == "__main__":
    main()
