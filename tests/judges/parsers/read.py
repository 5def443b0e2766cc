"""What parsers of others make of a request, and what they should: parts, pairs, elements."""

import base64
import email.message
import email.policy
import json
import urllib.parse
from dataclasses import dataclass
from email.parser import BytesParser

from lxml import etree
from python_multipart.multipart import MultipartParser, parse_options_header


@dataclass
class Piece:
    """A part of a multipart body; `value` is bytes, or the pieces that it is made of."""

    name: str | None
    filename: str | None
    kind: str | None
    value: object
    rank: str | None = None


def text(value):
    """A plain value as text; what has members is JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def escaped(name):
    """HTML, multipart/form-data encoding algorithm; other control characters are nobody's name."""
    name = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return "".join("_" if ord(c) < 32 or ord(c) == 127 else c for c in name)


# === What is expected ===


def file_piece(name, file, kind=None):
    value = base64.b64decode(file["data"]) if "data" in file else file["text"].encode()
    plain = "text/plain; charset=utf-8" if "text" in file else "application/octet-stream"
    filename = file.get("filename", name)
    return Piece(name and escaped(name), filename and escaped(filename), file.get("content_type", kind or plain), value)


def pieces(members, files=(), kinds=None, nested=()):
    """The parts of a form, member by member (OpenAPI 3.2.0 §4.15)."""
    kinds, found = kinds or {}, []
    for name, value in members.items():
        for one in value if isinstance(value, list) else [value]:
            kind, rank = kinds.get(name), None
            if name in files:
                found.append(file_piece(name, one, kind))
                continue
            if name in nested:
                inner = pieces(one, files=("scan",), kinds={"about": "text/markdown"})
                found.append(Piece(escaped(name), None, "multipart/mixed", inner))
                continue
            if name == "ranked":
                rank = one.get("headers", {}).get("X-Rank")
                one, rank = one["value"], None if rank is None else str(rank)
            kind = kind or ("application/json" if isinstance(one, (dict, list)) else None)
            found.append(Piece(escaped(name), None, kind, text(one).encode(), rank))
    return found


def positions(items):
    first = Piece(None, None, "application/json", text(items[0]).encode())
    second = Piece(None, None, "text/markdown", items[1].encode())
    return [first, second, *(file_piece(None, one, "application/pdf") for one in items[2:])]


def pairs(members):
    """The pairs of a form or a query: lists repeated."""
    return [
        (name, text(one))
        for name, value in members.items()
        for one in (value if isinstance(value, list) else [value])
    ]


# === What is read ===


def utf8(header):
    return header.encode("ascii", "surrogateescape").decode()


def by_email(content_type, body):
    """The standard library's parser of mail."""

    def of(message):
        found = []
        for part in message.get_payload():
            value = of(part) if part.is_multipart() else part.get_payload(decode=True)
            # Its headers are ASCII for the parser, with what else there is in surrogates.
            headers = email.message.Message()
            for name, written in part.raw_items():
                headers[name] = utf8(written)
            name, filename = (headers.get_param(key, header="content-disposition") for key in ("name", "filename"))
            found.append(Piece(name, filename, headers["content-type"], value, headers["x-rank"]))
        return found

    whole = BytesParser(policy=email.policy.compat32).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    if whole.defects:
        raise ValueError(f"defects: {whole.defects}")
    return of(whole) if whole.is_multipart() else []


def by_python_multipart(content_type, body):
    """The parser of Starlette and FastAPI."""
    _, options = parse_options_header(content_type)
    found, now = [], {}

    def begin():
        now.update(headers={}, field=b"", value=b"", data=b"")

    def header_end():
        now["headers"][now["field"].lower().decode()] = now["value"]
        now.update(field=b"", value=b"")

    def end():
        headers = now["headers"]
        _, about = parse_options_header(headers.get("content-disposition"))
        kind = headers.get("content-type")
        kind, value = kind and kind.decode(), now["data"]
        if kind and kind.startswith("multipart/"):
            value = by_python_multipart(kind, value)
        name, filename = (about[key].decode() if key in about else None for key in (b"name", b"filename"))
        rank = headers.get("x-rank")
        found.append(Piece(name, filename, kind, value, rank and rank.decode()))

    def grow(key):
        return lambda data, start, end: now.update({key: now[key] + data[start:end]})

    parser = MultipartParser(
        options[b"boundary"],
        {
            "on_part_begin": begin,
            "on_part_data": grow("data"),
            "on_header_field": grow("field"),
            "on_header_value": grow("value"),
            "on_header_end": header_end,
            "on_part_end": end,
        },
    )
    parser.write(body)
    parser.finalize()
    return found


def same_pieces(expected, found):
    if len(expected) != len(found):
        return False
    for one, other in zip(expected, found):
        if (one.name, one.filename, one.rank) != (other.name, other.filename, other.rank):
            return False
        if isinstance(one.value, list):
            if not other.kind.startswith(one.kind) or not same_pieces(one.value, other.value):
                return False
        elif one.kind != other.kind or not same_bytes(one, other):
            return False
    return True


def same_bytes(one, other):
    if one.kind == "application/json":
        return json.loads(one.value) == json.loads(other.value)
    return one.value == other.value


def by_urllib(written):
    return urllib.parse.parse_qsl(written, keep_blank_values=True, strict_parsing=bool(written))


def delimited(written, name, delimiter):
    """The items of one pair whose delimiter stands between encoded items."""
    raw = [pair.split("=", 1)[1] for pair in written.split("&") if urllib.parse.unquote_plus(pair.split("=", 1)[0]) == name]
    return [urllib.parse.unquote_plus(item) for item in raw[0].split(delimiter)]


def styled(written, members, space="%20"):
    """Whether members in the styles of `documents.STYLES` are what was written."""
    named = by_urllib(written)
    for name, value in members.items():
        flat = [text(one) for pair in value.items() for one in pair] if isinstance(value, dict) else None
        if name == "exploded":
            ok = [one for key, one in named if key == name] == [text(one) for one in value]
        elif name == "deep":
            ok = [pair for pair in named if pair[0].startswith("deep[")] == [(f"deep[{k}]", text(v)) for k, v in value.items()]
        elif name == "commas":
            ok = delimited(written, name, ",") == value
        elif name == "pairs":
            ok = not value or delimited(written, name, ",") == flat
        elif name == "spaces":
            ok = delimited(written, name, space) == value
        elif name == "pipes":
            ok = delimited(written.replace("%7C", "|"), name, "|") == value
        else:
            continue
        if not ok:
            return False
    return True


def order(body):
    """An order, read element by element."""
    root = etree.fromstring(body, etree.XMLParser(resolve_entities=False))
    if root.tag != "{urn:order}order":
        raise ValueError(f"the root is {root.tag}")
    value = {}
    for attribute, name, read in (("id", "id", int), ("at", "place", str)):
        if attribute in root.attrib:
            value[name] = read(root.attrib[attribute])
    for child in root:
        whole = child.text or ""
        if child.tag == "lines":
            value["lines"] = [
                {**({"sku": one.attrib["sku"]} if "sku" in one.attrib else {}), "quantity": int(one.findtext("quantity"))}
                for one in child
            ]
        elif child.tag == "tag":
            value.setdefault("tags", []).append(whole)
        else:
            value[{"remark": "note"}.get(child.tag, child.tag)] = whole == "true" if child.tag == "open" else whole
    return value
