"""A zone's life in PowerDNS: each step over MCP, then the same request by curl.

    client.py WHERE TOLLBRIDGE CONFIG API

WHERE is what the bridge is in front of, API is PowerDNS itself.
"""

import asyncio
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from judge import Tally, causes  # noqa: E402
from mcp import Client, StdioServerParameters  # noqa: E402

WHERE, BINARY, CONFIG, API = sys.argv[1:5]
KEY = os.environ["PDNS_KEY"]
TOOLS = {"list_zones", "create_zone", "list_zone", "patch_zone", "delete_zone", "search_data"}
ZONES = "/servers/localhost/zones"

tally = Tally()
made = []  # tool and outcome of every call, as the trail should have them


def check(what, holds, why=""):
    tally.check(f"{WHERE}: {what}", holds, why)


def curl(method, path, body=None):
    """The same request without tollbridge: status and value."""
    command = ["curl", "-s", "-m", "10", "-X", method, "-H", f"X-API-Key: {KEY}"]
    command += ["-w", "\n%{http_code}", f"{API}{path}"]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "--data", json.dumps(body)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=15, check=True).stdout
    text, _, status = out.rpartition("\n")
    try:
        return int(status), json.loads(text)
    except json.JSONDecodeError:
        return int(status), text


def tollbridge(*words):
    command = [BINARY, *words, "--config", CONFIG]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def new_zone(name):
    return {"name": name, "kind": "Native", "nameservers": [f"ns1.{name}"]}


def records(name, *addresses):
    return {
        "rrsets": [
            {
                "name": f"www.{name}",
                "type": "A",
                "ttl": 300,
                "changetype": "REPLACE",
                "records": [{"content": address, "disabled": False} for address in addresses],
            }
        ]
    }


def renamed(value, old, new):
    """The value with one zone's name for another's, in the order of neither."""
    value = json.loads(json.dumps(value).replace(old, new))
    if isinstance(value, dict) and "rrsets" in value:
        value["rrsets"].sort(key=lambda rrset: (rrset["name"], rrset["type"]))
    return value


async def day():
    ours, theirs = "bridge.test.", "direct.test."
    server = StdioServerParameters(
        command=BINARY, args=["serve", "--config", CONFIG], env={"PDNS_KEY": KEY, "NO_COLOR": "1"}
    )
    async with Client(server, read_timeout_seconds=30) as client:

        async def call(tool, **arguments):
            result = await client.call_tool(tool, {"server_id": "localhost", **arguments})
            error = (result.structured_content or {}).get("error", {}) if result.is_error else {}
            made.append((tool, error.get("code", "succeeded")))
            status = ((result.meta or {}).get("tollbridge/call") or {}).get("status")
            return result, status

        names = {tool.name for tool in (await client.list_tools()).tools}
        check("six operations are tools", names == TOOLS, names)

        result, status = await call("create_zone", body=new_zone(ours))
        direct_status, direct = curl("POST", ZONES, new_zone(theirs))
        check("create: the status is curl's", status == direct_status == 201, (status, result))
        check(
            "create: the answer is curl's",
            renamed(result.structured_content, ours, theirs) == renamed(direct, "", ""),
            (result.structured_content, direct),
        )

        result, status = await call("patch_zone", zone_id=ours, body=records(ours, "192.0.2.1", "192.0.2.2"))
        direct_status, _ = curl("PATCH", f"{ZONES}/{theirs}", records(theirs, "192.0.2.1", "192.0.2.2"))
        check("patch: the status is curl's", status == direct_status == 204, (status, result))
        check("patch: an empty answer is {}", result.structured_content == {}, result)

        result, status = await call("list_zone", zone_id=ours)
        zone = result.structured_content
        direct_status, direct = curl("GET", f"{ZONES}/{ours}")
        check("read: curl reads what MCP wrote", direct_status == status == 200, (status, direct))
        check("read: the answer is curl's", zone == direct, (zone, direct))
        addresses = [
            record["content"]
            for rrset in (zone or {}).get("rrsets", [])
            if rrset["type"] == "A"
            for record in rrset["records"]
        ]
        check("read: the patch is in it", sorted(addresses) == ["192.0.2.1", "192.0.2.2"], addresses)
        _, other = curl("GET", f"{ZONES}/{theirs}")
        check(
            "read: the zone is the one that curl made",
            renamed(zone, ours, theirs) == renamed(other, "", ""),
            (zone, other),
        )

        result, _ = await call("list_zones")
        _, direct = curl("GET", ZONES)
        check(
            "list: the answer is curl's, wrapped",
            result.structured_content == {"result": direct},
            (result.structured_content, direct),
        )
        result, _ = await call("list_zones", zone=ours)
        _, direct = curl("GET", f"{ZONES}?zone={ours}")
        found = (result.structured_content or {}).get("result")
        check("list: a query parameter reaches it", found == direct and len(direct) == 1, (found, direct))

        result, _ = await call("search_data", q="www*", max=10)
        _, direct = curl("GET", "/servers/localhost/search-data?q=www*&max=10")
        check(
            "search: the answer is curl's",
            result.structured_content == {"result": direct} and len(direct) > 0,
            (result, direct),
        )

        result, _ = await call("list_zone", zone_id="../../config")
        answer = json.dumps(result.structured_content)
        check("a path in an argument stays in its segment", result.is_error, answer)

        result, _ = await call("list_zone")
        error = result.structured_content["error"]
        pointed = error["code"] == "invalid_arguments" and error.get("violations")
        check("a missing argument is refused before it is sent", bool(pointed), error)

        result, _ = await call("delete_zone", zone_id=ours)
        error = (result.structured_content or {}).get("error", {})
        check("delete: it is held for a person", error.get("code") == "held", result)
        still, _ = curl("GET", f"{ZONES}/{ours}")
        check("delete: the held call did nothing", still == 200, still)
        approved = tollbridge("approve", (error.get("hold") or {}).get("id", "none"))
        check("delete: approve exits 0", approved.returncode == 0, approved.stderr)
        result, status = await call("delete_zone", zone_id=ours)
        direct_status, _ = curl("DELETE", f"{ZONES}/{theirs}")
        check("delete: the status is curl's", status == direct_status == 204, (status, result))

        result, status = await call("list_zone", zone_id=ours)
        error = (result.structured_content or {}).get("error", {})
        direct_status, _ = curl("GET", f"{ZONES}/{ours}")
        said = error.get("upstream", {}).get("status")
        check(
            "gone: the refusal is the upstream's own",
            result.is_error and error.get("code") == "upstream_error" and said == direct_status,
            (error, direct_status),
        )
        _, left = curl("GET", ZONES)
        check("gone: no zone is left", left == [], left)


def trail():
    done = tollbridge("trace", "--json")
    check("trace --json exits 0", done.returncode == 0, done.stderr)
    calls = json.loads(done.stdout)["calls"]
    kept = [(call["tool"], call["outcome"]) for call in calls]
    check("the trail has every call, in order", kept == made, (kept, made))
    wrote = [call for call in calls if call["tool"] == "patch_zone"]
    attempts = [attempt["status"] for call in wrote for attempt in call["attempts"]]
    check("the trail has the attempt's status", attempts == [204], wrote)
    check("the key is nowhere in the trail", KEY not in done.stdout, "it is")


def main():
    try:
        asyncio.run(day())
        trail()
    except Exception as error:  # noqa: BLE001: whatever it is, it is reported
        check("the day ends", False, causes(error))
    tally.end()


main()
