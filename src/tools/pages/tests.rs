use serde_json::json;

use super::*;

fn rule(kind: PageKind) -> PageRule {
    PageRule { kind, rows: None, more: None, total: None, max_pages: 10, max_rows: 1_000 }
}

fn at(pointer: &str) -> ArgumentPointer {
    ArgumentPointer::parse(pointer).expect("a pointer")
}

fn arguments(value: Value) -> Arguments {
    serde_json::from_value(value).expect("an object")
}

/// Reads these pages; what was asked for after each, and the end.
fn read(rule: &PageRule, given: Value, pages: &[Value]) -> (Vec<Value>, Value, PagesRead) {
    let mut reading = Reading::new(rule, arguments(given));
    let mut asked = Vec::new();
    for page in pages {
        match reading.take(page.clone(), page.pointer("/link").and_then(Value::as_str)) {
            Some(Following::Arguments(arguments)) => asked.push(arguments.to_value()),
            Some(Following::Url(url)) => asked.push(url.into()),
            None => break,
        }
    }
    let (value, read) = reading.finish(|name| Some(name.to_owned()));
    (asked, value, read)
}

#[test]
fn a_cursor_leads_from_page_to_page() {
    let cursor = rule(PageKind::Cursor { argument: at("after"), next: "/meta/next".to_owned() });
    let pages = [
        json!({"items": [1, 2], "meta": {"next": "b"}}),
        json!({"items": [3], "meta": {"next": null}}),
        json!({"items": [4]}),
    ];
    let (asked, value, read) = read(&cursor, json!({"q": "x"}), &pages);
    assert_eq!(asked, [json!({"q": "x", "after": "b"})]);
    assert_eq!(value, json!({"items": [1, 2, 3], "meta": {"next": null}}));
    assert_eq!((read.pages, read.rows, read.more, read.ended), (2, 3, false, Ended::LastPage));
    assert_eq!(read.note(), None);
}

#[test]
fn numbers_and_offsets_end_with_a_page_without_rows() {
    let number = rule(PageKind::Number { argument: at("page"), start: 1 });
    let (asked, value, _) = read(&number, json!({}), &[json!([1]), json!([2]), json!([])]);
    assert_eq!(asked, [json!({"page": 2}), json!({"page": 3})]);
    assert_eq!(value, json!([1, 2]));
    let (asked, ..) = read(&number, json!({"page": "7"}), &[json!([1]), json!([])]);
    assert_eq!(asked, [json!({"page": "8"})], "text stays text");

    let offset = rule(PageKind::Offset { argument: at("/body/from") });
    let (asked, ..) = read(&offset, json!({"body": {"from": 4}}), &[json!([1, 2]), json!([])]);
    assert_eq!(asked, [json!({"body": {"from": 6}})]);
}

#[test]
fn an_answer_may_say_that_there_is_no_more() {
    let number = PageKind::Number { argument: at("page"), start: 0 };
    let more = PageRule { more: Some("/has_more".to_owned()), ..rule(number.clone()) };
    let pages = [json!({"d": [1], "has_more": true}), json!({"d": [2], "has_more": false})];
    let (asked, value, _) = read(&more, json!({}), &pages);
    assert_eq!((asked.len(), value), (1, json!({"d": [1, 2], "has_more": false})));

    let total = PageRule { total: Some("/n".to_owned()), ..rule(number) };
    let pages = [json!({"d": [1], "n": 2}), json!({"d": [2], "n": 2})];
    let (asked, _, read) = read(&total, json!({}), &pages);
    assert_eq!((asked.len(), read.more), (1, false));
}

#[test]
fn bounds_end_the_reading_and_say_how_to_go_on() {
    let kind = PageKind::Number { argument: at("page"), start: 1 };
    let pages = PageRule { max_pages: 2, ..rule(kind.clone()) };
    let (_, _, read_two) = read(&pages, json!({}), &[json!([1]), json!([2]), json!([3])]);
    assert_eq!((read_two.pages, read_two.more, read_two.ended), (2, true, Ended::MaxPages));
    assert_eq!(Value::Object(read_two.next.clone()), json!({"page": 3}));
    assert_eq!(
        read_two.note().as_deref(),
        Some(
            "This is not all: 2 rows of 2 pages; no more are read in one call. To go on, call \
             again with {\"page\":3} beside the same arguments."
        )
    );
    let rows = PageRule { max_rows: 2, ..rule(kind) };
    let (_, value, read) = read(&rows, json!({}), &[json!([1, 2, 3]), json!([4])]);
    assert_eq!((value, read.ended), (json!([1, 2, 3]), Ended::MaxRows));
}

#[test]
fn a_page_that_points_to_itself_is_read_once() {
    let cursor = rule(PageKind::Cursor { argument: at("after"), next: "/next".to_owned() });
    let page = json!({"items": [1], "next": "a"});
    let (asked, _, read) = read(&cursor, json!({}), &[page.clone(), page.clone(), page]);
    assert_eq!((asked.len(), read.pages, read.ended), (1, 2, Ended::Repeats));
    assert!(read.more && read.note().is_some());
}

#[test]
fn what_has_no_rows_is_an_answer_like_any_other() {
    let link = rule(PageKind::Link);
    for page in [json!({"a": [1], "b": [2], "link": "/x"}), json!("none"), json!({"a": 1})] {
        let (asked, value, read) = read(&link, json!({}), std::slice::from_ref(&page));
        assert_eq!((asked.len(), value, read.rows), (0, page, 0));
    }
    let named = PageRule { rows: Some("/a".to_owned()), ..link };
    let (asked, ..) = read(&named, json!({}), &[json!({"a": [1], "b": [2], "link": "/x?page=2"})]);
    assert_eq!(asked, ["/x?page=2"]);
}

#[test]
fn a_url_tells_the_arguments_that_it_stands_for() {
    let url = PageRule { max_pages: 1, ..rule(PageKind::Url { next: "/next".to_owned() }) };
    let page = json!({"rows": [1], "next": "https://a/x?page=2&per_page=50&token=t%20u"});
    let mut reading = Reading::new(&url, Arguments::default());
    assert_eq!(reading.take(page, None), None);
    let (_, read) = reading.finish(|name| (name != "per_page").then(|| name.to_owned()));
    assert_eq!(Value::Object(read.next), json!({"page": 2, "token": "t u"}));
}
