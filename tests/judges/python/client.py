"""The official Python client, `mcp` from PyPI, put through the scenarios."""

import contextlib

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult

import play
from connection import VERSIONS, Connection

MODES = {"modern": "auto", "pinned": VERSIONS["pinned"], "legacy": "legacy"}


@contextlib.asynccontextmanager
async def transport(place):
    if place.transport == "stdio":
        command, *args = place.command
        server = StdioServerParameters(command=command, args=args, env=place.env)
        with open(place.log, "a") as log:
            yield stdio_client(server, errlog=log)
    else:
        headers = {"Authorization": f"Bearer {place.key}"} if place.key else None
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            yield streamable_http_client(place.url, http_client=http)


class Official:
    @contextlib.asynccontextmanager
    async def connect(self, place, heard, person):
        async def handler(message):
            heard(getattr(message, "method", repr(message)))

        async def asked(context, params):
            action, content = await person(params.message)
            return ElicitResult(action=action, content=content)

        async with transport(place) as server:
            mode = MODES[place.era]
            client = Client(
                server,
                mode=mode,
                read_timeout_seconds=60,
                message_handler=handler,
                elicitation_callback=asked,
            )
            async with client:

                async def tools():
                    return (await client.list_tools()).tools

                async def call(name, arguments, progress=None, meta=None):
                    return await client.call_tool(name, arguments, progress_callback=progress, meta=meta)

                yield Connection(
                    version=client.protocol_version,
                    server=client.server_info and client.server_info.name,
                    tools=tools,
                    call=call,
                    listen=lambda: client.listen(tools_list_changed=True),
                )


if __name__ == "__main__":
    play.main(Official())
