"""Arguments that fit the input schemas of SOAP operations, drawn by a seeded generator.

The schemas say in words which branch of a choice stands, the order of `#content` and what a
text must look like; a person or an agent reads that, and so does this. What a schema does not
say at all, the bridge does: `drawn` mends its arguments by the answer and draws again.
"""

import decimal
import random
import re

import rstr


class Unable(Exception):
    """No value can be made for certain."""


DEEP = 5
TEXTS = ["blue", 'a < b & "c" ]]>', "Zürich €", "it's 10%", "{braces}", "x", "0", "true", "日本語"]
# By what a description expects; the first is taken where little is asked for.
KINDS = {
    "text": TEXTS,
    "a language tag": ["en", "de-CH"],
    "an XML name": ["name", "_a-b.c"],
    "a URI": ["https://example.com/a?b=c&d=e", "urn:a:b", "/a/b"],
    "a date and time with its zone": ["2026-11-25T10:00:00Z", "1999-12-31T23:59:59.999+14:00"],
    "a date and time": ["2026-11-25T10:00:00Z", "2026-11-25T10:00:00", "0001-01-01T00:00:00.123456-05:00"],
    "a date": ["2026-11-25", "2026-02-28Z", "2024-02-29+02:00"],
    "a time": ["10:00:00", "23:59:59.5Z", "00:00:00-08:00"],
    "a year and month": ["2026-11", "2026-11Z"],
    "a year": ["2026", "0001", "2026Z"],
    "a month and day": ["--11-25", "--02-29Z"],
    "a month": ["--11", "--12Z"],
    "a day of the month": ["---25", "---01Z"],
    "a duration in days and times": ["P1DT2H", "PT0.5S"],
    "a duration in years and months": ["P1Y2M", "-P3M"],
    "a duration": ["P1DT2H", "P1Y2M3DT4H5M6.7S", "PT1S"],
    "bytes in base64": ["AAEC", "aGVsbG8=", "/+8="],
    "bytes in hexadecimal digits": ["0A1B", "FF", "00"],
    "a qualified name": ["{urn:made-up}name", "local"],
}
DIGITS = ("a number without an exponent", "a whole number")
FOREIGN = '<m:made-up xmlns:m="urn:made-up" a="1">text<m:inner/></m:made-up>'
CHOICE = re.compile(r"(Exactly|At most) one of: (.*?)\.(?=\s|$)")
BOUND = re.compile(r"(at least|at most|more than|less than) (-?[0-9.]+)")


class Made:
    """One draw: `least` has what must be there, `most` one of everything, `random` either."""

    def __init__(self, root, seed, fill, demanded=()):
        self.root, self.fill, self.demanded = root, fill, demanded
        self.random = random.Random(f"{seed} {fill}")
        self.ids = []

    def pick(self, options):
        options = list(options)
        return self.random.choice(options) if self.fill == "random" else options[0]

    def resolved(self, schema):
        for _ in range(32):
            if "$ref" in schema:
                target = self.root
                for token in schema["$ref"].removeprefix("#/").split("/"):
                    target = target[token.replace("~1", "/").replace("~0", "~")]
            elif "allOf" in schema:
                # What clients are shown has a reference with something beside it so.
                [target] = schema["allOf"]
            else:
                return schema
            rest = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
            joined = {**target, **rest}
            for key in ("required", "description"):
                if key in target and key in rest:
                    between = [] if key == "required" else " "
                    joined[key] = target[key] + between + rest[key]
            schema = joined
        raise Unable("a reference leads nowhere")

    def value(self, schema, path=(), depth=0):
        if depth > 24:
            raise Unable("it demands values without an end")
        if schema is False:
            raise Unable("nothing fits")
        schema = self.resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.pick(schema["enum"])
        if "anyOf" in schema:
            return self.union(schema, path, depth)
        if "not" in schema:
            raise Unable("nothing fits")
        kind = schema.get("type")
        if kind == "object":
            return self.object(schema, path, depth)
        if kind == "array":
            return self.array(schema, path, depth)
        if kind == "boolean":
            return self.pick([True, False])
        if kind == "null":
            return None
        if kind in ("integer", "number"):
            return self.number(schema, kind)
        return self.text(schema)

    def union(self, schema, path, depth):
        branches = schema["anyOf"]
        digits = [
            one
            for one in branches
            if one.get("description", "").startswith(tuple("Expected: " + words for words in DIGITS))
        ]
        if digits and len(branches) <= 3:
            if len(branches) == 3 and self.fill == "random" and self.random.random() < 0.2:
                return None
            return self.digits(digits[0], branches)
        branches = [one for one in branches if one != {"type": "null"}] if self.fill != "random" else branches
        order = list(branches)
        if self.fill == "random":
            self.random.shuffle(order)
        last = Unable("no branch")
        for branch in order:
            try:
                return self.value(branch, path, depth + 1)
            except Unable as error:
                last = error
        raise last

    def digits(self, text, branches):
        """A decimal, as a number or as its digits."""
        low, high = decimal.Decimal("-Infinity"), decimal.Decimal("Infinity")
        tiny = decimal.Decimal(1)
        for words, bound in BOUND.findall(text["description"]):
            bound = decimal.Decimal(bound.rstrip("."))
            if words in ("at least", "more than"):
                low = max(low, bound + (tiny if words == "more than" else 0))
            else:
                high = min(high, bound - (tiny if words == "less than" else 0))
        for one in branches:
            if "minimum" in one:
                low = max(low, decimal.Decimal(str(one["minimum"])))
            if "maximum" in one:
                high = min(high, decimal.Decimal(str(one["maximum"])))
        if low > high:
            raise Unable("no number fits")
        options = [low] if low.is_finite() else []
        options += [
            decimal.Decimal(one)
            for one in ("7", "0", "-12", "123456789012345678")
            if low <= decimal.Decimal(one) <= high
        ]
        if "whole" not in text["description"]:
            options += [
                decimal.Decimal(one)
                for one in ("0.25", "1234567890.0123456789")
                if low <= decimal.Decimal(one) <= high
            ]
        if not options:
            options = [high]
        value = format(self.pick(options), "f")
        as_number = self.fill == "random" and abs(float(value)) < 2**31 and "." not in value
        return int(value) if as_number else value

    def number(self, schema, kind):
        low = schema.get(
            "minimum", schema.get("exclusiveMinimum", -(10**9)) + (1 if "exclusiveMinimum" in schema else 0)
        )
        high = schema.get(
            "maximum", schema.get("exclusiveMaximum", 10**9) - (1 if "exclusiveMaximum" in schema else 0)
        )
        if low > high:
            raise Unable("no number fits")
        options = [one for one in (7, 0, -3, low, high) if low <= one <= high] or [low]
        if kind == "number" and low <= 1.5 <= high:
            options += [1.5]
        return self.pick(options)

    def text(self, schema):
        says = schema.get("description", "")
        least, most = schema.get("minLength", 0), schema.get("maxLength", 10**6)
        if "as XML" in says:
            return FOREIGN
        if "stands once in the message" in says:
            self.ids.append(f"id{len(self.ids)}")
            return self.ids[-1]
        if "is an ID in the message" in says:
            return self.pick(self.ids) if self.ids else "name"
        told = re.search(r"Matches the XML Schema pattern (.*)\.$", says, re.S)
        pattern = told.group(1) if told else schema.get("pattern")
        if pattern:
            return self.matching(pattern, least, most)
        kinds = [options for kind, options in KINDS.items() if f"Expected: {kind}" in says]
        if not kinds and any(f"Expected: {kind}" in says for kind in DIGITS):
            return "7"
        options = [one for one in (kinds[0] if kinds else TEXTS) if least <= len(one) <= most]
        if options:
            return self.pick(options)
        return "abcdefghij"[: min(most, 10)].ljust(min(least, 10_000), "x")

    def matching(self, pattern, least, most):
        pattern = (
            pattern.replace(r"\i", "[A-Za-z_]")
            .replace(r"\c", "[A-Za-z0-9._-]")
            .removeprefix("^")
            .removesuffix("$")
        )
        rstr_ = rstr.Rstr(self.random)
        try:
            for _ in range(40):
                text = rstr_.xeger(pattern)
                if least <= len(text) <= most and text.isprintable() and text == text.strip():
                    return text
        except Exception as error:
            raise Unable(f"the pattern {pattern!r}") from error
        raise Unable(f"the pattern {pattern!r}")

    def array(self, schema, path, depth):
        says = schema.get("description", "")
        items = schema.get("items", {})
        least, most = schema.get("minItems", 0), schema.get("maxItems", 10**6)
        model = re.search(r"in this order: (.*)\.$", says, re.S)
        if model:
            item = self.resolved(items)
            members = (item if "properties" in item else item["anyOf"][0])["properties"]
            tree, _ = model_of(model.group(1), 0)
            return self.ordered(tree, members, "anyOf" in item, path, depth)
        if "as XML" in says:
            return [FOREIGN] * max(1, least)
        count = {"least": max(1, least), "most": max(2, least)}.get(
            self.fill, least + self.random.randint(0, 2)
        )
        count = least if depth > DEEP else min(count, most)
        out = []
        for _ in range(count):
            try:
                out.append(self.value(items, path, depth + 1))
            except Unable:
                if len(out) < least:
                    raise
                break
        return out

    def ordered(self, node, members, mixed, path, depth):
        kind, parts, least, most = node
        times = (
            least
            if depth > DEEP
            else max(least, min(most, {"least": 0, "most": 2}.get(self.fill, self.random.randint(0, 2))))
        )
        out = []
        for _ in range(times):
            if mixed and self.fill != "least" and self.random.random() < 0.3:
                out.append(self.pick(TEXTS))
            if kind == "name":
                if parts not in members:
                    raise Unable(f"there is no member {parts}")
                out.append({parts: self.value(members[parts], (*path, parts), depth + 1)})
            elif kind == "|":
                out += self.ordered(self.pick(parts), members, mixed, path, depth + 1)
            else:
                for part in parts:
                    out += self.ordered(part, members, mixed, path, depth + 1)
        return out

    def object(self, schema, path, depth):
        properties = schema.get("properties", {})
        required = set(schema.get("required", ()))
        allowed, wanted = set(properties), set(required)
        wanted |= {name for name in properties if (*path, name) in self.demanded}
        for word, text in CHOICE.findall(schema.get("description", "")):
            branches = [set(one.split(", ")) for one in text.split("; ")]
            live = [one for one in branches if one & allowed]
            if not live:
                continue
            asked = [one for one in live if one & wanted]
            chosen = self.pick(asked or live)
            beside = set().union(*live) - chosen
            allowed -= beside
            wanted -= beside
            if (
                word == "Exactly"
                or asked
                or self.fill == "most"
                or (self.fill == "random" and self.random.random() < 0.5)
            ):
                wanted |= chosen & allowed
            else:
                allowed -= chosen
        out = {}
        for name, member in properties.items():
            if name not in allowed:
                continue
            more = depth < DEEP and {"least": False, "most": True}.get(self.fill, self.random.random() < 0.5)
            if name == "@type" and name not in required:
                more = False
            if name not in wanted and not more:
                continue
            try:
                out[name] = self.value(member, (*path, name), depth + 1)
            except Unable:
                if name in required or name in wanted:
                    raise
        if schema.get("patternProperties") and self.fill == "most":
            out["@{urn:made-up}extra"] = "foreign"
        return out


def model_of(text, at):
    """A content model as the bridge writes it, `(a, b?, (c | d)*)`: kind, parts, least, most."""
    if text[at] == "(":
        parts, kind = [], ","
        at += 1
        while text[at] != ")":
            part, at = model_of(text, at)
            parts.append(part)
            rest = re.compile(r"(, | \| | & )").match(text, at)
            if rest:
                kind, at = rest.group(1).strip(), rest.end()
        node, at = (kind, parts), at + 1
    else:
        name = re.compile(r"[^,|&()?*+{}\s]+").match(text, at)
        node, at = ("name", name.group()), name.end()
    often = re.compile(r"[?*+]|\{(\d+),(\d*)\}").match(text, at)
    if not often:
        return (*node, 1, 1), at
    sign = often.group()
    bounds = {"?": (0, 1), "*": (0, 10**6), "+": (1, 10**6)}.get(sign)
    return (*node, *(bounds or (int(often.group(1)), int(often.group(2) or 10**6)))), often.end()


def drawn(schema, name, fill, accepted):
    """Arguments that `accepted` takes: it answers None, or (pointer, expected) of a refusal.

    Returns them with the refusals on the way. Raises Unable after the last.
    """
    demanded, refusals = set(), []
    for attempt in range(6):
        arguments = Made(schema, f"{name} {attempt}", fill, frozenset(demanded)).value(schema)
        refused = accepted(arguments)
        if refused is None:
            return arguments, refusals
        refusals.append((*refused, arguments))
        path = tuple(one for one in refused[0].split("/")[1:] if not one.isdigit())
        if refused[1] == "a value":
            demanded.add(path)
        elif refused[1].startswith("one of: ") and path[-1:] != ("@type",):
            demanded.add((*path, refused[1].removeprefix("one of: ").split(", ")[0]))
    raise Unable(f"{refusals[-1][0]}: {refusals[-1][1]}")
