"""FastMCP's from_openapi in front of an upstream, for the end-to-end benchmark.

fast_mcp.py DESCRIPTION UPSTREAM PORT     streamable HTTP at http://127.0.0.1:PORT/mcp
fast_mcp.py DESCRIPTION UPSTREAM stdio    standard input and output
"""

import json
import logging
import sys

import httpx2
from fastmcp import FastMCP

description, upstream, place = sys.argv[1:]
logging.disable(logging.WARNING)
with open(description) as file:
    server = FastMCP.from_openapi(
        json.load(file), client=httpx2.AsyncClient(base_url=upstream, trust_env=False), name="bench"
    )
if place == "stdio":
    server.run(transport="stdio", show_banner=False)
else:
    server.run(
        transport="http",
        host="127.0.0.1",
        port=int(place),
        show_banner=False,
        stateless_http=True,
        json_response=True,
        uvicorn_config={"access_log": False, "log_level": "error"},
    )
