"""Where Prism refuses a request that is what its description says, and why that is Prism's doing.

Each excuse is as narrow as the defect: of one violation, on one request, with the bytes that were
sent at hand. What is not excused here is a failure of the bridge.
"""

import json
import re


def list_in_form(violation, exchange, arguments):
    """A list of a form is one pair an item, and all of them were sent."""
    match violation.location:
        case ["body", name]:
            pass
        case _:
            return False
    body = arguments.get("body")
    wanted = body.get(name) if isinstance(body, dict) else None
    if not violation.message.endswith(" must be array") or not isinstance(wanted, list):
        return False
    sent = [value for key, value in exchange.form if key == name]
    return len(sent) == len(wanted)


def unlisted_in_form(violation, exchange, arguments):
    """A member that is required, and not among the properties, was sent."""
    name = re.fullmatch(r"Request body must have required property '(.+)'", violation.message)
    body = arguments.get("body")
    if not name or violation.location != ["body"] or not isinstance(body, dict):
        return False
    return (name[1], body.get(name[1])) in exchange.form


def json_in_part(violation, exchange, arguments):
    """An object or a list of a multipart form is a part of JSON, and was sent as one."""
    match violation.location:
        case ["body", name] if violation.message.endswith((" must be object", " must be array")):
            pass
        case _:
            return False
    sent = [
        json.loads(part.get_payload(decode=True))
        for part in exchange.parts
        if part.get_content_type() == "application/json"
        and part.get_param("name", header="content-disposition") == name
    ]
    return sent == [(arguments.get("body") or {}).get(name)]


EXCUSES = {
    list_in_form: "a list in a form without `encoding` is one pair an item (OpenAPI 3.2.0 §4.14.4.1);"
    " Prism keeps the last of the pairs, and then misses a list",
    unlisted_in_form: "a member of a form may be required without being among the `properties` (JSON"
    " Schema 2020-12, validation §6.5.3); Prism drops what is not among them, and then misses it",
    json_in_part: "an object in a multipart form is a part of JSON (OpenAPI 3.0.3, Special"
    " Considerations for multipart Content); Prism takes every part for text",
}


def excuse(violation, exchange, arguments):
    """Why a violation is none, or None."""
    return next(
        (reason for holds, reason in EXCUSES.items() if holds(violation, exchange, arguments)), None
    )
