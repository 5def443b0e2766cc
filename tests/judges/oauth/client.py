"""The official Python client, which logs in by itself: as client.mjs, word for word.

    python client.py URL
"""

import json
import sys
import urllib.parse

import anyio
import httpx2
from mcp import ClientSession
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

from browser import BACK, follow


class Kept(TokenStorage):
    tokens = client = back = asked = resource = None
    logins = 0

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client

    async def redirect(self, url):
        self.logins += 1
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        self.asked, self.resource = query.get("scope"), query.get("resource")
        self.back = await anyio.to_thread.run_sync(follow, url)

    async def callback(self):
        back = self.back
        return AuthorizationCodeResult(code=back["code"], state=back.get("state"), iss=back.get("iss"))


async def act(session, word):
    if word == "list":
        return [tool.name for tool in (await session.list_tools()).tools]
    if word == "get":
        return (await session.call_tool("get_book", {"id": "b1"})).structured_content
    body = {"id": "b2", "title": "Tolls", "pages": 9}
    return (await session.call_tool("add_book", {"body": body})).structured_content


async def main():
    url, kept = sys.argv[1], Kept()
    metadata = OAuthClientMetadata(
        client_name="judge",
        redirect_uris=[BACK],
        grant_types=["authorization_code"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )
    auth = OAuthClientProvider(url, metadata, kept, kept.redirect, kept.callback)
    async with httpx2.AsyncClient(auth=auth, timeout=30) as http:
        async with streamable_http_client(url, http_client=http) as streams:
            async with ClientSession(*streams[:2]) as session:
                ready = False
                async for word in anyio.wrap_file(sys.stdin):
                    told = {}
                    try:
                        if not ready:
                            await session.initialize()
                            ready = True
                        with anyio.fail_after(30):
                            told["result"] = await act(session, word.strip())
                    except Exception as error:  # noqa: BLE001: the judge reads it
                        told["error"] = repr(error)
                    token = kept.tokens and kept.tokens.access_token
                    more = {"logins": kept.logins, "asked": kept.asked, "resource": kept.resource, "token": token}
                    print(json.dumps(told | more), flush=True)


anyio.run(main)
