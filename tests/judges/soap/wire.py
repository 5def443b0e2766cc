"""The bridge's own encoder and decoder, by `crates/wsdl/examples/wire.rs`."""

import base64
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
OURS = [ROOT / "tests" / "judges" / "soap" / "services", ROOT / "specs"]
CORPUS = ROOT.parent / "shared" / "corpus" / "wsdl"


def whole(said):
    """The envelope of an encoded request, with what XOP puts beside it in its place (XOP, 3.2)."""
    boundary = re.search(r'boundary="([^"]+)"', said["content_type"])
    if not boundary or "application/xop+xml" not in said["content_type"]:
        return said["body"]
    parts = {}
    message = base64.b64decode(said["message"])
    for part in message.split(b"--" + boundary.group(1).encode())[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        found = re.search(rb"Content-ID: <([^>]+)>", head)
        parts[found.group(1).decode()] = base64.b64encode(body.removesuffix(b"\r\n")).decode()
    return re.sub(r'<[^<>]*:Include href="cid:([^"]+)"/>', lambda one: parts[one.group(1)], said["body"])


class Wire:
    """As a context manager; built first, where it is not."""

    def __enter__(self):
        cargo = [
            "cargo",
            "build",
            "--quiet",
            "--locked",
            "-p",
            "tollbridge-wsdl",
            "--example",
            "wire",
            "--message-format",
            "json",
        ]
        built = subprocess.run(cargo, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        made = [json.loads(line).get("executable") for line in built.stdout.splitlines()]
        binary = [one for one in made if one][-1]
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def ask(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the encoder ended: {self.process.wait(30)}: {json.dumps(what)[:400]}")
        return json.loads(line)

    def load(self, file, folder):
        return self.ask(load=str(file), folder=str(folder))

    def encode(self, operation, arguments):
        return self.ask(encode=operation, arguments=arguments)

    def decode(self, operation, said):
        """What an answer is read as that is the message of an encoded request."""
        return self.ask(decode=operation, message=said["message"], content_type=said["content_type"])
