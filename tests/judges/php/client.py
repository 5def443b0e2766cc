"""The depots of PHP's before the bridge.

python client.py TOLLBRIDGE [--smoke]
"""

import asyncio
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE.parent / "soap"))

from bridge import Server, bridge, free_port  # noqa: E402
from depot import encoded, literal, rpc  # noqa: E402
from judge import Tally  # noqa: E402

BINARY, SMOKE = sys.argv[1], "--smoke" in sys.argv
SOAP = HERE.parent / "soap"


def spared(value, key=None):
    """A value without what PHP 8.2 answers wrongly: it writes NAN for the NaN of xs:double."""
    if isinstance(value, dict):
        return {name: spared(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [spared(one, key) for one in value]
    return 2.5 if key == "weight" and value == "NaN" else value


async def main():
    tally = Tally()
    port = free_port()
    with Server(
        ["php", "-q", "-S", f"127.0.0.1:{port}", str(SOAP / "servers" / "depot.php")], port
    ) as server:
        try:
            for path, name, selected, scenario in [
                ("literal", "depot", "*", literal),
                ("encoded", "depot-encoded", "*", encoded),
                ("rpc", "depot-rpc", "*.Soap11.*", rpc),
                ("rpc12", "depot-rpc", "*.Soap12.*", rpc),
            ]:
                options = ["--select", selected, "--base-url", f"http://127.0.0.1:{port}/{path}"]
                async with bridge(BINARY, SOAP / "services" / f"{name}.wsdl", *options) as call:
                    await scenario(tally, call, f"php {path}", 10 if SMOKE else 200, spared)
        finally:
            if tally.failed:
                print(server.log()[-3000:])
    tally.end()


asyncio.run(main())
