"""Values that fit a JSON Schema, as our tools list them: enough of 2020-12 for what tools have.

A value is drawn by a seeded generator, so that a run can be repeated. What it draws is a guess
where a schema has conditions, so an independent validator has the last word: only what that finds
valid is sent. `Unable` says that a schema is beyond it; such a tool is not tried, and the judge
says so.
"""

import base64
import json
import random

import rstr
from jsonschema import Draft202012Validator


# How often a draw is made anew before it is given up.
TRIES = 12


class Unable(Exception):
    """No value can be made for certain."""


FORMATS = {
    "date": "2026-03-14",
    "date-time": "2026-03-14T15:09:26Z",
    "time": "15:09:26Z",
    "email": "ann@example.com",
    "idn-email": "ann@example.com",
    "hostname": "api.example.com",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
    "uri": "https://example.com/a?b=c",
    "url": "https://example.com/a?b=c",
    "uri-reference": "/a/b?c=d",
    "uuid": "3f2b0c1e-7d54-4e0b-9a46-0c2f6d1b8a11",
    "byte": "aGVsbG8=",
    "duration": "P3D",
    "snowflake": "175928847299117063",
}
WORDS = ["blue", "a b", "x/y", "ü&=?", "10%", "plus+plus", "semi;colon", "Zürich", "q\"uote"]


class Values:
    def __init__(self, root, seed):
        self.root = root
        self.random = random.Random(seed)

    def arguments(self, everything):
        self.everything = everything
        return self.value(self.root, 0)

    def resolve(self, schema):
        for _ in range(32):
            if not isinstance(schema, dict) or "$ref" not in schema:
                return schema
            target = self.root
            for token in schema["$ref"].removeprefix("#/").split("/"):
                target = target[token.replace("~1", "/").replace("~0", "~")]
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**target, **rest} if isinstance(target, dict) else target
        raise Unable("a reference leads nowhere")

    def merged(self, schema):
        """The schema with its `allOf` laid into it, and one branch of its unions."""
        schema = self.resolve(schema)
        if schema is True:
            return {}
        if not isinstance(schema, dict):
            raise Unable("nothing fits")
        out = {key: value for key, value in schema.items() if key not in ("allOf", "anyOf", "oneOf")}
        parts = list(schema.get("allOf", []))
        for union in ("oneOf", "anyOf"):
            if schema.get(union):
                parts.append(self.random.choice(schema[union]))
        for part in parts:
            part = self.merged(part)
            properties = {**out.get("properties", {}), **part.get("properties", {})}
            required = list(dict.fromkeys([*out.get("required", []), *part.get("required", [])]))
            out = {**out, **part}
            if properties:
                out["properties"] = properties
            if required:
                out["required"] = required
        return out

    def value(self, schema, depth):
        if depth > 24:
            raise Unable("too deep")
        schema = self.merged(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        kind = schema.get("type")
        if isinstance(kind, list):
            kinds = [one for one in kind if one != "null"] or ["null"]
            kind = self.random.choice(kinds)
        if kind is None:
            if "properties" in schema:
                kind = "object"
            elif "items" in schema:
                kind = "array"
            else:
                kind = "string"
        return getattr(self, kind)(schema, depth)

    def null(self, _schema, _depth):
        return None

    def boolean(self, _schema, _depth):
        return self.random.choice([True, False])

    def integer(self, schema, _depth):
        low, high = self.bounds(schema, 1)
        step = schema.get("multipleOf", 1)
        step = int(step) if step >= 1 else 1
        first = -(-int(low) // step) * step
        if first > high:
            raise Unable("no integer fits")
        return first + step * self.random.randint(0, min(9, (int(high) - first) // step))

    def number(self, schema, depth):
        if schema.get("multipleOf"):
            step = schema["multipleOf"]
            low, _ = self.bounds(schema, step)
            return round(-(-low // step) * step, 6)
        low, high = self.bounds(schema, 0.5)
        return round((low + min(high, low + 10)) / 2, 2) if high > low else low

    def bounds(self, schema, step):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + step if "exclusiveMinimum" in schema else None)
        high = schema.get("maximum", schema.get("exclusiveMaximum", 0) - step if "exclusiveMaximum" in schema else None)
        if low is None:
            low = min(0 if high is None or high >= 0 else high, 1) if high is not None else 1
        if high is None:
            high = low + 1000
        return low, high

    def string(self, schema, _depth):
        least, most = schema.get("minLength", 0), schema.get("maxLength", 2**31)
        if schema.get("contentEncoding") == "base64":
            return base64.b64encode(b"hello").decode()
        if "pattern" in schema:
            for _ in range(40):
                try:
                    text = rstr.Rstr(self.random).xeger(schema["pattern"])
                except Exception as error:
                    raise Unable(f"pattern {schema['pattern']!r}") from error
                if least <= len(text) <= most and text.isprintable() and text.strip() == text != "":
                    return text
            raise Unable(f"pattern {schema['pattern']!r}")
        if schema.get("format") in FORMATS:
            text = FORMATS[schema["format"]]
            if least <= len(text) <= most:
                return text
            raise Unable(f"a {schema['format']} of {least} to {most} characters")
        text = self.random.choice(WORDS)
        while len(text) < least:
            text += "abc"
        text = text[:most].strip() or "a" * min(most, 1)
        return text + "a" * max(0, least - len(text))

    def array(self, schema, depth):
        items = schema.get("items", {})
        if items is False:
            return []
        least = schema.get("minItems", 0)
        count = least if depth > 6 else max(least, min(2, schema.get("maxItems", 2)))
        out = [self.value(one, depth + 1) for one in schema.get("prefixItems", [])]
        for _ in range(12 * max(1, count)):
            if len(out) >= count:
                break
            try:
                one = self.value(items, depth + 1)
            except Unable:
                if least:
                    raise
                break
            if not schema.get("uniqueItems") or one not in out:
                out.append(one)
        if len(out) < least:
            raise Unable("not enough different items")
        return out

    def object(self, schema, depth):
        out = {}
        required = schema.get("required", [])
        for name, member in schema.get("properties", {}).items():
            if name not in required and (depth > 3 or not (self.everything or self.random.random() < 0.3)):
                continue
            try:
                out[name] = self.value(member, depth + 1)
            except Unable:
                if name in required:
                    raise
        for name in required:
            if name not in out:
                out[name] = self.value(schema.get("additionalProperties") or {}, depth + 1)
        if len(out) < schema.get("minProperties", 0):
            raise Unable("not enough members")
        return out


def draws(schema, name, count):
    """Up to `count` arguments for a tool, the first with all that is optional."""
    found, why = [], "the validator refused every draw"
    validator = Draft202012Validator(schema)
    for n in range(count):
        for again in range(TRIES):
            seed = f"{name} {n}" if again == 0 else f"{name} {n} {again}"
            try:
                one = Values(schema, seed).arguments(everything=n == 0 and again < TRIES // 2)
            except (Unable, RecursionError) as error:
                why = str(error)
                continue
            if validator.is_valid(one):
                if one not in found:
                    found.append(one)
                break
    if not found:
        raise Unable(why)
    return found
