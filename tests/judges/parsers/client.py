"""REST requests, read by parsers of others.

python client.py [--smoke]
"""

import base64
import collections
import http.cookies
import json
import pathlib
import subprocess
import sys
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent / "lib"), str(HERE.parent / "prism")]

import xmlschema  # noqa: E402
from arguments import Unable  # noqa: E402
from documents import SCHEMA, document  # noqa: E402
from judge import Tally  # noqa: E402
from jsonschema import Draft202012Validator  # noqa: E402
from lxml import etree  # noqa: E402
from read import by_email, by_python_multipart, by_urllib, order, pairs, pieces, positions, same_pieces, styled, text  # noqa: E402
from values import Hard  # noqa: E402

DRAWS = 40 if "--smoke" in sys.argv else 600
LIBXML2 = etree.XMLSchema(etree.fromstring(SCHEMA))
XMLSCHEMA = xmlschema.XMLSchema(SCHEMA)
DOTS = ("", ".", "..")


class Wire:
    """The bridge's own encoder and decoder, as a context manager; built first, where it is not."""

    def __enter__(self):
        cargo = "cargo build --quiet --locked -p tollbridge-openapi --example rest_wire --message-format json".split()
        built = subprocess.run(cargo, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        made = [json.loads(line).get("executable") for line in built.stdout.splitlines()]
        self.process = subprocess.Popen(
            [[one for one in made if one][-1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)

    def ask(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the encoder ended at {json.dumps(what)[:400]}")
        return json.loads(line)


def multipart(expected):
    def read(arguments, said):
        wanted = expected(arguments["body"])
        if not wanted:
            return
        for parse in (by_email, by_python_multipart):
            found = parse(said["content_type"], base64.b64decode(said["body"]))
            if not same_pieces(wanted, found):
                yield f"{parse.__name__} reads {found}, and not {wanted}"

    return read


def urlencoded(arguments, said):
    written = base64.b64decode(said["body"]).decode("ascii")
    found, wanted = by_urllib(written), pairs(arguments["body"])
    if len(found) != len(wanted) or any(one != other and not same_json(one, other) for one, other in zip(found, wanted)):
        yield f"urllib reads {found}, and not {wanted}"


def same_json(one, other):
    return one[0] == other[0] and one[1][:1] in "{[" and json.loads(one[1]) == json.loads(other[1])


def styles(arguments, said):
    written = base64.b64decode(said["body"]).decode("ascii")
    # A form writes a space as `+` (WHATWG URL §5.2), and one within an item no otherwise.
    if not any(styled(written, arguments["body"], space) for space in ("%20", "+")):
        yield f"urllib reads {by_urllib(written)}"


def query(arguments, said):
    written = said["query"] or ""
    named = by_urllib(written)
    if not styled(written, arguments):
        yield f"urllib reads {named}"
    if [one for name, one in named if name == "text"] != [arguments[name] for name in arguments if name == "text"]:
        yield f"urllib reads another text: {named}"
    if "json" in arguments and json.loads(dict(named)["json"]) != arguments["json"]:
        yield f"urllib reads other JSON: {named}"
    known = {"exploded", "commas", "spaces", "pipes", "pairs", "text", "json"}
    others = {name for name, _ in named if name not in known and not name.startswith("deep[")}
    if others:
        yield f"parameters that nobody gave: {others}"


def cookies(arguments, said):
    jar = http.cookies.SimpleCookie()
    jar.load("; ".join(said["cookies"]))
    found = {name: urllib.parse.unquote(one.value) for name, one in jar.items()}
    if found != {name: text(value) for name, value in arguments.items()}:
        yield f"http.cookies reads {found} of {said['cookies']}"


def path(arguments, said):
    segments = urllib.parse.urlsplit("http://h.example" + said["path"]).path.split("/")
    if len(segments) != 7 or (segments[1], segments[6]) != ("p", "end") or said["query"]:
        yield f"the segments are {segments}"
        return
    unquoted = urllib.parse.unquote
    found = {
        "one": unquoted(segments[2]),
        "many": [unquoted(one) for one in segments[3].split(",")],
        "label": unquoted(segments[4].removeprefix("x.")),
        "matrix": unquoted(segments[5].removeprefix(";matrix").removeprefix("=")),
    }
    if found != arguments:
        yield f"urllib reads {found}"


def xml(arguments, said):
    body, value = base64.b64decode(said["body"]), arguments["body"]
    tree = etree.fromstring(body)
    if not LIBXML2.validate(tree):
        yield f"libxml2: {LIBXML2.error_log.last_error} in {body}"
    error = next(iter(XMLSCHEMA.iter_errors(body.decode())), None)
    if error is not None:
        yield f"xmlschema: {error.reason} in {body}"
    found = order(body)
    # A list without items is no element.
    wanted = {name: one for name, one in value.items() if one != []}
    if found != wanted:
        yield f"lxml reads {found} of {body}"


JUDGES = {
    "form": multipart(lambda body: pieces(body, files=("file", "files"), kinds={"json": "application/json", "files": "image/png"})),
    "nested": multipart(lambda body: pieces(body, nested=("letter",))),
    "positions": multipart(positions),
    "urlencoded": urlencoded,
    "styles": styles,
    "query": query,
    "cookies": cookies,
    "xml": xml,
    "path": path,
}


def may_refuse(operation, arguments):
    """What no path can say, and no cookie."""
    if operation != "path":
        return False
    plain = [arguments["one"], arguments["label"], arguments["matrix"], ",".join(arguments["many"])]
    return any(one in DOTS for one in plain)


def judge(tally, wire, operation, schema):
    validator, read = Draft202012Validator(schema), JUDGES[operation]
    counts, wrong, seen = collections.Counter(), [], set()
    for n in range(DRAWS):
        try:
            arguments = Hard(schema, f"{operation} {n}").arguments(everything=n % 3 == 0)
        except Unable:
            continue
        if json.dumps(arguments) in seen or not validator.is_valid(arguments):
            continue
        seen.add(json.dumps(arguments))
        said = wire.ask(encode=operation, arguments=arguments)
        if "refused" in said:
            counts["refused"] += 1
            if not may_refuse(operation, arguments):
                wrong.append(f"refused at {said['pointer']}: expected {said['refused']}: {json.dumps(arguments)}")
            continue
        counts["read"] += 1
        try:
            wrong += [f"{why}: {json.dumps(arguments, ensure_ascii=False)}" for why in read(arguments, said)]
        except Exception as error:  # noqa: BLE001: whatever a parser raises, it could not read it
            wrong.append(f"{error!r} for {json.dumps(arguments, ensure_ascii=False)} in {said}")
    for one in wrong[:5]:
        print("        " + one[:1500], flush=True)
    enough = counts["read"] >= DRAWS / 4
    what = f"{operation}: {counts['read']} requests are read as they were given, {counts['refused']} are refused"
    tally.check(what, not wrong and enough, f"{len(wrong)} are not" if wrong else "too few could be drawn")


def broken(tally):
    """Readers that find no fault with anything judge nothing."""
    value = {"text": "a", "list": ["b"]}
    wanted, body = pieces(value), b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nA\r\n--x--\r\n'
    for parse in (by_email, by_python_multipart):
        tally.check(f"{parse.__name__} tells another body apart", not same_pieces(wanted, parse("multipart/form-data; boundary=x", body)))
    other = {"content_type": "", "query": "text=b", "body": base64.b64encode(b"text=b").decode()}
    tally.check("another form is told apart", list(urlencoded({"body": value}, other)))
    tally.check("another query is told apart", list(query({"text": "a"}, other)))
    other["body"] = base64.b64encode(b'<order xmlns="urn:order"><Name/></order>').decode()
    tally.check("other XML is told apart", len(list(xml({"body": {"name": "a"}}, other))) == 3)


def main():
    tally = Tally()
    broken(tally)
    with Wire() as wire:
        loaded = wire.ask(load=json.dumps(document()))
        tally.check("the description is read whole", not loaded["skipped"] and not loaded["warnings"], loaded)
        for one in loaded["operations"]:
            judge(tally, wire, one["id"], one["input"])
    tally.end()


main()
