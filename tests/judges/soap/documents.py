"""WSDL documents as the judges read them, with lxml and without the bridge.

`Documents` finds what belongs to a WSDL, says how an operation's body is made, and lays its
schemas out for validators: one document for each namespace, so that a validator that reads a
namespace once (libxml2 does) has all of it.
"""

import pathlib
import urllib.parse

import xmlschema
from lxml import etree

WSDL = "http://schemas.xmlsoap.org/wsdl/"
MIME = "http://schemas.xmlsoap.org/wsdl/mime/"
XSD = "http://www.w3.org/2001/XMLSchema"
SOAP = {
    "http://schemas.xmlsoap.org/wsdl/soap/": "http://schemas.xmlsoap.org/soap/envelope/",
    "http://schemas.xmlsoap.org/wsdl/soap12/": "http://www.w3.org/2003/05/soap-envelope",
}
SOAP_ENC = "http://schemas.xmlsoap.org/soap/encoding/"
OURS = "urn:tollbridge:judge"
# Schemas that documents use by their namespaces alone: ours, and those that come with `xmlschema`.
_HERE = pathlib.Path(__file__).resolve().parent / "schemas"
_KNOWN = pathlib.Path(xmlschema.__file__).parent / "schemas"
KNOWN = {
    "http://www.w3.org/XML/1998/namespace": _KNOWN / "XML" / "xml.xsd",
    "http://www.w3.org/1999/xlink": _KNOWN / "XLINK" / "xlink.xsd",
    SOAP_ENC: _KNOWN / "WSDL" / "soap-encoding.xsd",
    "http://schemas.xmlsoap.org/wsdl/": _KNOWN / "WSDL" / "wsdl.xsd",
    "http://www.w3.org/2000/09/xmldsig#": _KNOWN / "DSIG" / "xmldsig-core-schema.xsd",
    "http://www.w3.org/2005/08/addressing": _HERE / "addressing.xsd",
    "http://ws-i.org/profiles/basic/1.1/xsd": _HERE / "swaref.xsd",
}
MADE_UP = _HERE / "made-up.xsd"
PARSER = etree.XMLParser(
    resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
)


class Unreadable(Exception):
    """The judge cannot make sense of it."""


def parsed(text):
    return etree.fromstring(text, PARSER)


def qname(node, spelled):
    prefix, _, local = spelled.strip().rpartition(":")
    return etree.QName(node.nsmap.get(prefix or None), local)


def w(name):
    return f"{{{WSDL}}}{name}"


def x(name):
    return f"{{{XSD}}}{name}"


def located(base, location):
    if "://" in location and not location.startswith("file:"):
        return None
    path = pathlib.Path(base).parent / urllib.parse.unquote(location.removeprefix("file://"))
    return path.resolve() if path.is_file() else None


def open_array(restriction):
    """Lets a restriction of SOAP's Array hold items.

    WSDL 1.1 (2.2) has arrays derived by their `arrayType` alone, which by XML Schema (part 1,
    3.4.2) leaves them without content. What is said of the items' types is still judged, by
    their `xsi:type`.
    """
    base = restriction.get("base")
    particles = [x(name) for name in ("sequence", "choice", "all", "group")]
    if (
        base is None
        or qname(restriction, base) != f"{{{SOAP_ENC}}}Array"
        or any(one.tag in particles for one in restriction)
    ):
        return
    items = parsed(
        f'<xs:sequence xmlns:xs="{XSD}"><xs:any processContents="lax" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>'
    )
    restriction.insert(1 if restriction.find(x("annotation")) is not None else 0, items)


class Documents:
    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()
        self.definitions, self.schemas = [], {}
        self._read(self.path)

    def _read(self, path):
        if any(known == path for known, _ in self.definitions):
            return
        root = etree.parse(str(path), PARSER).getroot()
        if root.tag == x("schema"):
            self.schemas[path, 0] = root
            return
        self.definitions.append((path, root))
        for number, schema in enumerate(root.iterfind(f"{w('types')}/{x('schema')}")):
            self.schemas[path, number] = schema
        for one in root.iterfind(w("import")):
            found = located(path, one.get("location", ""))
            if found:
                self._read(found)

    def _named(self, kind, name):
        for _, root in self.definitions:
            if (root.get("targetNamespace") or None) == name.namespace:
                for one in root.iterfind(w(kind)):
                    if one.get("name") == name.localname:
                        return one
        raise Unreadable(f"no {kind} {name}")

    def bindings(self):
        """{operation: its binding's element}, the names those of the bridge."""
        found = {}
        for _, root in self.definitions:
            for service in root.iterfind(w("service")):
                for port in service.iterfind(w("port")):
                    try:
                        binding = self._named("binding", qname(port, port.get("binding")))
                    except (Unreadable, ValueError):
                        continue
                    for operation in binding.iterfind(w("operation")):
                        key = f"{service.get('name')}.{port.get('name')}.{operation.get('name')}"
                        # Overloaded operations are told apart by more than their names.
                        found[key] = None if key in found else operation
        return {key: value for key, value in found.items() if value is not None}

    def body(self, operation):
        """How the body of a request is made: {"style", "use", "namespace", "parts"}.

        A part is (name, element or None, type or None).
        """
        binding = operation.getparent()
        soap = next((uri for uri in SOAP if binding.find(f"{{{uri}}}binding") is not None), None)
        if soap is None:
            raise Unreadable("its binding is not to SOAP")
        own = operation.find(f"{{{soap}}}operation")
        style = (
            (own.get("style") if own is not None else None)
            or binding.find(f"{{{soap}}}binding").get("style")
            or "document"
        )
        body = operation.find(f"{w('input')}//{{{soap}}}body")
        if body is None:
            raise Unreadable("no body of it is bound")
        port_type = self._named("portType", qname(binding, binding.get("type")))
        same = [one for one in port_type.iterfind(w("operation")) if one.get("name") == operation.get("name")]
        if len(same) != 1 or same[0].find(w("input")) is None:
            raise Unreadable("it is overloaded")
        asked = same[0].find(w("input"))
        message = self._named("message", qname(asked, asked.get("message")))
        parts = [
            (
                part.get("name"),
                qname(part, part.get("element")) if part.get("element") else None,
                qname(part, part.get("type")) if part.get("type") else None,
            )
            for part in message.iterfind(w("part"))
        ]
        beside = [one.get("part") for one in operation.iterfind(f"{w('input')}//{{{MIME}}}content")]
        parts = [part for part in parts if part[0] not in beside]
        if body.get("parts") is not None:
            named = [part for part in parts if part[0] in body.get("parts").split()]
            if body.get("parts").strip() and not named:
                raise Unreadable(f"its body names no part of the message: {body.get('parts')}")
            parts = named
        else:
            # WSDL 1.1 (3.5) would have all of them; what a header has of them the body has not.
            headers = operation.iterfind(f"{w('input')}//{{{soap}}}header")
            own = [
                one.get("part")
                for one in headers
                if qname(one, one.get("message")) == qname(asked, asked.get("message"))
            ]
            parts = [part for part in parts if part[0] not in own]
        style = "rpc" if style == "rpc" else "document"
        return {
            "style": style,
            "use": body.get("use", "literal"),
            "namespace": body.get("namespace"),
            "parts": parts,
            "envelope": SOAP[soap],
        }

    def lay_out(self, folder):
        """Writes schemas for a validator into an empty folder: the path of the one that has all.

        Types of parts become elements of `OURS`, `part.N` for the types in their order.
        """
        folder = pathlib.Path(folder)
        written, spaces, waiting = {}, {}, list(self.schemas.items())

        def name_of(place):
            return written.setdefault(place, f"document{len(written)}.xsd")

        def space(namespace, place):
            places = spaces.setdefault(namespace, [])
            if place not in places:
                places.append(place)

        for place, root in waiting:
            space(root.get("targetNamespace"), place)
        done, wanted = {}, set()
        while waiting:
            place, root = waiting.pop(0)
            if place in done:
                continue
            root = done[place] = parsed(etree.tostring(root, encoding="utf-8", with_tail=False))
            # Text between components is no schema's, but some have it.
            root.text = None
            for child in root:
                child.tail = None
            name_of(place)
            for restriction in root.iter(x("restriction")):
                open_array(restriction)
            for child in root.iterchildren(x("import"), x("include"), x("redefine")):
                found = (
                    located(place[0], child.get("schemaLocation", ""))
                    if child.get("schemaLocation")
                    else None
                )
                target = None
                if found is not None:
                    target = (
                        (found, 0)
                        if found.suffix != ".wsdl"
                        else next((one for one in self.schemas if one[0] == found), None)
                    )
                if target is not None and target not in done and target not in self.schemas:
                    top = etree.parse(str(found), PARSER).getroot()
                    if top.tag == x("schema"):
                        waiting.append((target, top))
                    else:
                        target = None
                if child.tag == x("import") and child.get("namespace") == root.get("targetNamespace"):
                    # No schema imports its own namespace (part 1, 4.2.3); all of it is there as it is.
                    root.remove(child)
                    if target is not None:
                        space(child.get("namespace"), target)
                elif child.tag == x("import"):
                    namespace = child.get("namespace")
                    wanted.add(namespace)
                    if target is not None:
                        space(namespace, target)
                    child.attrib.pop("schemaLocation", None)
                    child.set("judge", "")
                elif target is not None:
                    child.set("schemaLocation", name_of(target))

        wrappers = {}
        for number, (namespace, places) in enumerate(spaces.items()):
            if len(places) == 1:
                wrappers[namespace] = name_of(places[0])
            else:
                wrapper = etree.Element(x("schema"), nsmap={"xs": XSD})
                if namespace:
                    wrapper.set("targetNamespace", namespace)
                for place in places:
                    etree.SubElement(wrapper, x("include"), schemaLocation=name_of(place))
                wrappers[namespace] = f"namespace{number}.xsd"
                (folder / wrappers[namespace]).write_bytes(etree.tostring(wrapper))
        used = {}
        for place, root in done.items():
            for child in root.iterchildren(x("import")):
                if child.attrib.pop("judge", None) is None:
                    continue
                location = wrappers.get(child.get("namespace"))
                if location is None and child.get("namespace") in KNOWN:
                    location = used[child.get("namespace")] = KNOWN[child.get("namespace")].as_uri()
                if location is not None:
                    child.set("schemaLocation", location)
            (folder / written[place]).write_bytes(etree.tostring(root))
        return self._everything(folder, {**used, **wrappers})

    def _everything(self, folder, wrappers):
        root = etree.Element(x("schema"), nsmap={"xs": XSD}, targetNamespace=OURS)
        wrappers["urn:made-up"] = MADE_UP.as_uri()
        types = self.part_types()
        for one in types:
            if one.namespace in KNOWN and one.namespace not in wrappers:
                wrappers[one.namespace] = KNOWN[one.namespace].as_uri()
        for namespace, location in wrappers.items():
            one = etree.SubElement(root, x("import"), schemaLocation=location)
            if namespace:
                one.set("namespace", namespace)
        for number, one in enumerate(types):
            if one.namespace not in wrappers and one.namespace != XSD:
                continue
            # A part's element is in no namespace (Basic Profile 1.1, R2735): a local one.
            holder = etree.SubElement(root, x("element"), name=f"part.{number}")
            inside = etree.SubElement(etree.SubElement(holder, x("complexType")), x("sequence"))
            # A prefix of its own for each: xmlschema knows one meaning of a prefix a document.
            prefix = {XSD: "xs:", None: ""}.get(one.namespace, f"part{number}:")
            for name in self.part_names(one):
                declared = f'xmlns:part{number}="{one.namespace}"' if prefix.startswith("part") else ""
                inside.append(
                    parsed(
                        f'<xs:element xmlns:xs="{XSD}" {declared} name="{name}" type="{prefix}{one.localname}" '
                        'form="unqualified" minOccurs="0" nillable="true"/>'
                    )
                )
        path = folder / "everything.xsd"
        path.write_bytes(etree.tostring(root))
        return path

    def _parts(self):
        for _, root in self.definitions:
            for part in root.iterfind(f"{w('message')}/{w('part')}"):
                if part.get("type") and part.get("name"):
                    yield part.get("name"), qname(part, part.get("type"))

    def part_types(self):
        return sorted({one for _, one in self._parts()}, key=str)

    def part_names(self, of):
        return sorted({name for name, one in self._parts() if one == of})

    def wrapped_part(self, node, of):
        """A part's element, in the element of `OURS` that its type is validated by."""
        number = self.part_types().index(of)
        holder = etree.Element(f"{{{OURS}}}part.{number}", nsmap={"judge": OURS})
        holder.append(parsed(etree.tostring(node, encoding="utf-8", with_tail=False)))
        return parsed(etree.tostring(holder, encoding="utf-8"))
