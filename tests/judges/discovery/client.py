"""Twenty tasks for an agent that has three tools: search, describe, invoke.

    client.py TOLLBRIDGE CONFIG

It is no model: of ten results it knows which one it wants. What it asks is what a person would say.
"""

import asyncio
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import bpe_openai  # noqa: E402
from judge import Tally, causes  # noqa: E402
from mcp import Client, StdioServerParameters  # noqa: E402

BINARY, CONFIG = sys.argv[1:3]
TOOLS = ["search_operations", "describe_operations", "invoke_operation"]
ENCODING = bpe_openai.get_encoding("o200k_base")

tally = Tally()
ZONE = "bridge.test."
SERVER = {"server_id": "localhost"}
HERE = SERVER | {"zone_id": ZONE}
RECORD = {
    "name": f"www.{ZONE}",
    "type": "A",
    "ttl": 300,
    "changetype": "REPLACE",
    "records": [{"content": "192.0.2.1", "disabled": False}],
}

# What is wanted in words, the operation that does it, its arguments, and what must be in the answer.
TASKS = [
    ("create a new dns zone", "powerdns/createZone",
     SERVER | {"body": {"name": ZONE, "kind": "Native", "nameservers": [f"ns1.{ZONE}"]}}, ZONE),
    ("which zones does the server have", "powerdns/listZones", SERVER, ZONE),
    ("show me a zone with all its records", "powerdns/listZone", HERE, "rrsets"),
    ("add an address record to a zone", "powerdns/patchZone", HERE | {"body": {"rrsets": [RECORD]}}, ""),
    ("find records by name", "powerdns/searchData", SERVER | {"q": "www*", "max": 10}, "192.0.2.1"),
    ("which servers are there", "powerdns/listServers", {}, "localhost"),
    ("forget what is cached of a name", "powerdns/cacheFlushByName",
     SERVER | {"domain": f"www.{ZONE}"}, "result"),
    ("set who may transfer a zone, in its metadata", "powerdns/createMetadata",
     HERE | {"body": {"kind": "ALLOW-AXFR-FROM", "metadata": ["127.0.0.1"]}}, ""),
    ("read the metadata of a zone", "powerdns/listMetadata", HERE, "ALLOW-AXFR-FROM"),
    ("export a zone in axfr format", "powerdns/axfrExportZone", HERE, f"www.{ZONE}"),
    ("statistics of the server", "powerdns/getStats", SERVER, "uptime"),
    ("make a tsig key", "powerdns/createTSIGKey",
     SERVER | {"body": {"name": "transfer", "algorithm": "hmac-sha256"}}, "hmac-sha256"),
    ("delete a zone with everything in it", "powerdns/deleteZone", HERE, ""),
    ("which orders are there", "orders/listOrders", {}, "ord_1003"),
    ("look at one order", "orders/getOrder", {"order_id": "ord_1003"}, "placed"),
    ("what was ordered: the lines of an order", "orders/listOrderLines", {"order_id": "ord_1003"}, "BWL-300"),
    ("give a customer money back", "orders/createRefund",
     {"order_id": "ord_1001", "body": {"amount": 5, "currency": "EUR", "reason": "damaged"}}, "EUR"),
    ("how many of an article are in stock", "orders/getStock", {"sku": "BWL-300"}, "BWL-300"),
    ("where is my parcel", "orders/getShipment", {"shipment_id": "shp_3001"}, "shp_3001"),
    ("call off an order", "orders/cancelOrder",
     {"order_id": "ord_1003", "body": {"reason": "customer_request"}}, "cancelled"),
]

# With what words it is tried once more where the first ones do not lead to it.
SAID_OTHERWISE = {
    "orders/getOrder": "read an order",
}


def tokens(text):
    return len(ENCODING.encode(text))


def approve(hold):
    command = [BINARY, "approve", "yes", hold, "--config", CONFIG]
    return subprocess.run(command, capture_output=True, text=True, timeout=30).returncode == 0


class Agent:
    """The client, with what it costs."""

    def __init__(self, client):
        self.client = client
        self.calls = self.read = self.written = 0

    async def call(self, tool, **arguments):
        self.calls += 1
        self.written += tokens(json.dumps(arguments, separators=(",", ":")))
        result = await self.client.call_tool(tool, arguments)
        self.read += sum(tokens(one.text) for one in result.content if one.type == "text")
        return result

    async def do(self, words, wanted, arguments, expected):
        """One task: its row of the table."""
        self.calls = self.read = self.written = 0
        place, searched = await self.search(words, wanted)
        if place is None and wanted in SAID_OTHERWISE:
            words = SAID_OTHERWISE[wanted]
            place, more = await self.search(words, wanted)
            searched = max(searched, more)
        if place is None:
            return self.row(words, wanted, place, searched, "not found")
        told = (await self.call("describe_operations", ids=[wanted])).structured_content["operations"]
        missing = [name for name in arguments if name not in told]
        if missing:
            return self.row(words, wanted, place, searched, f"not described: {missing}")
        result = await self.call("invoke_operation", id=wanted, arguments=arguments)
        error = (result.structured_content or {}).get("error", {}) if result.is_error else {}
        held = error.get("code") == "held"
        writes = " read" not in told.splitlines()[0]
        if held != writes:
            return self.row(words, wanted, place, searched, f"held: {held}, writes: {writes}")
        if held:
            if not approve(error["hold"]["id"]):
                return self.row(words, wanted, place, searched, "it could not be approved")
            result = await self.call("invoke_operation", id=wanted, arguments=arguments)
        answer = json.dumps(result.structured_content)
        if result.is_error or expected not in answer:
            return self.row(words, wanted, place, searched, answer[:300])
        return self.row(words, wanted, place, searched, "")

    async def search(self, words, wanted):
        """At which place it stands, and what it cost to read that."""
        before = self.read
        found = (await self.call("search_operations", query=words)).structured_content["results"]
        ids = [line.split("(")[0] for line in found.splitlines()[1:]]
        return (ids.index(wanted) + 1 if wanted in ids else None), self.read - before

    def row(self, words, wanted, place, searched, failure):
        return words, wanted, place, self.calls, searched, self.read, self.written, failure


async def day():
    env = {"PDNS_KEY": os.environ["PDNS_KEY"], "NO_COLOR": "1"}
    server = StdioServerParameters(command=BINARY, args=["serve", "--config", CONFIG], env=env)
    async with Client(server, read_timeout_seconds=30) as client:
        listed = (await client.list_tools()).tools
        names = [tool.name for tool in listed]
        tally.check("three tools are listed, whatever the APIs", names == TOOLS, names)
        cost = sum(tokens(tool.model_dump_json(by_alias=True, exclude_none=True)) for tool in listed)
        tally.check(f"they cost {cost} tokens", cost < 1200, cost)
        agent = Agent(client)
        apis = (await agent.call("search_operations")).structured_content["results"]
        tally.check("it learns which APIs there are", "powerdns (" in apis and "orders (" in apis, apis)
        rows = [await agent.do(*task) for task in TASKS]
        after = [tool.name for tool in (await client.list_tools()).tools]
        tally.check("the list is what it was", after == names, after)
        hidden = await agent.call("invoke_operation", id="orders/doesNotExist", arguments={})
        tally.check("what is not there is said to be wrong", hidden.is_error, hidden)

    print("| task | operation | place | calls | tokens of the search | read in all | written |")
    print("|---|---|---|---|---|---|---|")
    for words, wanted, place, calls, searched, read, written, _ in rows:
        print(f"| {words} | `{wanted}` | {place or '–'} | {calls} | {searched} | {read} | {written} |")
    for words, wanted, _, _, searched, _, _, failure in rows:
        tally.check(f"{words}: {wanted}", not failure, failure)
        tally.check(f"{words}: ten results in 600 tokens", searched < 600, searched)
    first = sum(row[2] == 1 for row in rows)
    print(f"{first} of {len(rows)} operations stood first, {sum((row[2] or 99) <= 5 for row in rows)} among five")
    sums = [sum(row[at] for row in rows) for at in (3, 5, 6)]
    print(f"{sums[0]} calls, {sums[1]} tokens read and {sums[2]} written, for {len(rows)} tasks")

    command = [BINARY, "trace", "--json", "--limit", "1000", "--config", CONFIG]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    tools = {call["tool"] for call in json.loads(done.stdout)["calls"]}
    own = {wanted for _, wanted, *_ in rows} | {"search_operations", "describe_operations"}
    tally.check("each call is on record under its operation's own id", own <= tools, own - tools)
    tally.check("none is on record as an invocation", "invoke_operation" not in tools, tools)


try:
    asyncio.run(day())
except Exception as error:  # noqa: BLE001
    tally.check("the day goes to its end", False, causes(error))
tally.end()
