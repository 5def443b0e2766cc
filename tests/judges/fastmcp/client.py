"""The client of FastMCP from PyPI, put through the scenarios."""

import contextlib
import os
import pathlib
import sys

# It judges what tollbridge does, and talks to nobody else.
os.environ["FASTMCP_CHECK_FOR_UPDATES"] = "off"

from fastmcp import Client  # noqa: E402
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport  # noqa: E402
from fastmcp.client.elicitation import ElicitResult  # noqa: E402
from mcp.client.subscriptions import listen  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import play  # noqa: E402
from connection import VERSIONS, Connection  # noqa: E402

MODES = {"modern": "auto", "pinned": VERSIONS["pinned"], "legacy": "legacy"}


def transport(place):
    if place.transport == "stdio":
        command, *args = place.command
        return StdioTransport(
            command, args, env=place.env, keep_alive=False, log_file=pathlib.Path(place.log)
        )
    return StreamableHttpTransport(
        place.url, headers={"Authorization": f"Bearer {place.key}"} if place.key else None
    )


class FastMcp:
    @contextlib.asynccontextmanager
    async def connect(self, place, heard, person):
        async def handler(message):
            heard(getattr(message, "method", repr(message)))

        async def asked(message, response_type, params, context):
            action, content = await person(message)
            return ElicitResult(action=action, content=content)

        client = Client(
            transport(place),
            mode=MODES[place.era],
            timeout=60,
            message_handler=handler,
            elicitation_handler=asked,
        )
        async with client:

            async def call(name, arguments, progress=None, meta=None):
                return await client.call_tool(
                    name, arguments, progress_handler=progress, raise_on_error=False, meta=meta
                )

            yield Connection(
                version=client.session.protocol_version,
                server=client.session.server_info and client.session.server_info.name,
                tools=client.list_tools,
                call=call,
                # It has no method of its own for this; the session that it gives has.
                listen=lambda: listen(client.session, tools_list_changed=True),
                always_asks=True,
            )


if __name__ == "__main__":
    play.main(FastMcp())
