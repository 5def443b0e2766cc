"""The depot of gSOAP's before the bridge, its parcels and its photos.

python client.py TOLLBRIDGE FOLDER-OF-SERVERS [--smoke]
"""

import asyncio
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE.parent / "soap"))

from bridge import Server, bridge, free_port  # noqa: E402
from depot import literal  # noqa: E402
from judge import Tally  # noqa: E402
from parcel import parcels, photos  # noqa: E402

BINARY, SERVERS = sys.argv[1], pathlib.Path(sys.argv[2])
SMOKE = "--smoke" in sys.argv
SERVICES = HERE.parent / "soap" / "services"


def spared(value, key=None):
    """A value without what gSOAP 2.8.124 gives back otherwise: a time_t is in whole seconds and in UTC."""
    if isinstance(value, dict):
        return {name: spared(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [spared(one, key) for one in value]
    return "2026-11-25T10:00:00Z" if key == "changed" else value


async def main():
    tally = Tally()
    port = free_port()
    with Server([str(SERVERS / "depot"), str(port)], port) as server:
        try:
            async with bridge(BINARY, SERVICES / "depot.wsdl", "--all", "--base-url", f"http://127.0.0.1:{port}/") as call:
                await literal(tally, call, "gsoap", 10 if SMOKE else 200, spared)
        finally:
            if tally.failed:
                print(server.log()[-3000:])
    port = free_port()
    with Server([str(SERVERS / "parcel"), str(port)], port) as server:
        try:
            address = f"http://127.0.0.1:{port}/parcel"
            async with bridge(BINARY, SERVICES / "parcel.wsdl", "--all", "--base-url", address) as call:
                await parcels(tally, call, "gsoap", address, 5 if SMOKE else 100)
        finally:
            if tally.failed:
                print(server.log()[-3000:])
    port = free_port()
    with Server([str(SERVERS / "photo"), str(port)], port) as server:
        try:
            address = f"http://127.0.0.1:{port}/"
            async with bridge(BINARY, SERVICES / "photo.wsdl", "--all", "--base-url", address) as call:
                await photos(tally, call, "gsoap", 3 if SMOKE else 30)
        finally:
            if tally.failed:
                print(server.log()[-3000:])
    tally.end()


asyncio.run(main())
