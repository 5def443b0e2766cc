"""Messages of the bridge beside zeep's, from the same values.

python client.py [--smoke] [--only PART-OF-A-PATH] [--verbose]
"""

import collections
import json
import logging
import pathlib
import sys
import types
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "soap"))

import corpus  # noqa: E402
import zeep  # noqa: E402
from corpus import VERBOSE, draws  # noqa: E402
from documents import KNOWN, Documents, x  # noqa: E402
from differences import explained  # noqa: E402
from judge import Tally  # noqa: E402
from lxml import etree  # noqa: E402
from values import Beyond, Values  # noqa: E402
from wire import Wire  # noqa: E402
from zeep.xsd.types.complex import ComplexType  # noqa: E402

ADDRESSING = "http://www.w3.org/2005/08/addressing"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
logging.getLogger("zeep").setLevel(logging.CRITICAL)


class Offline(zeep.transports.Transport):
    """Documents from files, and nothing from anywhere else."""

    def load(self, url):
        if url in KNOWN:
            return KNOWN[url].read_bytes()
        if "://" in url and not url.startswith("file:"):
            raise OSError(f"{url} is not fetched")
        return super().load(url)


def elements(envelope):
    """Header blocks and the body's elements, but for headers of WS-Addressing: a policy asks for them."""
    root = envelope if isinstance(envelope, etree._Element) else etree.fromstring(envelope)
    return [node for part in root for node in part if not node.tag.startswith(f"{{{ADDRESSING}}}")]


def canonical(nodes):
    """Elements as canonical XML 2.0, whatever their prefixes."""
    texts = [etree.tostring(node, encoding="unicode", with_tail=False) for node in nodes]
    return [
        xml.etree.ElementTree.canonicalize(text, rewrite_prefixes=True, qname_aware_attrs=[f"{{{XSI}}}type"])
        for text in texts
    ]


def asked_of_zeep(client, key, arguments):
    """The envelope that zeep makes of the arguments."""
    service, port, name = key.split("#")[0].split(".", 2)
    services = client.wsdl.services
    known_port = services[service].ports.get(port) if service in services else None
    if known_port is None or name not in known_port.binding._operations:
        raise Beyond("an operation that zeep has not read")
    binding = known_port.binding
    operation = binding._operations[name]

    # Otherwise it looks for a port of its own, and not each document's first has one.
    client._default_service = types.SimpleNamespace(_binding_options={"address": "http://127.0.0.1:1/"})

    def made(*args, **kwargs):
        return binding._create(name, args, kwargs, client=client)[0]

    values, message = Values(client), operation.input
    arguments = dict(arguments)
    extra = {}
    headers = arguments.get("headers")
    known = [element for _, element in message.header.type.elements] if message.header is not None else []
    if known and isinstance(headers, dict):
        del arguments["headers"]
        by_name = {element.name: element for element in known}
        extra["_soapheaders"] = [
            by_name[one](**values.kwargs(by_name[one].type, value))
            if isinstance(by_name[one].type, ComplexType)
            else by_name[one](values.element(by_name[one], value))
            for one, value in headers.items()
        ]
    body = message.body
    if body is None:
        return made(**extra)
    if not isinstance(body.type, ComplexType):
        [value] = arguments.values()
        if value is None:
            raise Beyond("a body that is nil")
        return made(values.element(body, value), **extra)
    keys = {element.name for _, element in body.type.elements}
    if set(arguments) == {body.name} and body.name not in keys:
        value = arguments[body.name]
        if value is None:
            raise Beyond("a body that is nil")
        if isinstance(value, dict) and "@type" in value:
            raise Beyond("a derived type in the place of the body's own")
        value = value if isinstance(value, dict) else {"#text": value}
        return made(**values.kwargs(body.type, value), **extra)
    return made(**values.kwargs(body.type, values.members(body.type, arguments)), **extra)


def defaults_of(path):
    """The attributes of a document's schemas that have defaults, with these."""
    attributes = [one for schema in Documents(path).schemas.values() for one in schema.iter(x("attribute"))]
    return {(one.get("name"), one.get("default")) for one in attributes if one.get("default") is not None}


def judge(tally, wire, path, folder, shown, total, reasons):
    loaded = wire.load(path, folder)
    if "refused" in loaded or not loaded["operations"]:
        tally.cannot(
            shown, loaded.get("refused") or "; ".join(loaded.get("skipped", ())[:2]) or "no operation"
        )
        return
    try:
        client = zeep.Client(
            str(path),
            transport=Offline(),
            settings=zeep.Settings(strict=True, xsd_ignore_sequence_order=False),
        )
    except Exception as error:  # its errors have many kinds
        total["documents that zeep cannot read"] += 1
        tally.cannot(shown, f"zeep cannot read it: {type(error).__name__}: {str(error)[:150]}")
        return
    counts, wrong, defaults = collections.Counter(), [], defaults_of(path)
    for operation in loaded["operations"]:
        key = operation["id"]
        unmade = lambda *_: counts.update(["draws without arguments"])
        for fill, arguments, said, _ in draws(wire, operation, shown, unmade):
            if "Envelope" not in (said["body"] or ""):
                counts["without an envelope"] += 1
                continue
            ours = elements(said["body"].encode())
            try:
                if said["content_type"].startswith("multipart/"):
                    raise Beyond("parts beside the envelope")
                theirs = elements(asked_of_zeep(client, key, arguments))
            except Beyond as error:
                counts["that zeep cannot express"] += 1
                reasons[f"cannot express: {str(error)[:100]}"].append(key)
                continue
            except Exception as error:  # what zeep makes of a value that the schema allows
                counts["that zeep refuses"] += 1
                reasons[f"refuses: {type(error).__name__}: {str(error)[:110]}"].append(
                    f"{key} {json.dumps(arguments, ensure_ascii=False)[:300]}"
                )
                continue
            if canonical(ours) == canonical(theirs):
                counts["the same"] += 1
                continue
            why = explained(ours, theirs, defaults)
            if why is not None:
                counts["that differ as is known of zeep"] += 1
                reasons[why].append(key)
                continue
            wrong.append(
                f"{key} {fill}: {json.dumps(arguments, ensure_ascii=False)[:500]}\n            ours {' '.join(canonical(ours))[:1500]}\n            zeep {' '.join(canonical(theirs))[:1500]}"
            )
    for one in wrong[: 1000 if VERBOSE else 8]:
        print("        " + one, flush=True)
    summary = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    if counts["the same"] or wrong:
        tally.check(f"{shown}: {summary}", not wrong, f"{len(wrong)} differ")
    else:
        tally.cannot(shown, summary)
    total.update(counts)
    total["that differ"] += len(wrong)


def main():
    tally, total, reasons = Tally(), collections.Counter(), collections.defaultdict(list)
    with Wire() as wire:
        for path, folder, shown in corpus.documents(tally, wire):
            judge(tally, wire, path, folder, shown, total, reasons)
    for reason, where in sorted(reasons.items(), key=lambda one: -len(one[1])):
        print(f"        {len(where):6} zeep {reason}" + (f" [{where[0]}]" if VERBOSE else ""), flush=True)
    for what, count in total.most_common():
        print(f"        {count:6} {what}", flush=True)
    tally.end()


main()
