"""An addon for mitmproxy: random faults between a bridge and an API, and a list of what got through.

    mitmdump --mode reverse:http://API -s faults.py --set seed=N --set seen=FILE --set relay=PORT

Faults of HTTP are made here: a delay, a refusal or a broken connection before the request is
passed on, and after its answer is there a delay, a 504, or a broken connection. In front of the
proxy stands a relay (at `relay`) that breaks bytes: answers that come in drops, and connections
that end in the middle of one. FILE has a line of JSON for each request that was passed on, with the
status that the API gave it, whatever the bridge was told.
"""

import asyncio
import json
import random

from mitmproxy import ctx, http

# Of a thousand requests, how many meet which fault. 429s are few: they say that the bridge asks too
# often, and it believes them.
BEFORE = {"delay": 60, "busy": 4, "unavailable": 40, "reset-before": 30, "hang": 8}
AFTER = {"late": 40, "timeout-after": 15, "reset-after": 25}
# Of a thousand pieces of an answer, how many come in drops or are the last.
DROPS, CUT = 30, 8


class Faults:
    def load(self, loader):
        loader.add_option("seed", int, 0, "What the faults are drawn with")
        loader.add_option("seen", str, "", "Where the requests are listed that were passed on")
        loader.add_option("relay", int, 0, "The port of the relay in front of the proxy")
        loader.add_option("behind", int, 0, "The port of the proxy itself")

    def running(self):
        self.random = random.Random(ctx.options.seed)
        self.seen = open(ctx.options.seen, "a", buffering=1)
        self.counts = {}
        self.relay = asyncio.get_running_loop().create_task(self.serve())

    async def serve(self):
        server = await asyncio.start_server(self.pass_on, "127.0.0.1", ctx.options.relay)
        async with server:
            await server.serve_forever()

    def drawn(self, faults):
        number = self.random.randrange(1000)
        for name, share in faults.items():
            if number < share:
                self.counts[name] = self.counts.get(name, 0) + 1
                return name
            number -= share
        return None

    async def request(self, flow: http.HTTPFlow):
        fault = flow.metadata["fault"] = self.drawn(BEFORE)
        if fault == "delay":
            await asyncio.sleep(self.random.uniform(0.05, 1.0))
        elif fault == "busy":
            flow.response = http.Response.make(429, b"{}", {"Retry-After": "1"})
        elif fault == "unavailable":
            flow.response = http.Response.make(503, b"<html>down</html>", {"Content-Type": "text/html"})
        elif fault == "hang":
            await asyncio.sleep(5)
            flow.kill()
        elif fault == "reset-before":
            flow.kill()
        if flow.response is None and not flow.killable:
            return
        flow.metadata["passed"] = flow.response is None and fault not in ("hang", "reset-before")

    async def response(self, flow: http.HTTPFlow):
        if not flow.metadata.get("passed"):
            return
        self.list(flow, flow.response.status_code)
        fault = self.drawn(AFTER)
        if fault == "late":
            await asyncio.sleep(self.random.uniform(0.05, 1.0))
        elif fault == "timeout-after":
            flow.response = http.Response.make(504, b"{}", {"Content-Type": "application/json"})
        elif fault == "reset-after":
            flow.kill()

    def error(self, flow: http.HTTPFlow):
        # Whoever asked is gone; the API may have had it.
        if flow.metadata.get("passed") and flow.response is None:
            self.list(flow, None)

    def list(self, flow, status):
        request = flow.request
        line = {"method": request.method, "path": request.path, "status": status}
        line["body"] = request.get_text() or ""
        self.seen.write(json.dumps(line) + "\n")

    async def pass_on(self, reader, writer):
        """One connection of the bridge's, to the proxy and back."""
        self.counts["connections"] = self.counts.get("connections", 0) + 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", ctx.options.behind)
        except OSError:
            writer.close()
            return
        ways = [asyncio.ensure_future(self.forth(reader, back)), asyncio.ensure_future(self.back(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, back):
                end.close()

    async def forth(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def back(self, reader, writer):
        while data := await reader.read(65536):
            number = self.random.randrange(1000)
            if number < CUT:
                self.counts["cut"] = self.counts.get("cut", 0) + 1
                writer.write(data[: self.random.randrange(len(data))])
                await writer.drain()
                if number % 2:
                    writer.transport.abort()
                return
            if number < CUT + DROPS:
                self.counts["drops"] = self.counts.get("drops", 0) + 1
                step = max(1, len(data) // 8)
                for at in range(0, len(data), step):
                    writer.write(data[at : at + step])
                    await writer.drain()
                    await asyncio.sleep(self.random.uniform(0.01, 0.1))
                continue
            writer.write(data)
            await writer.drain()

    def done(self):
        if hasattr(self, "seen"):
            self.seen.write(json.dumps({"counts": self.counts}) + "\n")
            self.seen.close()
            self.relay.cancel()


addons = [Faults()]
