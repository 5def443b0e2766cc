"""Bodies against their schemas, by libxml2 and by xmlschema, and back as answers.

python client.py [--smoke] [--only PART-OF-A-PATH] [--verbose]
"""

import collections
import copy
import json
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "soap"))

import corpus  # noqa: E402
import xmlschema  # noqa: E402
from compare import same  # noqa: E402
from corpus import VERBOSE, draws  # noqa: E402
from documents import PARSER, SOAP, Documents, Unreadable, parsed, w  # noqa: E402
from judge import Tally  # noqa: E402
from lxml import etree  # noqa: E402
from wire import CORPUS, OURS, Wire, whole  # noqa: E402

ENVELOPES = set(SOAP.values())


class Validators:
    """Both validators over one WSDL's schemas; `missing` says which could not read them."""

    def __init__(self, documents):
        self.documents, self.missing = documents, {}
        with tempfile.TemporaryDirectory() as folder:
            everything = documents.lay_out(folder)
            try:
                self.libxml2 = etree.XMLSchema(etree.parse(str(everything)))
            except etree.XMLSchemaParseError as error:
                self.libxml2, self.missing["libxml2"] = None, str(error)
            try:
                self.xmlschema = xmlschema.XMLSchema(str(everything), allow="local")
            except Exception as error:  # its errors have many kinds
                self.xmlschema, self.missing["xmlschema"] = (
                    None,
                    f"{type(error).__name__}: {str(error)[:300]}",
                )

    def judge(self, node):
        """{validator: None where it is valid, else why not}, of those that could read the schemas."""
        said = {}
        node = parsed(etree.tostring(node, encoding="utf-8", with_tail=False))
        if self.libxml2 is not None:
            said["libxml2"] = None if self.libxml2.validate(node) else str(self.libxml2.error_log.last_error)
        if self.xmlschema is not None:
            error = next(iter(self.xmlschema.iter_errors(node)), None)
            said["xmlschema"] = None if error is None else f"{error.path}: {error.reason}"
        return said


def to_judge(documents, binding, envelope):
    """The elements of a request that a schema speaks of."""
    body = documents.body(binding)
    root = parsed(envelope)
    soap = body["envelope"]
    if root.tag != f"{{{soap}}}Envelope":
        raise AssertionError(f"the envelope is {root.tag}")
    content = list(root.find(f"{{{soap}}}Body"))
    header = root.find(f"{{{soap}}}Header")
    found = list(header) if header is not None else []
    if body["style"] == "document":
        if len(content) != len(body["parts"]):
            raise AssertionError(f"{len(content)} elements in the body of {len(body['parts'])} parts")
        for node, (name, _, kind) in zip(content, body["parts"]):
            if kind is not None and node.tag != name:
                raise AssertionError(f"the part is {node.tag}, and not {name}")
            found.append(node if kind is None else documents.wrapped_part(node, kind))
        return found
    if len(content) != 1:
        raise AssertionError(f"{len(content)} elements in the body of rpc")
    [wrapper] = content
    name = etree.QName(wrapper)
    if body["namespace"] is None:
        raise Unreadable("the body of rpc has no namespace, against R2717 of the Basic Profile")
    if name.localname != binding.get("name") or name.namespace != (body["namespace"] or None):
        raise AssertionError(
            f"the wrapper is {wrapper.tag}, and not {{{body['namespace']}}}{binding.get('name')}"
        )
    if [one.tag for one in wrapper] != [part[0] for part in body["parts"]]:
        raise AssertionError(f"the parts are {[one.tag for one in wrapper]}, and not {body['parts']}")
    for node, (_, element, kind) in zip(wrapper, body["parts"]):
        if kind is None:
            raise Unreadable(f"a part of rpc has the element {element}")
        found.append(documents.wrapped_part(node, kind))
    return found


def mirrored(originals, folder):
    """A copy of the documents in which each operation answers with what it is asked."""
    shutil.copytree(originals, folder, dirs_exist_ok=True)
    for path in folder.rglob("*.wsdl"):
        try:
            tree = etree.parse(str(path), PARSER)
        except etree.XMLSyntaxError:
            continue
        for operation in tree.iter(w("operation")):
            asked = operation.find(w("input"))
            if asked is None:
                continue
            answer = operation.find(w("output"))
            if answer is None:
                answer = etree.SubElement(operation, w("output"))
                asked.addnext(answer)
            for child in list(answer):
                answer.remove(child)
            for child in asked:
                answer.append(parsed(etree.tostring(child, encoding="utf-8", with_tail=False)))
            answer.attrib.clear()
            answer.attrib.update(asked.attrib)
        tree.write(str(path))


class Counts:
    def __init__(self):
        self.said = collections.Counter()
        self.samples = collections.defaultdict(list)

    def add(self, what, sample=None):
        self.said[what] += 1
        if sample is not None and (VERBOSE or len(self.samples[what]) < 3):
            self.samples[what].append(sample)


def judge(tally, wire, path, folder, mirror, shown):
    counts, wrong = Counts(), []
    loaded = wire.load(path, folder)
    if "refused" in loaded:
        tally.cannot(shown, loaded["refused"])
        return counts
    documents = Documents(path)
    bindings = documents.bindings()
    validators = Validators(documents)
    for name, why in validators.missing.items():
        counts.add(f"documents that {name} cannot read", why[:300])
    sent = []
    for operation in loaded["operations"]:
        counts.add("operations")
        key = operation["id"]
        unmade = lambda fill, error: counts.add("draws without arguments", f"{key} {fill}: {error}")
        for fill, arguments, said, refusals in draws(wire, operation, shown, unmade):
            for pointer, expected, _ in refusals:
                counts.add("refusals on the way", f"{key} {pointer}: {expected}")
            body = said["body"]
            if "Envelope" not in (body or ""):
                counts.add("requests without an envelope: plain HTTP")
                continue
            sent.append((key, arguments, said))
            counts.add("bodies")
            try:
                if key not in bindings:
                    raise Unreadable("its binding is not found")
                nodes = to_judge(documents, bindings[key], whole(said).encode())
            except Unreadable as error:
                counts.add("bodies not judged", f"{key}: {error}")
                continue
            except AssertionError as error:
                wrong.append(f"{key}: {error}: {body}")
                continue
            for node in nodes:
                if fill == "least":
                    # A judge that refuses nothing judges nothing.
                    broken = copy.deepcopy(node)
                    broken.set("no-such-attribute", "")
                    for name, why in validators.judge(broken).items():
                        counts.add(f"broken elements that {name} {'lets pass' if why is None else 'refuses'}")
                verdicts = validators.judge(node)
                if not verdicts:
                    counts.add("elements that nobody could judge")
                for name, why in verdicts.items():
                    counts.add(f"elements judged by {name}")
                    if why is not None:
                        others = [other for other, word in verdicts.items() if word is None]
                        beside = f" ({', '.join(others)} says it is valid)" if others else ""
                        wrong.append(
                            f"{key} {fill}: {name}{beside}: {why}\n            {json.dumps(arguments, ensure_ascii=False)[:600]}\n            {etree.tostring(node, encoding='unicode')[:1500]}"
                        )
    if mirror is not None:
        loaded = wire.load(mirror / path.relative_to(folder), mirror)
        known = {one["id"] for one in loaded.get("operations", ())}
        for key, arguments, encoded in sent:
            if key not in known:
                counts.add("not read back", key)
                continue
            said = wire.decode(key, encoded)
            expected = {name: value for name, value in arguments.items() if name != "headers"}
            read = said.get("value")
            ok = (
                same(expected, read)
                or (len(expected) == 1 and same(next(iter(expected.values())), read))
                or (not expected and read in (None, {}))
            )
            if ok and not said.get("drift"):
                counts.add("read back as sent")
            else:
                wrong.append(
                    f"{key}: read back as {json.dumps(said, ensure_ascii=False)[:700]}\n            {json.dumps(expected, ensure_ascii=False)[:700]}\n            {encoded['body'][:1500]}"
                )
    for one in wrong[: 1000 if VERBOSE else 12]:
        print("        " + one, flush=True)
    if len(wrong) > 12 and not VERBOSE:
        print(f"        … and {len(wrong) - 12} more", flush=True)
    if counts.said["bodies"]:
        tally.check(
            f"{shown}: {counts.said['bodies']} bodies of {counts.said['operations']} operations",
            not wrong,
            f"{len(wrong)} findings",
        )
    else:
        tally.cannot(shown, "; ".join(loaded.get("skipped", ())[:2]) or "no operation has a body")
    for what, samples in counts.samples.items():
        if VERBOSE:
            for sample in samples:
                print(f"          {what}: {sample}", flush=True)
    return counts


def main():
    tally, total = Tally(), Counts()
    with Wire() as wire, tempfile.TemporaryDirectory() as scratch:
        mirrors = {}
        for folder in (one for one in [*OURS, CORPUS] if one.is_dir()):
            mirrors[folder] = pathlib.Path(scratch) / folder.parent.name / folder.name
            mirrored(folder, mirrors[folder])
        for path, folder, shown in corpus.documents(tally, wire):
            try:
                counts = judge(tally, wire, path, folder, mirrors[folder], shown)
            except etree.XMLSyntaxError as error:
                tally.cannot(shown, f"lxml cannot read it: {error}")
                continue
            total.said.update(counts.said)
            for what, samples in counts.samples.items():
                total.samples[what] += [f"{shown}: {sample}" for sample in samples]
    for name in ("libxml2", "xmlschema"):
        refused, passed = (
            total.said[f"broken elements that {name} {word}"] for word in ("refuses", "lets pass")
        )
        tally.check(f"{name} refuses broken elements: {refused} of {refused + passed}", refused > 9 * passed)
    for what, count in total.said.most_common():
        print(f"        {count:6} {what}", flush=True)
    tally.end()


main()
