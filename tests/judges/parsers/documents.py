"""The descriptions whose requests are judged, and the schema of their XML."""

TEXT = {"type": "string"}
# What a delimiter could be mistaken for is in none of them.
WORD = {"type": "string", "pattern": "^[a-z&=+%/?#ü]{1,6}$"}
SMALL = {"type": "object", "properties": {"a": TEXT, "b": {"type": "integer"}}, "additionalProperties": False}
FILE = {"type": "string", "format": "binary"}
QUOTED = 'größe "x"'


def listed(items):
    return {"type": "array", "items": items, "minItems": 1, "maxItems": 3}


def closed(properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}


PLAIN = {
    "text": TEXT,
    QUOTED: TEXT,
    "count": {"type": "integer", "minimum": -5, "maximum": 9007199254740993},
    "price": {"type": "number"},
    "flag": {"type": "boolean"},
    "list": listed(TEXT),
    "numbers": listed({"type": "integer"}),
    "object": SMALL,
    "objects": listed(SMALL),
}
STYLES = {
    "exploded": (listed(TEXT), {"style": "form", "explode": True}),
    "commas": (listed(TEXT), {"style": "form", "explode": False}),
    "spaces": (listed(WORD), {"style": "spaceDelimited", "explode": False}),
    "pipes": (listed(WORD), {"style": "pipeDelimited", "explode": False}),
    "deep": (SMALL, {"style": "deepObject", "explode": True}),
    "pairs": (SMALL, {"style": "form", "explode": False}),
}
ORDER = {
    "type": "object",
    "xml": {"name": "order", "namespace": "urn:order", "prefix": "o"},
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "xml": {"attribute": True}},
        "place": {"type": "string", "xml": {"attribute": True, "name": "at"}},
        "name": TEXT,
        "note": {"type": "string", "xml": {"name": "remark"}},
        "open": {"type": "boolean"},
        "lines": {
            "type": "array",
            "minItems": 1,
            "xml": {"wrapped": True},
            "items": {
                "type": "object",
                "xml": {"name": "line"},
                "required": ["quantity"],
                "additionalProperties": False,
                "properties": {"sku": {"type": "string", "xml": {"attribute": True}}, "quantity": {"type": "integer"}},
            },
        },
        "tags": {"type": "array", "items": {"type": "string", "xml": {"name": "tag"}}},
    },
}
SCHEMA = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:order" targetNamespace="urn:order">
  <xs:element name="order"><xs:complexType><xs:sequence>
    <xs:element name="name" type="xs:string"/>
    <xs:element name="remark" type="xs:string" minOccurs="0"/>
    <xs:element name="open" type="xs:boolean" minOccurs="0"/>
    <xs:element name="lines" minOccurs="0"><xs:complexType><xs:sequence>
      <xs:element name="line" maxOccurs="unbounded"><xs:complexType>
        <xs:sequence><xs:element name="quantity" type="xs:integer"/></xs:sequence>
        <xs:attribute name="sku" type="xs:string"/>
      </xs:complexType></xs:element>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="tag" type="xs:string" minOccurs="0" maxOccurs="unbounded"/>
  </xs:sequence><xs:attribute name="id" type="xs:integer"/><xs:attribute name="at" type="xs:string"/></xs:complexType></xs:element>
</xs:schema>
"""
LETTER = closed({"about": TEXT, "pages": {"type": "integer"}, "scan": FILE})


def post(media_type, entry):
    body = {"required": True, "content": {media_type: entry}}
    return {"requestBody": body, "responses": {"200": {"description": "", "content": {media_type: entry}}}}


def parameters(place, all_of_them, **more):
    return [{"name": name, "in": place, **about, **more} for name, about in all_of_them.items()]


OPERATIONS = {
    "form": post(
        "multipart/form-data",
        {
            "schema": closed({**PLAIN, "file": FILE, "files": listed(FILE), "json": SMALL, "ranked": TEXT}),
            "encoding": {
                "json": {"contentType": "application/json"},
                "files": {"contentType": "image/png, text/plain"},
                "ranked": {"headers": {"X-Rank": {"schema": {"type": "integer"}}}},
            },
        },
    ),
    "nested": post(
        "multipart/form-data",
        {
            "schema": closed({"before": TEXT, "letter": listed(LETTER), "after": TEXT}),
            "encoding": {"letter": {"contentType": "multipart/mixed", "encoding": {"about": {"contentType": "text/markdown"}}}},
        },
    ),
    "positions": post(
        "multipart/mixed",
        {
            "schema": {"type": "array", "prefixItems": [SMALL, TEXT], "items": {}, "minItems": 2, "maxItems": 5},
            "prefixEncoding": [{}, {"contentType": "text/markdown"}],
            "itemEncoding": {"contentType": "application/pdf"},
        },
    ),
    "urlencoded": post(
        "application/x-www-form-urlencoded",
        {"schema": closed(PLAIN), "encoding": {"object": {"contentType": "application/json"}}},
    ),
    "styles": post(
        "application/x-www-form-urlencoded",
        {
            "schema": closed({name: schema for name, (schema, _) in STYLES.items()}),
            "encoding": {name: style for name, (_, style) in STYLES.items()},
        },
    ),
    "query": {
        "parameters": parameters("query", {name: {"schema": schema, **style} for name, (schema, style) in STYLES.items()})
        + parameters("query", {"text": {"schema": TEXT}, "json": {"content": {"application/json": {"schema": SMALL}}}}),
        "responses": {},
    },
    "cookies": {"parameters": parameters("cookie", {"sid": {"schema": TEXT}, "n": {"schema": {"type": "integer"}}}), "responses": {}},
    "xml": post("application/xml", {"schema": ORDER}),
}
PATH = {
    "parameters": parameters("path", {"one": {"schema": TEXT}, "many": {"schema": listed(TEXT)}}, required=True)
    + parameters("path", {"label": {"schema": TEXT, "style": "label"}, "matrix": {"schema": TEXT, "style": "matrix"}}, required=True),
    "responses": {},
}


def document():
    paths = {f"/{name}": {"post": {"operationId": name, **one}} for name, one in OPERATIONS.items()}
    paths["/p/{one}/{many}/x{label}/{matrix}/end"] = {"get": {"operationId": "path", **PATH}}
    return {"openapi": "3.2.0", "info": {"title": "parsers", "version": "1"}, "paths": paths}
