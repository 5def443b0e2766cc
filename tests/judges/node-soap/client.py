"""The depot of node's before the bridge.

python client.py TOLLBRIDGE NODE NODE_MODULES [--smoke]
"""

import asyncio
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE.parent / "soap"))

from bridge import ENV, Refused, Server, bridge, free_port  # noqa: E402
from depot import literal  # noqa: E402
from judge import Tally  # noqa: E402

BINARY, NODE, MODULES = sys.argv[1:4]
SMOKE = "--smoke" in sys.argv
SOAP = HERE.parent / "soap"


def spared(value, key=None):
    """A value without what a server in JavaScript gives back otherwise.

    Its dates are instants in UTC, of milliseconds; decimals are floating point; and the package
    leaves out nil.
    """
    if isinstance(value, dict):
        return {name: spared(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [spared(one, key) for one in value]
    plain = {
        "changed": "2026-11-25T10:00:00Z",
        "since": "2026-11-25",
        "bestBefore": "2026-11-25",
        "weight": 2.5,
        "width": "1.25",
        "height": "-7",
    }
    if key == "#text":
        return "19.9"
    return value if value is None else plain.get(key, value)


async def secured(tally, url, digest, password):
    """UsernameToken and Timestamp, by which the package lets in or keeps out; twice, for the nonce."""
    form = "a digest" if digest else "a text"
    holds = password == "DEPOT_SECRET"
    what = f"node: {form} of WS-Security is {'taken' if holds else 'refused where the password is another'}"
    more = (
        f'auth = {{ kind = "wsse", username = "judge", password = "env:{password}", '
        f'digest = {str(digest).lower()}, timestamp = "5m" }}'
    )
    try:
        async with bridge(
            BINARY, SOAP / "services" / "depot.wsdl", "--all", "--base-url", url, more=more
        ) as call:
            got = [await call("whoami", {}) for _ in range(2)]
            tally.check(what, all((one.value == {"name": "judge"}) == holds for one in got), got)
    except Refused as error:
        tally.check(what, False, error)


async def main():
    tally = Tally()
    port = free_port()
    command = [NODE, str(SOAP / "servers" / "depot.mjs"), str(port), str(SOAP / "services"), MODULES]
    with Server(command, port, env=ENV) as server:
        try:
            options = ["--all", "--base-url", f"http://127.0.0.1:{port}/literal"]
            async with bridge(BINARY, SOAP / "services" / "depot.wsdl", *options) as call:
                await literal(tally, call, "node", 10 if SMOKE else 200, spared, nils=False)
            for digest, password in [(True, "DEPOT_SECRET"), (False, "DEPOT_SECRET"), (True, "PATH")]:
                await secured(tally, f"http://127.0.0.1:{port}/secured", digest, password)
        finally:
            if tally.failed:
                print(server.log()[-3000:])
    tally.end()


asyncio.run(main())
