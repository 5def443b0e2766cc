"""Arguments of the bridge as zeep's Python objects, by the types that zeep read.

`Beyond` says that zeep has no way to say a value; such a message is not compared.
"""

import base64
import decimal
import re

from lxml import etree
from zeep import xsd
from zeep.xsd.elements import Any, AnyAttribute, Choice
from zeep.xsd.types import builtins
from zeep.xsd.types.any import AnyType
from zeep.xsd.types.collection import ListType, UnionType
from zeep.xsd.types.complex import ComplexType


class Beyond(Exception):
    """zeep cannot express it."""


def rewritten(key):
    """A member's name as an argument: the bridge's rule for names that clients do not take."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", key.removeprefix("@")).strip("_")[:56]
    return plain + "_attr" if key.startswith("@") else plain


class Values:
    def __init__(self, client):
        self.types = client.wsdl.types

    def members(self, kind, arguments):
        """A wrapper's arguments under its members' names."""
        keys = [element.name for _, element in kind.elements if element.name]
        keys += [
            f"@{attribute.qname.localname}"
            for _, attribute in kind.attributes
            if getattr(attribute, "qname", None)
        ]
        out = {}
        for name, value in arguments.items():
            if name in keys or name.startswith("@{"):
                out[name] = value
                continue
            same = [key for key in keys if rewritten(key) == name]
            if name in ("any", "content") and not same:
                same = [f"#{name}"]
            if len(same) != 1:
                raise Beyond(f"no member for the argument {name}")
            out[same[0]] = value
        return out

    def element(self, element, value):
        if value is None or value == {"#nil": True}:
            return xsd.Nil
        if isinstance(value, dict) and "#nil" in value:
            raise Beyond("a nil element with attributes")
        return self.typed(element.type, value)

    def typed(self, kind, value):
        if isinstance(kind, ComplexType):
            return self.complex(kind, value)
        if type(kind) is AnyType:
            raise Beyond("a value of any type")
        return self.simple(kind, value)

    def simple(self, kind, value):
        if isinstance(kind, ListType):
            return [self.simple(kind.item_type, one) for one in value]
        if isinstance(kind, UnionType) or isinstance(value, bool):
            return value
        if isinstance(kind, builtins.Base64Binary):
            return base64.b64decode(value)
        if isinstance(kind, builtins.Decimal) and not isinstance(kind, builtins.Integer):
            return decimal.Decimal(str(value))
        if isinstance(
            kind, (builtins.gYear, builtins.gYearMonth, builtins.gMonth, builtins.gMonthDay, builtins.gDay)
        ):
            return kind.pythonvalue(value)
        if isinstance(kind, builtins.QName):
            raise Beyond("a qualified name: zeep declares no prefix for it")
        return value if isinstance(value, list) else str(value)

    def derived(self, label, base):
        found = []
        for kind in self.types.types:
            if isinstance(kind, ComplexType) and kind.qname is not None and kind.qname.localname == label:
                found.append(kind)
        if len(found) != 1:
            raise Beyond(f"{len(found)} types {label}")
        return found[0]

    def complex(self, kind, value):
        if isinstance(value, dict) and "@type" in value:
            kind = self.derived(value["@type"], kind)
            value = {key: one for key, one in value.items() if key != "@type"}
        if kind._array_type is not None:
            raise Beyond("an encoded array")
        if not isinstance(value, dict):
            value = {"#text": value}
        return kind(**self.kwargs(kind, value))

    def kwargs(self, kind, value):
        elements = {element.name: (name, element) for name, element in kind.elements if element.name}
        attributes = {
            f"@{one.qname.localname}": (name, one)
            for name, one in kind.attributes
            if getattr(one, "qname", None)
        }
        out = {}
        for key, one in value.items():
            if key in attributes:
                name, attribute = attributes[key]
                out[name] = self.simple(attribute.type, one)
            elif key == "#text":
                name, element = kind.elements[0]
                out[name] = self.simple(element.type, one)
            elif key == "#any":
                names = [name for name, element in kind.elements if isinstance(element, Any)]
                if len(names) != 1:
                    raise Beyond("wildcards")
                parsed = [etree.fromstring(text) for text in one]
                out[names[0]] = parsed if len(parsed) != 1 else parsed[0]
            elif key.startswith("@{"):
                names = [name for name, attribute in kind.attributes if isinstance(attribute, AnyAttribute)]
                if not names:
                    raise Beyond("a foreign attribute")
                out.setdefault(names[0], {})[key[1:]] = one
            elif key == "#content":
                out.update(self.content(kind, one))
            elif key in elements:
                name, element = elements[key]
                if (
                    element.accepts_multiple
                    or isinstance(one, list)
                    and not isinstance(element.type, ListType)
                ):
                    out[name] = [self.element(element, item) for item in one]
                else:
                    out[name] = self.element(element, one)
            else:
                raise Beyond(f"zeep knows no member {key}")
        return out

    def content(self, kind, items):
        nested = [
            (name, group)
            for name, group in kind.elements_nested
            if isinstance(group, Choice) and group.accepts_multiple
        ]
        if len(nested) != 1 or any(isinstance(item, str) for item in items):
            raise Beyond("ordered content that is no repeated choice")
        name, group = nested[0]
        elements = {element.name: element for _, element in group.elements if element.name}
        out = []
        for item in items:
            [(key, one)] = item.items()
            if key not in elements:
                raise Beyond("ordered content that is no repeated choice of elements")
            out.append({key: self.element(elements[key], one)})
        return {name: out}
