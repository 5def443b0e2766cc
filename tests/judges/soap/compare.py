"""Whether a value came back as it was sent, in the forms that the bridge gives to answers."""

import decimal
import re

from lxml import etree


def instant(text):
    """A date and time without the zeros at its end, in UTC as Z; other text as it is."""
    found = re.fullmatch(r"(-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?", text)
    if not found:
        return text
    moment, fraction, zone = found.groups()
    return moment + (fraction or "").rstrip("0").rstrip(".") + {"+00:00": "Z"}.get(zone, zone or "")


def same(sent, read, lossy=False):
    """Whether a value came back: digits are text in answers.

    `lossy` is for servers to which nil, an empty list and nothing are the same.
    """
    # A nil element without attributes has two spellings, and some servers lose those that it has.
    if isinstance(sent, dict) and sent.get("#nil") is True and (lossy or len(sent) == 1):
        sent = None
    if isinstance(sent, bool) or isinstance(read, bool):
        return sent is read
    if isinstance(sent, (int, float, str)) and isinstance(read, (int, float, str)):
        if str(sent) == str(read) or canonical(str(sent)) == canonical(str(read)):
            return True
        if instant(str(sent)) == instant(str(read)):
            return True
        try:
            return decimal.Decimal(str(sent)) == decimal.Decimal(str(read))
        except decimal.InvalidOperation:
            return False
    if isinstance(sent, list) and isinstance(read, list):
        return len(sent) == len(read) and all(same(one, other, lossy) for one, other in zip(sent, read))
    if isinstance(sent, dict) and isinstance(read, dict):
        # What has a default is there in an answer also where it was not said, and no element is
        # an empty list.
        nothing = ([], {}, None) if lossy else ([],)
        return all(
            same(value, read[key], lossy)
            if key in read
            else value in nothing or lossy and isinstance(value, dict) and "#nil" in value
            for key, value in sent.items()
        )
    return sent is None and read is None or lossy and sent == {} and read is None


def canonical(text):
    """XML in a text, whatever its prefixes; other text as it is."""
    if not text.startswith("<"):
        return text
    try:
        return etree.canonicalize(text, rewrite_prefixes=True)
    except etree.XMLSyntaxError:
        return text
