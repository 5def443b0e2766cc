"""Where Prism refuses a request that is what its description says, and why that is Prism's doing.

Each excuse is as narrow as the defect: of one violation, on one request, with the bytes that were
sent at hand. What is not excused here is a failure of the bridge.
"""

import base64
import json
import re
import urllib.parse


def written(value, text):
    """Whether a form's text is the value: plain, or JSON for what has members."""
    if isinstance(value, str):
        return text == value
    try:
        if json.loads(text) == value:
            return True
    except ValueError:
        pass
    # A file.
    if isinstance(value, dict) and isinstance(value.get("data"), str):
        return text == base64.b64decode(value["data"]).decode(errors="replace")
    return isinstance(value, dict) and text == value.get("text")


def many_in_form(violation, exchange, arguments):
    """A member is a list or an object, and each member was sent: what Prism misreads of one makes
    it find fault with others, where a schema has branches."""
    body = arguments.get("body")
    is_missing = violation.location == ["body"] and "required property" in violation.message
    if violation.location[:1] != ["body"] or is_missing:
        return False
    if not isinstance(body, dict) or not exchange.form:
        return False
    for name, value in body.items():
        wanted = [one for one in (value if isinstance(value, list) else [value]) if one is not None]
        sent = [text for key, text in exchange.form if key == name]
        if len(sent) != len(wanted) or not all(map(written, wanted, sent)):
            return False
    return any(isinstance(value, (list, dict)) for value in body.values())


def empty_form(violation, exchange, arguments):
    """A form without members is no bytes."""
    kind = exchange.headers.get("content-type")
    is_empty = kind == "application/x-www-form-urlencoded" and not exchange.body
    said = violation.message == "Body parameter is required"
    return is_empty and said and arguments.get("body") == {}


def unlisted_in_form(violation, exchange, arguments):
    """A member that is required, and not among the properties, was sent."""
    name = re.fullmatch(r"Request body must have required property '(.+)'", violation.message)
    body = arguments.get("body")
    if not name or violation.location != ["body"] or not isinstance(body, dict):
        return False
    return (name[1], body.get(name[1])) in exchange.form


def impossible_enum(violation, exchange, _arguments):
    """A parameter was sent with one of the very values that Prism says are allowed."""
    allowed = re.search(r"must be equal to one of the allowed values: (.+)", violation.message)
    if not allowed or violation.location[:1] != ["query"]:
        return False
    sent = urllib.parse.parse_qs(urllib.parse.urlsplit(exchange.target).query).get(violation.location[1], [])
    return len(sent) == 1 and sent[0] in allowed[1].split(", ")


EXCUSES = {
    many_in_form: "in a form without `encoding` a list is one pair or part an item, and an object"
    " is JSON (OpenAPI 3.2.0 §4.14.4.1, and `contentType` of the Encoding Object); Prism takes the last text of each name",
    empty_form: "a form without members is an empty body (WHATWG URL §5.2); Prism takes it for none",
    impossible_enum: "a `type: string` beside an `enum` of numbers lets no value through (JSON Schema 2020-12,"
    " validation §6.1); it is read as the author meant it, and Prism refuses every value",
    unlisted_in_form: "a member of a form may be required without being among the `properties` (JSON"
    " Schema 2020-12, validation §6.5.3); Prism drops what is not among them, and then misses it",
}


def excuse(violation, exchange, arguments):
    """Why a violation is none, or None."""
    return next(
        (reason for holds, reason in EXCUSES.items() if holds(violation, exchange, arguments)), None
    )
