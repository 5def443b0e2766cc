"""Lists the tools of a tollbridge over HTTP, and calls one of them.

    pip install 'mcp>=2.3,<3'
    export TOLLBRIDGE_KEY=...          # from `tollbridge key new NAME`; none is needed on
                                       # loopback while [server.auth] is not set
    python examples/client.py http://127.0.0.1:8080/mcp
    python examples/client.py http://127.0.0.1:8080/mcp get_order '{"order_id": "ord_1001"}'
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError


async def main(url: str, tool: str | None = None, arguments: str = "{}") -> int:
    key = os.environ.get("TOLLBRIDGE_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else None
    async with (
        # A call may take 45 s: its attempts, and the waits between them.
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        if tool is None:
            for one in (await client.list_tools()).tools:
                print(f"{one.name:24} {one.title or one.description or ''}")
            return 0

        try:
            result = await client.call_tool(tool, json.loads(arguments))
        except MCPError as error:  # no such tool, or none that this key may see
            print(error.message, file=sys.stderr)
            return 1

        print(json.dumps(result.structured_content, indent=2))
        about = (result.meta or {}).get("tollbridge/call", {})
        print(f"call {about.get('id')}, {about.get('attempts')} attempt(s)", file=sys.stderr)
        if not result.is_error:
            return 0

        # What failed, whether the same call may be made again, and what else to do. A tool
        # with a price answers x402's PaymentRequired instead, and its error is in _meta.
        error = result.structured_content.get("error") or (result.meta or {})["tollbridge/error"]
        print(f"{error['code']}: {error['next_step']}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(*sys.argv[1:])))
