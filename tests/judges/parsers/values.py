"""Arguments at random that are hard to write: what ends a part, a pair, a segment or a tag."""

import base64

from arguments import Values

PIECES = [
    "", " ", "a", "Zürich", "日本", "😀", '"', "'", "\\x", "\r\n", "\n", "\r", "\t", "&", "=", "+", "%", "%41",
    "%0d%0a", ";", ",", "|", "/", "..", "?", "#", "<", "]]>", "&amp;", "{", "--", "--tollbridge-00000000",
    "\r\n--tollbridge-00000000\r\n", "\r\n--tollbridge-00000000--\r\n", "; filename=", "[a]", "null", "true", "0",
]  # fmt: skip
TYPES = ["image/png", "text/plain", "application/x-thing"]


class Hard(Values):
    """Draws as `Values` does, but for text that nothing binds, and for files."""

    def string(self, schema, depth):
        if {"pattern", "format", "enum", "contentEncoding", "maxLength"} & schema.keys():
            return super().string(schema, depth)
        return "".join(self.random.choice(PIECES) for _ in range(self.random.randint(0, 4)))

    def object(self, schema, depth):
        properties = schema.get("properties", {})
        if not {"data", "text"} <= properties.keys():
            return super().object(schema, depth)
        if self.random.random() < 0.5:
            file = {"data": base64.b64encode(self.random.randbytes(self.random.randint(0, 40))).decode()}
        else:
            file = {"text": self.string({}, depth)}
        if self.random.random() < 0.5:
            file["filename"] = self.string({}, depth) or "f"
        if "content_type" in schema.get("required", []) or self.random.random() < 0.5:
            file["content_type"] = self.random.choice(properties["content_type"].get("enum", TYPES))
        return file
