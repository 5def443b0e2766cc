//! The style tables of OpenAPI (3.0.4 §4.7.12.4, 3.1.1 §4.8.12.7), byte for byte.

use serde_json::{Value, json};

use crate::support::{encode, try_encode, with_parameter};

fn empty() -> Value {
    json!("")
}
fn string() -> Value {
    json!("blue")
}
fn array() -> Value {
    json!(["blue", "black", "brown"])
}
fn object() -> Value {
    json!({"R": 100, "G": 200, "B": 150})
}

fn parameter(place: &str, style: &str, explode: bool) -> Value {
    json!({"name": "color", "in": place, "required": place == "path", "style": style,
           "explode": explode, "schema": {}})
}

#[test]
fn path_parameters_follow_the_table() {
    for (style, explode, value, expected) in [
        ("matrix", false, empty(), None),
        ("matrix", false, string(), Some(";color=blue")),
        ("matrix", false, array(), Some(";color=blue,black,brown")),
        ("matrix", false, object(), Some(";color=R,100,G,200,B,150")),
        ("matrix", true, string(), Some(";color=blue")),
        ("matrix", true, array(), Some(";color=blue;color=black;color=brown")),
        ("matrix", true, object(), Some(";R=100;G=200;B=150")),
        ("label", false, empty(), None),
        ("label", false, string(), Some(".blue")),
        ("label", false, array(), Some(".blue,black,brown")),
        ("label", false, object(), Some(".R,100,G,200,B,150")),
        ("label", true, string(), Some(".blue")),
        ("label", true, array(), Some(".blue.black.brown")),
        ("label", true, object(), Some(".R=100.G=200.B=150")),
        ("simple", false, empty(), None),
        ("simple", false, string(), Some("blue")),
        ("simple", false, array(), Some("blue,black,brown")),
        ("simple", false, object(), Some("R,100,G,200,B,150")),
        ("simple", true, string(), Some("blue")),
        ("simple", true, array(), Some("blue,black,brown")),
        ("simple", true, object(), Some("R=100,G=200,B=150")),
    ] {
        let operation = with_parameter("/p/{color}", &parameter("path", style, explode));
        let path = try_encode(&operation, &json!({"color": value}));
        let expected = expected.map(|segment| format!("/p/{segment}"));
        assert_eq!(path.ok().map(|request| request.path), expected, "{style} {explode} {value}");
    }
}

#[test]
fn query_parameters_follow_the_table() {
    for (style, explode, value, expected) in [
        ("form", false, empty(), Some("color=")),
        ("form", false, string(), Some("color=blue")),
        ("form", false, array(), Some("color=blue,black,brown")),
        ("form", false, object(), Some("color=R,100,G,200,B,150")),
        ("form", true, empty(), Some("color=")),
        ("form", true, string(), Some("color=blue")),
        ("form", true, array(), Some("color=blue&color=black&color=brown")),
        ("form", true, object(), Some("R=100&G=200&B=150")),
        ("spaceDelimited", false, array(), Some("color=blue%20black%20brown")),
        ("spaceDelimited", false, object(), Some("color=R%20100%20G%20200%20B%20150")),
        ("pipeDelimited", false, array(), Some("color=blue%7Cblack%7Cbrown")),
        ("pipeDelimited", false, object(), Some("color=R%7C100%7CG%7C200%7CB%7C150")),
        ("deepObject", true, object(), Some("color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150")),
        ("form", true, json!([]), None),
        ("form", false, json!({}), None),
    ] {
        let operation = with_parameter("/p", &parameter("query", style, explode));
        let request = encode(&operation, &json!({"color": value}));
        assert_eq!(request.query.as_deref(), expected, "{style} {explode} {value}");
    }
}

#[test]
fn header_parameters_follow_the_table() {
    for (explode, value, expected) in [
        (false, empty(), ""),
        (false, string(), "blue"),
        (false, array(), "blue,black,brown"),
        (false, object(), "R,100,G,200,B,150"),
        (true, array(), "blue,black,brown"),
        (true, object(), "R=100,G=200,B=150"),
    ] {
        let operation = with_parameter("/p", &parameter("header", "simple", explode));
        let request = encode(&operation, &json!({"color": value}));
        let header = request.headers.iter().find(|(name, _)| name == "color").unwrap();
        assert_eq!(header.1, expected, "{explode} {value}");
    }
}

#[test]
fn cookie_parameters_follow_the_table() {
    for (explode, value, expected) in [
        (false, empty(), vec!["color="]),
        (false, string(), vec!["color=blue"]),
        (false, array(), vec!["color=blue,black,brown"]),
        (false, object(), vec!["color=R,100,G,200,B,150"]),
        (true, array(), vec!["color=blue", "color=black", "color=brown"]),
        (true, object(), vec!["R=100", "G=200", "B=150"]),
    ] {
        let operation = with_parameter("/p", &parameter("cookie", "form", explode));
        let request = encode(&operation, &json!({"color": value}));
        assert_eq!(request.cookies, expected, "{explode} {value}");
    }
}

#[test]
fn deep_objects_nest_and_number_their_lists() {
    let operation = with_parameter("/p", &parameter("query", "deepObject", true));
    let value = json!({"color": {"a": {"b": 1, "c": ["x", {"d": "y"}]}, "n": null}});
    assert_eq!(
        encode(&operation, &value).query.unwrap(),
        "color%5Ba%5D%5Bb%5D=1&color%5Ba%5D%5Bc%5D%5B0%5D=x&color%5Ba%5D%5Bc%5D%5B1%5D%5Bd%5D=y"
    );
    let error = try_encode(&operation, &json!({"color": {"a][b": 1}})).unwrap_err();
    assert_eq!(error.pointer, "/color/a][b");
}

#[test]
fn the_defaults_are_the_specifications() {
    let plain = |place: &str| json!({"name": "c", "in": place, "required": true, "schema": {}});
    let value = json!({"c": ["a", "b"]});
    assert_eq!(encode(&with_parameter("/{c}", &plain("path")), &value).path, "/a,b");
    let query = encode(&with_parameter("/", &plain("query")), &value).query;
    assert_eq!(query.as_deref(), Some("c=a&c=b"));
}

#[test]
fn a_delimiter_inside_of_a_value_is_encoded_or_refused() {
    for (place, style, item, expected) in [
        ("query", "form", "a,b", Some("c=a%2Cb,c")),
        ("query", "spaceDelimited", "a b", None),
        ("query", "pipeDelimited", "a|b", None),
        ("query", "pipeDelimited", "a,b", Some("c=a%2Cb%7Cc")),
    ] {
        let parameter =
            json!({"name": "c", "in": place, "style": style, "explode": false, "schema": {}});
        let operation = with_parameter("/", &parameter);
        let query = try_encode(&operation, &json!({"c": [item, "c"]}));
        assert_eq!(query.ok().and_then(|r| r.query).as_deref(), expected, "{style} {item}");
    }
    let header = with_parameter("/", &json!({"name": "X-C", "in": "header", "schema": {}}));
    assert!(try_encode(&header, &json!({"X-C": ["a,b"]})).is_err());
    assert!(try_encode(&header, &json!({"X-C": "a,b"})).is_ok());
}

#[test]
fn reserved_characters_stay_only_where_they_cannot_end_a_value() {
    let parameter = json!({"name": "q", "in": "query", "allowReserved": true, "schema": {}});
    let operation = with_parameter("/", &parameter);
    let request = encode(&operation, &json!({"q": "a/b?c=d&e#f+g;h:i"}));
    assert_eq!(request.query.unwrap(), "q=a/b?c=d%26e%23f%2Bg;h:i");
}

#[test]
fn a_parameter_with_content_is_json() {
    let content = json!({"application/json": {"schema": {"type": "object"}}});
    for (place, path) in [("query", "/"), ("path", "/{f}")] {
        let parameter = json!({"name": "f", "in": place, "required": true, "content": content});
        let operation = with_parameter(path, &parameter);
        let request = encode(&operation, &json!({"f": {"a": [1.50, "x"]}}));
        let expected = "%7B%22a%22%3A%5B1.5%2C%22x%22%5D%7D";
        match place {
            "query" => assert_eq!(request.query.unwrap(), format!("f={expected}")),
            _ => assert_eq!(request.path, format!("/{expected}")),
        }
    }
}

#[test]
fn what_a_style_cannot_write_is_refused_with_its_place() {
    for style in ["form", "pipeDelimited"] {
        let operation = with_parameter("/", &parameter("query", style, true));
        let error = try_encode(&operation, &json!({"color": [["a"]]})).unwrap_err();
        assert_eq!(error.pointer, "/color/0", "{style}");
    }
}

#[test]
fn swagger_collections_are_written_as_they_say() {
    for (format, expected) in [
        ("csv", "a=1,2"),
        ("ssv", "a=1%202"),
        ("tsv", "a=1%092"),
        ("pipes", "a=1%7C2"),
        ("multi", "a=1&a=2"),
    ] {
        let document = json!({"swagger": "2.0", "info": {}, "paths": {"/": {"get": {"parameters": [
            {"name": "a", "in": "query", "type": "array", "items": {"type": "integer"},
             "collectionFormat": format}
        ], "responses": {}}}}});
        let operation = crate::support::only(&document.to_string());
        let request = encode(&operation, &json!({"a": [1, 2]}));
        assert_eq!(request.query.as_deref(), Some(expected), "{format}");
    }
}
