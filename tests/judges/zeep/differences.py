"""Where zeep 4.3.3 writes something else than the bridge, and which clause says who is right.

`explained` takes the elements of the bridge's envelope and of zeep's, with the default values of
attributes that the schemas declare as (name, value), and answers with the reasons, or None where
there is a difference that none of them explains.
"""

from lxml import etree

TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
NILLED = "{http://www.w3.org/2001/XMLSchema-instance}nil"

NAN = "writes NAN for NaN (XML Schema part 2, 3.2.4.1: it is wrong)"
UNTYPED = "says no xsi:type in rpc/encoded (SOAP 1.1, 5.1, rule 2: both may)"
NIL = "writes the text Nil for xsi:nil (XML Schema part 1, 2.6.2: it is wrong)"
DEFAULTS = "sends attributes that were not given, with their defaults (XML Schema part 1, 3.2.1: the reader adds them; both may)"
NOTHING = (
    "sends an empty body where no soap:body is bound, the bridge all parts (WSDL 1.1, 3.5, does not say)"
)
WRAPPER = "takes no namespace for rpc that names none, the bridge the document's (Basic Profile 1.1, R2717, demands one)"
FALSE = "drops an element of a choice that is false (XML Schema part 1, 3.8.4: it is wrong)"


class Unexplained(Exception):
    """Nothing here says why."""


def explained(ours, theirs, defaults):
    reasons = set()
    if ours and not theirs:
        return NOTHING
    if len(ours) != len(theirs):
        return None
    try:
        for one, other in zip(ours, theirs):
            compare(one, other, defaults, reasons, top=True)
    except Unexplained:
        return None
    return "; ".join(sorted(reasons)) or None


def attributes_of(node):
    """A node's attributes, a type by its namespace and not by its prefix."""
    attributes = dict(node.attrib)
    if TYPE in attributes:
        prefix, _, local = attributes[TYPE].rpartition(":")
        attributes[TYPE] = f"{{{node.nsmap.get(prefix or None)}}}{local}"
    return attributes


def compare(ours, theirs, defaults, reasons, top=False):
    if ours.tag != theirs.tag:
        [one, other] = map(etree.QName, (ours, theirs))
        if not (top and one.localname == other.localname and other.namespace is None):
            raise Unexplained
        reasons.add(WRAPPER)
    attributes, others = attributes_of(ours), attributes_of(theirs)
    if NILLED in attributes and NILLED not in others:
        if (theirs.text, len(theirs)) != ("Nil", 0):
            raise Unexplained
        reasons.add(NIL)
        return
    for name in set(attributes) | set(others):
        value = others.get(name)
        if attributes.get(name) == value:
            continue
        if name == TYPE and value is None:
            reasons.add(UNTYPED)
        elif name not in attributes and (name, value) in defaults:
            reasons.add(DEFAULTS)
        else:
            raise Unexplained
    if (ours.text or "") != (theirs.text or ""):
        if (ours.text, theirs.text) != ("NaN", "NAN"):
            raise Unexplained
        reasons.add(NAN)
    mine, other = list(ours), list(theirs)
    if len(mine) != len(other):
        kept = [child for child in mine if child.text != "false" or child.tag in {one.tag for one in other}]
        if len(kept) != len(other):
            raise Unexplained
        mine = kept
        reasons.add(FALSE)
    for one, two in zip(mine, other):
        if (one.tail or "") != (two.tail or ""):
            raise Unexplained
        compare(one, two, defaults, reasons)
