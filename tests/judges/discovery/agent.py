"""An agent that is told what to do in words, and finds how by itself.

    agent.py TOLLBRIDGE CONFIG NODE TOKENS_MJS PROJECT

It has no model: what it does with a task is written down here, and it is what a model would do at
its most literal. It searches for the task's own words, and where what it wants is not among the ten
results once more in other words (where it is not then either, it has failed); has it described, and
invokes it with the arguments of the task. A call that is held is approved by a person, at the command
line, and made again.
"""

import asyncio
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from judge import Tally, causes  # noqa: E402
from mcp import Client, StdioServerParameters  # noqa: E402

BINARY, CONFIG, NODE, TOKENS, PROJECT = sys.argv[1:6]
META = ["search_operations", "describe_operations", "invoke_operation"]

LOCAL = {"server_id": "localhost"}
ZONE = LOCAL | {"zone_id": "found.test."}




# What is wanted in words, and in other words; the operation that does it, its arguments, and what the answer must say.
ORDERS = [
    ("see all orders of customer cus_2001|list orders", "listOrders", {"customer_id": "cus_2001"}, "ord_1002"),
    ("look up the details of an order", "getOrder", {"order_id": "ord_1001"}, "delivered"),
    ("which articles are in this order", "listOrderLines", {"order_id": "ord_1004"}, "BWL-300"),
    ("refund part of the money for an order", "createRefund",
     {"order_id": "ord_1001", "body": {"amount": 34.5, "currency": "EUR", "reason": "damaged"}}, "ref_"),
    ("what was refunded for an order so far", "listRefunds", {"order_id": "ord_1001"}, "34.5"),
    ("cancel an order that was entered twice", "cancelOrder",
     {"order_id": "ord_1003", "body": {"reason": "entered_twice"}}, "cancelled"),
    ("who is this customer", "getCustomer", {"customer_id": "cus_2002"}, "Harbour Hotel"),
    ("how many pieces of an article are in stock", "getStock", {"sku": "KNI-110"}, "leeds"),
    ("how much of an article will be sold in the next weeks", "getDemandForecast",
     {"sku": "PAN-024", "weeks": 6}, "PAN-024"),
    ("where is the parcel now|track a shipment", "getShipment", {"shipment_id": "shp_3002"}, "in_transit"),
]
POWERDNS = [
    ("create a new DNS zone", "createZone",
     LOCAL | {"body": {"name": "found.test.", "kind": "Native", "nameservers": ["ns1.found.test."]}}, "found.test."),
    ("list the zones of the server", "listZones", LOCAL, "found.test."),
    ("add an A record to a zone", "patchZone",
     ZONE | {"body": {"rrsets": [{"name": "www.found.test.", "type": "A", "ttl": 300, "changetype": "REPLACE",
                                  "records": [{"content": "192.0.2.9", "disabled": False}]}]}}, ""),
    ("find every record that contains www", "searchData", LOCAL | {"q": "www*", "max": 10}, "192.0.2.9"),
    ("show one zone with its records", "listZone", ZONE, "192.0.2.9"),
    ("export a zone as a zone file", "axfrExportZone", ZONE, "192.0.2.9"),
    ("which metadata does a zone have", "listMetadata", ZONE, ""),
    ("query statistics of the name server", "getStats", LOCAL, "uptime"),
    ("add a TSIG key", "createTSIGKey", LOCAL | {"body": {"name": "found", "algorithm": "hmac-sha256"}}, "found"),
    ("remove a zone and everything in it", "deleteZone", ZONE, ""),
]

tally = Tally()

rows = []


def tollbridge(*words):
    command = [BINARY, *words, "--config", CONFIG]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def tokens(all_texts):
    done = subprocess.run(
        [NODE, TOKENS, PROJECT], input=json.dumps(all_texts), capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


def text_of(result):
    return "\n".join(block.text for block in result.content if getattr(block, "text", None) is not None)


def told(result, name):
    """What a search or a description says."""
    return (result.structured_content or {}).get(name) or text_of(result)


async def do(client, api, words, operation, arguments, said):
    """One task: what it took, and why it failed, where it did."""
    wanted, calls, read = f"{api}/{operation}", 0, {"search": [], "describe": [], "invoke": []}

    async def call(kind, tool, given):
        nonlocal calls
        calls += 1
        result = await client.call_tool(tool, given)
        read[kind] += [json.dumps(given), text_of(result)]
        return result

    words, *others = words.split("|")
    row = {"task": words, "operation": wanted, "rank": None, "calls": 0, "failure": ""}
    for query in [words, *others]:
        found = await call("search", META[0], {"query": query, "limit": 10})
        ids = [line.split("(", 1)[0] for line in told(found, "results").splitlines()[1:]]
        row["rank"] = ids.index(wanted) + 1 if wanted in ids else None
        row["searches"] = row.get("searches", 0) + 1
        if row["rank"]:
            break
    if row["rank"] is None:
        row["failure"] = "not among the ten results"
    else:
        described = await call("describe", META[1], {"ids": [wanted]})
        if described.is_error or any(name not in told(described, "operations") for name in arguments):
            row["failure"] = "its description does not name its arguments"
        invocation = {"id": wanted, "arguments": arguments}
        result = await call("invoke", META[2], invocation)
        error = (result.structured_content or {}).get("error", {}) if result.is_error else {}
        row["held"] = error.get("code") == "held"
        if row["held"]:
            approved = tollbridge("approve", (error.get("hold") or {}).get("id", "none"))
            if approved.returncode != 0:
                row["failure"] = approved.stderr
            result = await call("invoke", META[2], invocation)
        if result.is_error:
            row["failure"] = text_of(result)
        elif said not in text_of(result) + json.dumps(result.structured_content):
            row["failure"] = f"the answer does not say {said}: {text_of(result)}"
    row["calls"], row["texts"] = calls, {kind: "\n".join(all_texts) for kind, all_texts in read.items()}
    rows.append(row)
    tally.check(f"{api}: {words}", not row["failure"], row["failure"])


async def day(apis):
    server = StdioServerParameters(
        command=BINARY, args=["serve", "--config", CONFIG],
        env={"PDNS_KEY": "pdns-key-for-tests", "NO_COLOR": "1"},
    )
    async with Client(server, read_timeout_seconds=30) as client:
        listed = (await client.list_tools()).tools
        names = sorted(tool.name for tool in listed)
        tally.check("three tools more, and no others", names == sorted([*META, "get_order"]), names)
        meta = [tool.model_dump_json(by_alias=True, exclude_none=True) for tool in listed if tool.name in META]
        about = await client.call_tool(META[0], {"query": ""})
        tally.check("an empty search tells of the APIs", all(api in text_of(about) for api in apis), text_of(about))
        for api, tasks in apis.items():
            for words, operation, arguments, said in tasks:
                await do(client, api, words, operation, arguments, said)
        nothing = await client.call_tool(META[2], {"id": "orders/dropTables", "arguments": {}})
        tally.check("what is not there cannot be invoked", nothing.is_error, text_of(nothing))
        again = sorted(tool.name for tool in (await client.list_tools()).tools)
        tally.check("the list of tools is as it was", again == names, again)
    return meta


def table(meta):
    counted = tokens(meta)
    print(f"\nthe three tools: {sum(counted)} tokens")
    tally.check("they cost fewer than 1,200 tokens", sum(counted) < 1_200, counted)
    kinds = ["search", "describe", "invoke"]
    flat = tokens([row["texts"][kind] for row in rows for kind in kinds])
    print(f"\n{'task':55} {'operation':30} rank searches calls  search describe invoke  failure")
    for n, row in enumerate(rows):
        row["tokens"] = dict(zip(kinds, flat[3 * n : 3 * n + 3]))
        held = " held" if row.get("held") else ""
        print(
            f"{row['task'][:55]:55} {row['operation'][:30]:30} {row['rank'] or '-':>4} {row['searches']:8} {row['calls']:5}"
            f" {row['tokens']['search']:7} {row['tokens']['describe']:8} {row['tokens']['invoke']:6}"
            f"  {row['failure'][:60] or 'none'}{held}"
        )
    done = [row for row in rows if not row["failure"]]
    total = sum(sum(row["tokens"].values()) for row in rows)
    print(f"\n{len(done)} of {len(rows)} tasks done, {sum(row['calls'] for row in rows)} calls, {total} tokens")
    longest = max(row["tokens"]["search"] // row["searches"] for row in rows)
    tally.check("a search of ten costs fewer than 600 tokens, the question included", longest < 600, longest)


def trail():
    """Each call is on record under the operation's own name, each search with what it showed."""
    done = tollbridge("trace", "--json", "--limit", "1000")
    calls = json.loads(done.stdout)["calls"]
    tools = [call["tool"] for call in calls]
    invoked = [row for row in rows if row["rank"]]
    expected = sum(row["calls"] - row["searches"] - 1 for row in invoked)
    own = [tool for tool in tools if tool not in META]
    tally.check("what was invoked is on record under its own name", len(own) >= expected, (len(own), expected))
    tally.check("and never under the tool's that invoked it", META[2] not in tools, tools)
    searches = 1 + sum(row["searches"] for row in rows)
    tally.check("searches are on record", tools.count(META[0]) == searches, (tools.count(META[0]), searches))
    verified = tollbridge("trace", "verify")
    tally.check("the trail verifies", verified.returncode == 0, verified.stderr)


def main():
    apis = {"orders": ORDERS}
    if "[api.powerdns]" in pathlib.Path(CONFIG).read_text():
        apis["powerdns"] = POWERDNS
    else:
        tally.cannot("the tasks of PowerDNS", "its packages are not installed")
    try:
        meta = asyncio.run(day(apis))
        table(meta)
        trail()
    except Exception as error:  # noqa: BLE001: whatever it is, it is reported
        tally.check("the day ends", False, causes(error))
    tally.end()


main()
