"""zeep reads an envelope and writes what it read: benches/soap/run.py runs this."""

import json
import sys
import time

from lxml import etree
from zeep import Client
from zeep.helpers import serialize_object

SECONDS = 2


class Reply:
    """What zeep wants of an HTTP response."""

    status_code = 200
    encoding = "utf-8"
    headers = {"Content-Type": "text/xml; charset=utf-8"}

    def __init__(self, content):
        self.content = content


def best(run):
    began, least = time.perf_counter(), float("inf")
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - start)
    return least * 1e3


def main():
    wsdl, envelope = sys.argv[1:]
    client = Client(wsdl)
    binding = client.service._binding
    operation = binding.get("echo")
    with open(envelope, "rb") as file:
        reply = Reply(file.read())

    def decode():
        return serialize_object(binding.process_reply(client, operation, reply), dict)

    items = decode()

    def encode():
        return etree.tostring(client.create_message(client.service, "echo", item=items))

    print(json.dumps({
        "encode_ms": best(encode), "decode_ms": best(decode),
        "bytes": len(encode()), "rows": len(items),
    }))


main()
