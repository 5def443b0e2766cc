"""What servers of parcels and of photos must say: the bytes that were sent beside the envelope, and what
their headers and their parts said."""

import base64
import random
import urllib.error
import urllib.request

from compare import same

ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"
BARE = """<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<Send xmlns="urn:parcel"><name>bare</name></Send></s:Body></s:Envelope>"""


def messages(count):
    """(name, the bytes of each part)."""
    yield "none", []
    yield "empty", [b""]
    yield "delimiters", [b"\r\n--\r\n", b"\r\n--tollbridge-\r\n\r\n", b"--", b"\r\n", b"\0" * 100]
    yield "all octets", [bytes(range(256)) * 4]
    drawn = random.Random("parcel")
    for number in range(count):
        # An answer above 40,000 characters would be cut.
        sizes = [drawn.choice([1, 2, 3, 100, 4_097]) for _ in range(drawn.randint(1, 5))]
        yield f"parcel {number} é", [drawn.randbytes(size) for size in sizes]


async def parcels(tally, call, server, address, count):
    [tool] = call.tools
    ids = set()
    wrong = []
    sent = 0
    for name, parts in messages(count):
        data = [base64.b64encode(part).decode() for part in parts]
        arguments = {"name": name, **({"data": data} if data else {})}
        said = await call(tool, arguments)
        sent += 1
        read = said.value or {}
        told = {key: read.pop(key, None) for key in ("action", "to", "id", "reply", "parts")}
        ids.add(told["id"])
        expected = {
            "action": "urn:parcel#Send",
            "to": address,
            "reply": ANONYMOUS,
            # What is empty stands in the envelope.
            "parts": sum(1 for part in parts if part),
        }
        if said.drift or not same(arguments, read) or any(told[key] != expected[key] for key in expected):
            wrong.append(f"{name}: {said!r:.600} {told}")
    for one in wrong[:5]:
        print(f"        {one}", flush=True)
    tally.check(f"{server}: {sent} messages in parts come back as they were sent", not wrong, f"{len(wrong)} do not")
    random_ids = [one for one in ids if one and one.startswith("urn:uuid:")]
    tally.check(f"{server}: each of them has an id of its own", len(random_ids) == sent, f"{len(random_ids)}")
    tally.check(f"{server}: it refuses what is not addressed", refuses(address, BARE), "it does not")


async def photos(tally, call, server, count):
    [tool] = call.tools
    wrong = []
    sent = 0
    for title, parts in messages(count):
        for part in parts:
            data = base64.b64encode(part).decode()
            said = await call(tool, {"title": title, "photo": data})
            sent += 1
            read = said.value or {}
            part_said = (read.get("id", "").strip("<>"), read.get("kind"), read.get("size"))
            ok = read.get("title") == title and read.get("photo") == data
            if said.drift or not ok or part_said != ("photo=1@tollbridge", "image/png", len(part)):
                wrong.append(f"{title}: {said!r:.600}")
    for one in wrong[:5]:
        print(f"        {one}", flush=True)
    tally.check(f"{server}: {sent} attachments come back as they were sent", not wrong, f"{len(wrong)} do not")


def refuses(address, envelope):
    """A judge that refuses nothing judges nothing."""
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"urn:parcel#Send"'}
    try:
        urllib.request.urlopen(urllib.request.Request(address, envelope.encode(), headers), timeout=10)
    except urllib.error.HTTPError as error:
        return b"Fault" in error.read()
    return False
