"""Where Prism refuses a request that is what its description says, and why that is Prism's doing.

Each excuse is as narrow as the defect: of one violation, on one request, with the bytes that were
sent at hand. What is not excused here is a failure of the bridge.
"""

import json
import re


def written(value, text):
    """Whether a form's text is the value: plain, or JSON for what has members."""
    if isinstance(value, str):
        return text == value
    try:
        return json.loads(text) == value
    except ValueError:
        return False


def many_in_form(violation, exchange, arguments):
    """A list or an object, and all of it was sent."""
    body = arguments.get("body")
    if len(violation.location) < 2 or violation.location[0] != "body" or not isinstance(body, dict):
        return False
    name = violation.location[1]
    value = body.get(name)
    if not isinstance(value, (list, dict)):
        return False
    wanted = value if isinstance(value, list) else [value]
    sent = [text for key, text in exchange.form if key == name]
    return len(sent) == len(wanted) and all(map(written, wanted, sent))


def unlisted_in_form(violation, exchange, arguments):
    """A member that is required, and not among the properties, was sent."""
    name = re.fullmatch(r"Request body must have required property '(.+)'", violation.message)
    body = arguments.get("body")
    if not name or violation.location != ["body"] or not isinstance(body, dict):
        return False
    return (name[1], body.get(name[1])) in exchange.form


EXCUSES = {
    many_in_form: "in a form without `encoding` a list is one pair or part an item, and an object"
    " is JSON (OpenAPI 3.2.0 §4.14.4.1, and `contentType` of the Encoding Object); Prism takes the last text of each name",
    unlisted_in_form: "a member of a form may be required without being among the `properties` (JSON"
    " Schema 2020-12, validation §6.5.3); Prism drops what is not among them, and then misses it",
}


def excuse(violation, exchange, arguments):
    """Why a violation is none, or None."""
    return next(
        (reason for holds, reason in EXCUSES.items() if holds(violation, exchange, arguments)), None
    )
