"""What a server of the depots (services/depot.wsdl, services/depot-encoded.wsdl) is put through."""

import json

from compare import same
from made import Made, Unable

ITEM = {"id": "Nägel & <Schrauben>", "unit": "kg", "stock": 7, "active": True}
FULL = {
    **ITEM,
    "price": {"#text": "19.90", "@currency": "EUR"},
    "weight": 2.5,
    "since": "2026-11-25",
    "changed": "2026-11-25T10:00:00Z",
    "photo": "AAEC/w==",
    "size": {"width": "1.20", "@measure": "m"},
    "tag": ["a", "b c", "]]>"],
    "@lang": "de",
}
PERISHABLE = {"@type": "Perishable", **ITEM, "bestBefore": "2026-12-24"}
MACHINE = {"@type": "Machine", **FULL, "watts": 750, "part": [PERISHABLE, ITEM]}

OLD = {"id": "A & <B>", "unit": "kg", "stock": -1, "active": None}
OLD_FULL = {
    **OLD,
    "active": False,
    "price": "19.9",
    "changed": "2026-11-25T10:00:00Z",
    "photo": "AAEC/w==",
    "tags": ["a", "", "c"],
}


async def made_up(check, call, tool, sent_as, read, draws, spared, nils=True):
    """Arguments from the tool's own schema, each of which must come back."""
    schema = call.tools[tool].input_schema
    sent = wrong = 0
    for fill, seed in [("least", 0), ("most", 0), *[("random", n) for n in range(draws)]]:
        try:
            arguments = spared(Made(schema, f"{tool} {seed}", fill).value(schema))
        except Unable:
            continue
        got = await call(tool, arguments)
        if (got.error or {}).get("code") == "invalid_arguments":
            continue
        sent += 1
        if not same(sent_as(arguments), read(got.value or {}), lossy=True) or not unhurt(got, nils):
            wrong += 1
            if wrong < 4:
                print(
                    f"        {json.dumps(arguments, ensure_ascii=False)[:900]}\n            {str(got)[:1200]}",
                    flush=True,
                )
    check(f"{sent} made-up requests of {tool} come back", sent > 3 and not wrong, f"{wrong} do not")


def unhurt(got, nils):
    """Whether an answer keeps to its schema, but for nil where a server leaves it out."""
    return not got.drift or not nils and all("active" in json.dumps(one) for one in got.drift)


async def literal(tally, call, who, draws, spared=lambda value: value, nils=True):
    def check(what, holds, why):
        tally.check(f"{who}: {what}", holds, why)

    async def echoed(what, items):
        got = await call("store", {"item": items, "note": "é"})
        expected = {"count": len(items), "item": items, "note": "é"}
        check(what, same(expected, got.value) and not got.drift, got)

    await echoed("what must be there comes back", [ITEM])
    if nils:
        await echoed("nil comes back", [{**ITEM, "active": None}])
    await echoed("everything comes back", [FULL, ITEM])
    await echoed("derived types come back, within one another", [PERISHABLE, MACHINE])
    got = await call("find", {"id": "X"})
    fault = got.fault or {}
    check("a fault comes with its reason", fault.get("reason") == "no item X & no more", got)
    check("and its code", fault.get("code") in ("Client", "Sender"), got)
    check(
        "and its detail", fault.get("detail") == {"Missing": {"asked": "X", "closest": ["A-1", "B-2"]}}, got
    )
    got = await call("whoami", {"headers": {"Session": {"token": "é<&>"}}})
    check("a header block arrives", got.value == {"name": "é<&>"}, got)
    await made_up(
        check, call, "store", lambda sent: sent["item"], lambda value: value.get("item"), draws, spared, nils
    )


async def encoded(tally, call, who, draws, spared=lambda value: value):
    def check(what, holds, why):
        tally.check(f"{who}: {what}", holds, why)

    def result(got):
        value = got.value
        return value.get("return", value.get("result", value)) if isinstance(value, dict) else value

    for what, items in [
        ("an array of structs", [OLD, OLD_FULL]),
        ("an empty array", []),
        ("an array of one", [OLD]),
    ]:
        got = await call("store", {"items": items, "note": "é"})
        check(f"{what} comes back", same(items, result(got)) and not got.drift, got)
    box = {"label": "x", "first": OLD_FULL, "rest": [OLD, OLD]}
    got = await call("pack", {"box": box})
    check("arrays within structs come back", same(box, result(got)) and not got.drift, got)
    got = await call("sum", {"a": 2, "b": 0.5})
    check("simple parts arrive by their types", same(2.5, result(got)), got)
    got = await call("twin", {"item": OLD_FULL})
    check(
        "what is referred to twice comes twice",
        same([OLD_FULL, OLD_FULL], result(got)) and not got.drift,
        got,
    )
    got = await call("fail", {"why": "no <é>"})
    fault = got.fault or {}
    check(
        "a fault comes with its reason and detail",
        fault.get("reason") == "no <é>" and "no <é>" in json.dumps(fault.get("detail"), ensure_ascii=False),
        got,
    )
    await made_up(
        check,
        call,
        "store",
        lambda sent: sent["items"],
        lambda value: value.get("return", value.get("result", value)) if isinstance(value, dict) else value,
        draws,
        spared,
    )


async def rpc(tally, call, who, draws, spared=lambda value: value):
    def check(what, holds, why):
        tally.check(f"{who}: {what}", holds, why)

    items = {
        "item": [
            {"id": "a & <b>", "stock": 1, "tag": ["x", "y"], "@lang": "de"},
            {"id": "", "stock": -2, "since": "2026-11-25"},
        ]
    }
    got = await call("store", {"items": items, "note": "é"})
    check(
        "parts of complex types come back",
        same({"items": items, "count": 2}, got.value) and not got.drift,
        got,
    )
    got = await call("sum", {"a": 2, "b": "0.5"})
    value = got.value
    value = value.get("result", value.get("sum")) if isinstance(value, dict) else value
    check("simple parts arrive by their types", same("2.5", value) and not got.drift, got)
    await made_up(
        check, call, "store", lambda sent: sent["items"], lambda value: value.get("items"), draws, spared
    )
