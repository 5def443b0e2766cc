"""What is exported over OTLP, read by the types and the names of OpenTelemetry.

python client.py TOLLBRIDGE [--smoke]
"""

import base64
import gzip
import http.client
import importlib
import json
import pathlib
import pkgutil
import re
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import opentelemetry.semconv._incubating.attributes as incubating  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from google.protobuf.unknown_fields import UnknownFieldSet  # noqa: E402
from judge import Tally  # noqa: E402
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (  # noqa: E402
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: E402
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags, Status  # noqa: E402
from opentelemetry.semconv._incubating.metrics import mcp_metrics  # noqa: E402
from opentelemetry.semconv.metrics import http_metrics  # noqa: E402

TOKEN, ARGUMENT = "collector-token-7f3a", "an-argument-in-a-body"
CLIENT_SECRET, ACCESS_TOKEN = "client-secret-5d1e", "access-token-c0de"
AGENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
# Of ours, beside what the conventions name.
OWN = {"tollbridge.call", "tollbridge.outcome"}
TYPES = {
    "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
}

DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "Things", "version": "1"},
    "paths": {
        "/things/{id}": {
            "get": {
                "operationId": "getThing",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {"200": {"description": "Done."}},
            },
            "put": {
                "operationId": "putThing",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                "responses": {"200": {"description": "Done."}},
            },
        }
    },
}


class Upstream(BaseHTTPRequestHandler):
    """The API: `flaky` fails once, `gone` is not there, all else is."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        seen, path = self.server.seen, self.path.partition("?")[0]
        before = any(known == path for known, _ in seen)
        seen.append((path, self.headers.get("traceparent")))
        failed = 503 if path.endswith("flaky") and not before else 200
        status = 404 if path.endswith("gone") else failed
        body = b'{"answer": "not to be told"}'
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = answer

    def do_POST(self):
        """Gives a token."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        issued = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600}
        body = json.dumps(issued).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Collector(BaseHTTPRequestHandler):
    """Keeps what it is sent. It is busy so often as it is told to be."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.server.busy.get(self.path, 0) > 0:
            self.server.busy[self.path] -= 1
            self.send_response(503)
            self.send_header("retry-after", "1")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        kind = self.headers.get("content-type")
        self.server.seen.append((self.path, dict(self.headers.items()), kind, body))
        answer = TYPES[self.path][1]()
        said = answer.SerializeToString() if "protobuf" in kind else b"{}"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


def serving(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.seen, server.busy = [], {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def ids_as_bytes(value):
    """OTLP's JSON has ids in hex, where Protocol Buffers' has base64."""
    if isinstance(value, list):
        return [ids_as_bytes(one) for one in value]
    if isinstance(value, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {
            key: base64.b64encode(bytes.fromhex(one)).decode() if key in ids else ids_as_bytes(one)
            for key, one in value.items()
        }
    return value


def unknown(message):
    """The numbers of the fields of a message, and of those in it, that its type does not know."""
    found = [field.field_number for field in UnknownFieldSet(message)]
    for descriptor, value in message.ListFields():
        if descriptor.message_type:
            for one in [value] if hasattr(value, "ListFields") else value:
                found += unknown(one)
    return found


def decoded(path, kind, body):
    """A request as its type has it. It raises where it has anything else."""
    made = TYPES[path][0]()
    if kind == "application/x-protobuf":
        made.ParseFromString(body)
        if unknown(made):
            raise ValueError(f"fields that there are not: {unknown(made)}")
        return made
    if kind != "application/json":
        raise ValueError(f"content-type {kind}")
    return json_format.ParseDict(ids_as_bytes(json.loads(body)), made)


def value_of(any_value):
    which = any_value.WhichOneof("value")
    return None if which is None else getattr(any_value, which)


def attributes(of):
    return {one.key: value_of(one.value) for one in of.attributes}


def known_names():
    """Every attribute that the conventions name."""
    names = set()
    for module in pkgutil.iter_modules(incubating.__path__):
        inside = importlib.import_module(f"{incubating.__name__}.{module.name}")
        names |= {getattr(inside, name) for name in dir(inside) if name.isupper()}
    return {name for name in names if isinstance(name, str)}


class Bridge:
    """The program, with everything of its own in a folder."""

    def __init__(self, binary, folder, upstream, collector, protocol, compression):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.api_key = "upstream-key-91b2"
        self.env = {"OTLP_AUTH": f"Bearer {TOKEN}", "API_KEY": self.api_key, "NO_COLOR": "1"}
        self.env["CLIENT_SECRET"] = CLIENT_SECRET
        (self.folder / "things.json").write_text(json.dumps(DESCRIPTION))
        (self.folder / "tools.toml").write_text(
            f"""[server]
name = "judged"

[observe.otlp]
endpoint = "http://127.0.0.1:{collector}"
protocol = "{protocol}"
compression = "{compression}"
headers = {{ Authorization = "env:OTLP_AUTH" }}
interval = "1s"
traces = true
resource = {{ "deployment.environment.name" = "judge" }}

[api.things]
spec = "things.json"
base_url = "http://127.0.0.1:{upstream}"
auth = {{ kind = "api_key", in = "query", name = "key", value = "env:API_KEY" }}

[api.guarded]
spec = "things.json"
base_url = "http://127.0.0.1:{upstream}/guarded"

[api.guarded.auth]
kind = "oauth2"
token_url = "http://127.0.0.1:{upstream}/token"
client_id = "judge"
client_secret = "env:CLIENT_SECRET"

[[tool]]
api = "guarded"
operation = "getThing"
name = "get_guarded"

[[tool]]
api = "things"
operation = "getThing"

[[tool]]
api = "things"
operation = "putThing"
"""
        )

    def begin(self, *words, **streams):
        command = [self.binary, *words, "--config", str(self.folder / "tools.toml")]
        return subprocess.Popen(command, env=self.env, text=True, **streams)

    def trail(self):
        done = self.begin("trace", "--json", stdout=subprocess.PIPE)
        told, _ = done.communicate(timeout=60)
        return {call["id"]: call for call in json.loads(told)["calls"]}


CALLS = [
    # Tool, arguments, traceparent.
    ("get_thing", {"id": "fine"}, AGENT),
    ("get_thing", {"id": "flaky"}, None),
    ("get_thing", {"id": "gone"}, None),
    ("put_thing", {"id": "fine", "body": {"text": ARGUMENT}}, None),
    ("get_thing", {"id": "hidden"}, UNSAMPLED),
    ("no_such_tool", {}, None),
    ("get_guarded", {"id": "fine"}, None),
]


OTHERS = [
    # Method, parameters, what the span is named, the error that answers it.
    ("ping", {}, "ping", None),
    ("tools/list", {"_meta": {"traceparent": AGENT}}, "tools/list", None),
    ("tools/list", {"_meta": {"traceparent": UNSAMPLED}}, None, None),
    ("logging/setLevel", {"level": "info"}, "logging/setLevel", "-32601"),
    ("made/up/by/an/agent", {}, "_OTHER", "-32601"),
    ("tools/call", {"name": "get_thing", "arguments": []}, "tools/call", "-32602"),
]


def others():
    """The messages that are no calls, numbered from 20."""
    for number, (method, params, _, _) in enumerate(OTHERS, 20):
        yield {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def calls():
    """The messages of the calls, numbered from 10."""
    for number, (tool, arguments, parent) in enumerate(CALLS, 10):
        params = {"name": tool, "arguments": arguments}
        if parent:
            params["_meta"] = {"traceparent": parent}
        yield {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "judge", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def over_stdio(bridge):
    """Makes the calls, and ends the server; no session has an id."""
    pipe = subprocess.PIPE
    server = bridge.begin("serve", stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)

    def say(message):
        server.stdin.write(json.dumps(message) + "\n")
        server.stdin.flush()

    say(INITIALIZE)
    server.stdout.readline()
    say(INITIALIZED)
    for message in [*calls(), *others()]:
        say(message)
        json.loads(server.stdout.readline())
    time.sleep(1.2)
    began = time.monotonic()
    server.stdin.close()
    status = server.wait(30)
    server.stdout.close()
    return status, time.monotonic() - began, None


def over_http(bridge):
    """The same in a session over HTTP, whose id is returned."""
    server = bridge.begin("serve", "--http", "127.0.0.1:0", stderr=subprocess.PIPE)
    place = None
    while place is None:
        line = server.stderr.readline()
        if not line:
            raise RuntimeError("there is no server")
        place = re.search(r"127\.0\.0\.1:(\d+)/mcp", line)
    threading.Thread(target=server.stderr.read, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", int(place[1]), timeout=30)
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }

    def say(message):
        connection.request("POST", "/mcp", json.dumps(message), headers)
        answer = connection.getresponse()
        answer.read()
        return answer

    session = say(INITIALIZE).getheader("mcp-session-id")
    headers |= {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
    say(INITIALIZED)
    for message in [*calls(), *others()]:
        say(message)
    connection.close()
    time.sleep(1.2)
    began = time.monotonic()
    server.terminate()
    status = server.wait(30)
    return status, time.monotonic() - began, session


def spans_of(requests):
    for request in requests:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


def points_of(requests):
    """The last request's metrics by name."""
    metrics = requests[-1].resource_metrics[0].scope_metrics[0].metrics
    return {metric.name: metric for metric in metrics}


def judge_metrics(tally, requests, names, channel):
    metrics = points_of(requests)
    operation, request = (
        mcp_metrics.MCP_SERVER_OPERATION_DURATION,
        http_metrics.HTTP_CLIENT_REQUEST_DURATION,
    )
    # Calls, what is none, and the one that opened the session.
    for name, count in [(operation, len(CALLS) + len(OTHERS) + 1), (request, 7)]:
        metric = metrics.get(name)
        points = metric.histogram.data_points if metric else []
        tally.check(f"{name} is a histogram in seconds", metric and metric.unit == "s", metrics)
        tally.check(f"{name} counts {count}", sum(p.count for p in points) == count, points)
        whole = all(
            sum(p.bucket_counts) == p.count
            and len(p.bucket_counts) == len(p.explicit_bounds) + 1
            and p.start_time_unix_nano < p.time_unix_nano
            for p in points
        )
        tally.check(f"{name}: buckets add up", whole, points)
        keys = set().union(*(attributes(point) for point in points)) if points else set()
        tally.check(f"{name}: its attributes are named", keys and keys <= names, keys - names)
    told = [attributes(p) for p in metrics[operation].histogram.data_points]
    tools = {one.get("gen_ai.tool.name") for one in told}
    tally.check("tools are the configuration's", tools == {"get_thing", "put_thing", "get_guarded", None}, told)
    revisions = {one.get("mcp.protocol.version") for one in told}
    tally.check("the revision is measured", revisions == {"2025-11-25"}, revisions)
    methods = {one["mcp.method.name"] for one in told}
    wanted = {"tools/call", "initialize", "ping", "tools/list", "logging/setLevel", "_OTHER"}
    tally.check("every method is measured", methods == wanted, methods)
    tally.check(
        "the transport is named", {one["network.transport"] for one in told} == {channel}, told
    )
    told = [attributes(p) for p in metrics[request].histogram.data_points]
    ports = {one["server.port"] for one in told}
    tally.check("ports and statuses are numbers", ports and all(type(p) is int for p in ports), told)
    sums = [m for m in metrics.values() if m.WhichOneof("data") == "sum"]
    tally.check("sums only grow", sums and all(m.sum.is_monotonic for m in sums), sums)


def judge_ends(tally, told, channel):
    """Over HTTP it is told who is at the other end, and over a pipe nobody is."""
    keys = ("client.address", "network.protocol.name", "network.protocol.version")
    ends = {tuple(one.get(key) for key in keys) for one in told}
    over_http = ("127.0.0.1", "http", "1.1")
    tally.check("the other end is told", ends == {over_http if channel == "tcp" else (None,) * 3}, ends)
    ports = {type(one.get("client.port")) for one in told}
    tally.check("its port is a number", ports == {int if channel == "tcp" else type(None)}, ports)


def judge_others(tally, spans, channel, session):
    """The spans of what is no call, and of what opened the session."""
    told = {one["jsonrpc.request.id"]: (span, one) for span in spans for one in [attributes(span)]}
    expected = {"1": ("initialize", None)}
    expected |= {str(n): (name, error) for n, (_, _, name, error) in enumerate(OTHERS, 20) if name}
    found = {number: (span.name, one.get("error.type")) for number, (span, one) in told.items()}
    tally.check("each other sampled request has a span", found == expected, found)
    failed = {n for n, (span, _) in told.items() if span.status.code == Status.STATUS_CODE_ERROR}
    tally.check("those that failed say so", failed == {n for n, (_, e) in expected.items() if e}, failed)
    tally.check(
        "they say their message",
        {one["mcp.protocol.version"] for _, one in told.values()} == {"2025-11-25"}
        and {one["network.transport"] for _, one in told.values()} == {channel}
        and all(one.get("mcp.session.id") == session for n, (_, one) in told.items() if n != "1"),
        told,
    )
    judge_ends(tally, [one for _, one in told.values()], channel)
    within = [span for span, _ in told.values() if span.parent_span_id]
    tally.check(
        "a parent is what the agent sent",
        [(s.name, s.trace_id.hex(), s.parent_span_id.hex()) for s in within]
        == [("tools/list", AGENT[3:35], AGENT[36:52])],
        within,
    )


def judge_traces(tally, spans, names, bridge, sent, channel, session):
    trail = bridge.trail()
    of_agents = [s for s in spans if s.kind == Span.SPAN_KIND_SERVER]
    servers = {call: s for s in of_agents if (call := attributes(s).get("tollbridge.call"))}
    judge_others(tally, [s for s in of_agents if s not in servers.values()], channel, session)
    clients = [s for s in spans if s.kind == Span.SPAN_KIND_CLIENT]
    of_tokens = [s for s in clients if attributes(s)["url.full"].endswith("/token")]
    to_api = [s for s in clients if s not in of_tokens]
    tally.check("each sampled call has a span", len(servers) == 6, spans)
    tally.check("each of their requests has one", len(to_api) == 6, to_api)
    tally.check("a request for a token has one", [s.name for s in of_tokens] == ["POST"], of_tokens)
    tally.check("ids are as long as they are", all(len(s.trace_id) == 16 and len(s.span_id) == 8 for s in spans), spans)
    tally.check("no two are one", len({s.span_id for s in spans}) == len(spans), spans)
    of_trail = {call["id"]: call.get("trace") for call in trail.values()}
    same = all(of_trail.get(call) == span.trace_id.hex() for call, span in servers.items())
    tally.check("traces are those of the trail", same, of_trail)
    parents = {span.span_id: span for span in servers.values()}
    below = all(
        s.parent_span_id in parents
        and parents[s.parent_span_id].trace_id == s.trace_id
        and parents[s.parent_span_id].start_time_unix_nano <= s.start_time_unix_nano
        and s.end_time_unix_nano <= parents[s.parent_span_id].end_time_unix_nano
        for s in clients
    )
    tally.check("requests are their calls' children, in their time", below, spans)
    passed_on = {f"00-{s.trace_id.hex()}-{s.span_id.hex()}-01" for s in to_api}
    heard = {parent for path, parent in sent if "hidden" not in path}
    tally.check("spans are those that the API was sent", passed_on == heard, (passed_on, heard))
    recorded = {a["span"] for call in trail.values() for a in call["attempts"]}
    tally.check("spans are those on record", {s.span_id.hex() for s in to_api} <= recorded, recorded)
    agents = [s for s in servers.values() if s.trace_id.hex() == AGENT[3:35]]
    remote = SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
    tally.check(
        "a call's parent is what its agent sent",
        len(agents) == 1 and agents[0].parent_span_id.hex() == AGENT[36:52] and agents[0].flags & remote,
        agents,
    )
    roots = [s for s in servers.values() if s not in agents]
    tally.check("the others have none", not any(s.parent_span_id for s in roots), roots)
    keys = set().union(*(attributes(span) for span in spans))
    tally.check("attributes are named", keys - OWN <= names, keys - OWN - names)
    named = {span.name for span in spans}
    wanted = {"tools/call get_thing", "tools/call put_thing", "tools/call get_guarded", "tools/call"}
    wanted |= {"GET", "PUT", "POST"}
    wanted |= {"initialize"} | {name for _, _, name, _ in OTHERS if name}
    tally.check("spans have the names that the conventions give", named == wanted, named)
    failed = sorted(
        (s.name, attributes(s).get("error.type"))
        for s in [*servers.values(), *clients]
        if s.status.code == Status.STATUS_CODE_ERROR
    )
    expected = [
        ("GET", "404"),
        ("GET", "503"),
        ("tools/call", "-32602"),
        ("tools/call get_thing", "tool_error"),
    ]
    tally.check("what failed says how", failed == expected, failed)
    told = [attributes(span) for span in spans]
    resent = [one["http.request.resend_count"] for one in told if "http.request.resend_count" in one]
    tally.check("a repetition is counted", resent == [1], resent)
    of_calls = [attributes(span) for span in servers.values()]
    judge_ends(tally, of_calls, channel)
    tally.check(
        "calls say their message",
        {one["jsonrpc.request.id"] for one in of_calls} == {"10", "11", "12", "13", "15", "16"}
        and {one["mcp.protocol.version"] for one in of_calls} == {"2025-11-25"}
        and {one.get("mcp.session.id") for one in of_calls} == {session}
        and {one["network.transport"] for one in of_calls} == {channel},
        of_calls,
    )


def judge(tally, binary, protocol, compression, way, names):
    print(f"-- {protocol}, {compression}, {way.__name__.replace('_', ' ')}", flush=True)
    upstream, collector = serving(Upstream), serving(Collector)
    collector.busy = {"/v1/traces": 1, "/v1/metrics": 1}
    with tempfile.TemporaryDirectory() as folder:
        ports = upstream.server_address[1], collector.server_address[1]
        bridge = Bridge(binary, folder, *ports, protocol, compression)
        status, took, session = way(bridge)
        tally.check("the server ends well, and soon", status == 0 and took < 10, (status, took))
        requests = {path: [] for path in TYPES}
        for path, headers, kind, body in list(collector.seen):
            try:
                requests[path].append(decoded(path, kind, body))
            except Exception as error:
                tally.check(f"{path} is what it should be", False, f"{error!r}: {body[:300]}")
        for path, made in requests.items():
            tally.check(f"{path} is read", len(made) > 0, collector.seen)
        asked = all(h.get("authorization") == f"Bearer {TOKEN}" for _, h, _, _ in collector.seen)
        tally.check("requests have the header", asked, collector.seen)
        how = {h.get("content-encoding", "none") for _, h, _, _ in collector.seen}
        tally.check("they are compressed as was asked for", how == {compression}, how)
        tally.check("a busy collector is asked again", set(collector.busy.values()) == {0}, collector.busy)
        whole = b"".join(body for _, _, _, body in collector.seen)
        secrets = [TOKEN, CLIENT_SECRET, ACCESS_TOKEN, bridge.api_key, ARGUMENT, "not to be told", "no_such_tool", "made/up", "hidden"]
        told = [secret for secret in secrets if secret.encode() in whole]
        tally.check("nothing is told that is not to be", not told, told)
        resources = [attributes(r.resource) for m in requests["/v1/traces"] for r in m.resource_spans]
        about = {"service.name": "judged", "deployment.environment.name": "judge"}
        tally.check("the resource is named", resources and about.items() <= resources[0].items(), resources)
        channel = "pipe" if way is over_stdio else "tcp"
        if requests["/v1/metrics"]:
            judge_metrics(tally, requests["/v1/metrics"], names, channel)
        spans = list(spans_of(requests["/v1/traces"]))
        if spans:
            judge_traces(tally, spans, names, bridge, upstream.seen, channel, session)
    upstream.shutdown()
    collector.shutdown()


def main():
    binary, smoke = sys.argv[1], "--smoke" in sys.argv
    tally, names = Tally(), known_names()
    ways = [("http/protobuf", "gzip", over_stdio), ("http/json", "none", over_http)]
    if not smoke:
        ways += [("http/json", "gzip", over_stdio), ("http/protobuf", "none", over_http)]
    for protocol, compression, way in ways:
        judge(tally, binary, protocol, compression, way, names)
    tally.end()


if __name__ == "__main__":
    main()
