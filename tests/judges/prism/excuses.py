"""Where Prism refuses a request that is what its description says, and why that is Prism's doing.

Each excuse is as narrow as the defect: of one violation, on one request, with the bytes that were
sent at hand. What is not excused here is a failure of the bridge.
"""


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


EXCUSES = {
    list_in_form: "a list in a form without `encoding` is one pair an item (OpenAPI 3.2.0 §4.14.4.1);"
    " Prism keeps the last of the pairs, and then misses a list",
}


def excuse(violation, exchange, arguments):
    """Why a violation is none, or None."""
    return next(
        (reason for holds, reason in EXCUSES.items() if holds(violation, exchange, arguments)), None
    )
