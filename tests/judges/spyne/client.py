"""A depot of spyne's before the bridge.

python client.py TOLLBRIDGE [--smoke]
"""

import asyncio
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE.parent / "soap"))

from bridge import Refused, Server, bridge, free_port  # noqa: E402
from compare import same  # noqa: E402
from judge import Tally  # noqa: E402
from made import Made, Unable  # noqa: E402

BINARY, SMOKE = sys.argv[1], "--smoke" in sys.argv
ITEM = {
    "id": "A-1",
    "name": "Nägel & <Schrauben>",
    "unit": "kg",
    "stock": "123456789012345678901234",
    "active": True,
}
FULL = {
    **ITEM,
    "price": {"#text": "19.90", "@currency": "EUR"},
    "weight": 2.5,
    "since": "2026-11-25",
    "changed": "2026-11-25T10:00:00.25",
    "opens": "08:30:00",
    "photo": "AAEC/w==",
    "size": {"width": "1.20", "height": None, "@measure": "m"},
    "tags": {"string": ["a", " b ", ""]},
    "aliases": ["x", "y"],
}
PERISHABLE = {"@type": "Perishable", **ITEM, "best_before": "2026-12-24"}
MACHINE = {"@type": "Machine", **FULL, "watts": 750, "parts": {"Item": [ITEM, PERISHABLE]}}


def spared(value, key=None):
    """A value without what spyne 2.14.0 itself answers wrongly.

    It writes `nan` and `inf` for xs:double, drops the zones of dates and times, and calculates
    durations of years and months into days.
    """
    if isinstance(value, dict):
        return {name: spared(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [spared(one, key) for one in value]
    plain = {
        "weight": 2.5,
        "since": "2026-11-25",
        "best_before": "2026-11-25",
        "opens": "08:30:00",
        "shelf_life": "P1DT2H",
    }
    return value if value is None else plain.get(key, value)


async def fixed(tally, version, description, name):
    """A header block that the configuration fixes, by its name or by that with its namespace."""
    what = f"{version}: a fixed header {name} arrives"
    more = f'soap_headers = {{ "{name}" = {{ token = "env:DEPOT_SECRET" }} }}'
    try:
        async with bridge(BINARY, description, more=more) as call:
            got = await call("whoami", {})
            # It comes back, and what comes back of a secret is hidden.
            tally.check(what, got.value == {"WhoamiResult": "[redacted]"}, got)
    except Refused as error:
        tally.check(what, False, error)


async def scenario(tally, version):
    port = free_port()
    command = [sys.executable, str(HERE.parent / "soap" / "servers" / "spyne_depot.py"), str(port), version]
    with Server(command, port) as server:
        async with bridge(BINARY, f"http://127.0.0.1:{port}/?wsdl") as call:

            def check(what, holds, why):
                tally.check(f"{version}: {what}", holds, why)

            async def echoed(what, items):
                got = await call("store", {"item": items})
                back = ((got.value or {}).get("StoreResult") or {}).get("Item")
                check(what, same(items, back, lossy=True) and not got.drift, got)

            await echoed("what must be there comes back", [ITEM])
            await echoed("nil comes back", [{**ITEM, "active": None}])
            await echoed("everything comes back", [FULL])
            await echoed("a derived type comes back as one", [PERISHABLE, ITEM])
            await echoed("derived types within one come back", [MACHINE])
            got = await call("divide", {"a": "100000000000000000007", "b": 10})
            check(
                "several results come back",
                got.value == {"quotient": "10000000000000000000", "rest": "7"},
                got,
            )
            got = await call("nothing", {})
            check("an empty answer is one", not got.error and got.value in ({}, {"NothingResult": None}), got)
            got = await call("find", {"id": "X-9"})
            detail = {"asked": "X-9", "closest": ["A-1", "B-2"]}
            code = (got.fault or {}).get("code")
            check(
                "a fault comes with its reason",
                (got.fault or {}).get("reason") == "no item X-9 & no more",
                got,
            )
            check("and its code", code == {"1.1": "Client.Missing", "1.2": "Sender"}[version], got)
            check("and what it has beside a detail", (got.fault or {}).get("detail") == detail, got)
            if version == "1.1":
                got = await call("break", {"why": "<é>"})
                check(
                    "a fault's detail comes as it is",
                    (got.fault or {}).get("detail") == {"why": "<é>", "where": {"line": "7"}},
                    got,
                )
            else:
                tally.cannot(
                    f"{version}: a fault's detail",
                    "spyne 2.14.0 itself fails where it writes one of SOAP 1.2",
                )
            got = await call("whoami", {"headers": {"Session": {"token": "é<&>"}}})
            check("a header block arrives", got.value == {"WhoamiResult": "é<&>"}, got)
            got = await call("store", {"item": [{**ITEM, "unit": "mile"}]})
            check(
                "what the schema refuses is not sent",
                (got.error or {}).get("code") == "invalid_arguments",
                got,
            )

            schema = call.tools["store"].input_schema
            sent = wrong = 0
            for fill, seed in [
                ("least", 0),
                ("most", 0),
                *[("random", n) for n in range(10 if SMOKE else 200)],
            ]:
                try:
                    arguments = spared(Made(schema, f"spyne {seed}", fill).value(schema))
                except Unable:
                    continue
                got = await call("store", arguments)
                if (got.error or {}).get("code") == "invalid_arguments":
                    continue
                sent += 1
                back = ((got.value or {}).get("StoreResult") or {}).get("Item")
                if not same(arguments["item"], back, lossy=True) or got.drift:
                    wrong += 1
                    if wrong < 4:
                        print(
                            f"        {json.dumps(arguments, ensure_ascii=False)[:900]}\n            {str(got)[:1200]}",
                            flush=True,
                        )
            check(
                f"{sent} made-up requests pass its validator and come back",
                sent > 5 and not wrong,
                f"{wrong} do not",
            )
        for name in ("Session", "{urn:depot}Session"):
            await fixed(tally, version, f"http://127.0.0.1:{port}/?wsdl", name)
        if server.process.poll() is not None:
            check("the server lives", False, server.log()[-500:])


async def main():
    tally = Tally()
    for version in ("1.1", "1.2"):
        await scenario(tally, version)
    tally.end()


asyncio.run(main())
