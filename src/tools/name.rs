//! Names for tools: from an operation's id to a word that every client accepts.
//!
//! The rule is the contract's: the id in `snake_case`, shortened by whole words to 40
//! characters, numbered where it is taken. It is a pure function of the id and the names
//! that are taken, so importing a description twice proposes the same names.

use std::collections::BTreeSet;

use tollbridge_operation::{OperationKey, ToolName};

/// The longest tool name, as [`ToolName`] has it.
const LONGEST: usize = 40;

/// What an id without a single usable letter is called.
const NAMELESS: &str = "operation";

/// Proposes a name for the operation that is none of those `taken`.
///
/// `GET /orders/{id}` becomes `get_orders_by_id`, `getHTTPStatus` becomes
/// `get_http_status`, and of a SOAP operation's `Service.Port.Operation` the operation's own
/// name is taken.
pub fn propose(key: &OperationKey, taken: &BTreeSet<ToolName>) -> ToolName {
    let words = words_of_key(key.as_str());
    let mut number = 1_u64;
    loop {
        let suffix = if number == 1 { String::new() } else { format!("_{number}") };
        let name = shorten(&words, LONGEST - suffix.len()) + &suffix;
        let name = ToolName::new(name).expect("words of a-z and 0-9, joined and cut at 40");
        if !taken.contains(&name) {
            return name;
        }
        number += 1;
    }
}

fn words_of_key(key: &str) -> Vec<String> {
    let mut words = Vec::new();
    if let Some((method, path)) = endpoint(key) {
        push_words(method, &mut words);
        for segment in path.split('/') {
            push_segment(segment, &mut words);
        }
    } else {
        push_words(soap_operation(key).unwrap_or(key), &mut words);
    }
    if words.is_empty() {
        words.push(NAMELESS.to_owned());
    }
    words
}

/// `GET /orders/{id}` as method and path.
fn endpoint(key: &str) -> Option<(&str, &str)> {
    let (method, path) = key.split_once(' ')?;
    let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
    (is_method && path.starts_with('/')).then_some((method, path))
}

/// A path segment: `{id}` reads `by_id`, also inside of other text (`{id}.json`).
fn push_segment(segment: &str, words: &mut Vec<String>) {
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('{') {
        push_words(before, words);
        let Some((parameter, tail)) = after.split_once('}') else {
            rest = after;
            break;
        };
        let length = words.len();
        push_words(parameter, words);
        if words.len() > length {
            words.insert(length, "by".to_owned());
        }
        rest = tail;
    }
    push_words(rest, words);
}

/// The operation of `Service.Port.Operation`. An `operationId` may have three parts too
/// (`drive.files.list`), and means all of them: a port is told by its name.
fn soap_operation(key: &str) -> Option<&str> {
    const PORTS: [&str; 6] = ["port", "porttype", "soap", "soap11", "soap12", "endpoint"];
    let mut parts = key.splitn(3, '.');
    let (service, port, operation) = (parts.next()?, parts.next()?, parts.next()?);
    let lower = port.to_ascii_lowercase();
    let capital = |part: &str| part.starts_with(|c: char| c.is_uppercase());
    let is_port = PORTS.iter().any(|end| lower.ends_with(end))
        || (!service.is_empty() && lower.contains(&service.to_ascii_lowercase()))
        || (capital(service) && capital(port));
    (is_port && !operation.is_empty()).then_some(operation)
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Upper,
    Lower,
    Digit,
}

/// Splits text into words of `a-z` and `0-9`: at every other character, before a capital
/// that follows a small letter or a digit, and before the last capital of an acronym that a
/// small letter follows. A plural `s` stays with its acronym: `listIDs`.
fn push_words(text: &str, words: &mut Vec<String>) {
    let mut letters: Vec<Option<(char, Kind)>> = Vec::with_capacity(text.len());
    for c in text.chars() {
        let kind = if c.is_uppercase() { Kind::Upper } else { Kind::Lower };
        match c {
            'a'..='z' => letters.push(Some((c, Kind::Lower))),
            'A'..='Z' => letters.push(Some((c.to_ascii_lowercase(), Kind::Upper))),
            '0'..='9' => letters.push(Some((c, Kind::Digit))),
            // Combining marks belong to the letter before them.
            '\u{300}'..='\u{36f}' | '\'' | '\u{2019}' => {}
            _ => match fold(c) {
                Some(plain) => letters.extend(plain.chars().map(|p| Some((p, kind)))),
                None => letters.push(None),
            },
        }
    }
    let mut word = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let Some((c, kind)) = *letter else {
            flush(&mut word, words);
            continue;
        };
        let before = at.checked_sub(1).and_then(|i| letters[i]).map(|(_, kind)| kind);
        let after = letters.get(at + 1).copied().flatten();
        let starts = kind == Kind::Upper
            && match before {
                Some(Kind::Lower | Kind::Digit) => true,
                Some(Kind::Upper) => {
                    let plural = after == Some(('s', Kind::Lower))
                        && !matches!(letters.get(at + 2), Some(Some((_, Kind::Lower))));
                    after.is_some_and(|(_, kind)| kind == Kind::Lower) && !plural
                }
                None => false,
            };
        if starts {
            flush(&mut word, words);
        }
        word.push(c);
    }
    flush(&mut word, words);
}

fn flush(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

/// Latin letters without their marks. Other scripts have no short and certain spelling in
/// `a-z`; their letters end a word.
fn fold(c: char) -> Option<&'static str> {
    Some(match c {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'Ď'..='đ' | 'Ð' | 'ð' => "d",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ĝ'..='ģ' => "g",
        'Ĥ'..='ħ' => "h",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ĵ' | 'ĵ' => "j",
        'Ķ' | 'ķ' => "k",
        'Ĺ'..='ł' => "l",
        'Ñ' | 'ñ' | 'Ń'..='ň' => "n",
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | 'Ō'..='ő' => "o",
        'Œ' | 'œ' => "oe",
        'Ŕ'..='ř' => "r",
        'Ś'..='š' | 'Ș' | 'ș' => "s",
        'ß' | 'ẞ' => "ss",
        'Ţ'..='ŧ' | 'Ț' | 'ț' => "t",
        'Þ' | 'þ' => "th",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ŵ' | 'ŵ' => "w",
        'Ý' | 'ý' | 'ÿ' | 'Ŷ'..='Ÿ' => "y",
        'Ź'..='ž' => "z",
        _ => return None,
    })
}

/// As many whole words as fit. A first word that is too long by itself is cut.
fn shorten(words: &[String], longest: usize) -> String {
    let mut kept = 0;
    let mut length = 0;
    for word in words {
        let with = length + usize::from(kept > 0) + word.len();
        if with > longest {
            break;
        }
        length = with;
        kept += 1;
    }
    // What `by` points to was cut off.
    if kept > 1 && kept < words.len() && words[kept - 1] == "by" {
        kept -= 1;
    }
    if kept == 0 {
        return words.first().map_or(NAMELESS, |word| &word[..longest.min(word.len())]).to_owned();
    }
    words[..kept].join("_")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> OperationKey {
        OperationKey::new(text).expect("not empty")
    }

    fn name(text: &str) -> String {
        propose(&key(text), &BTreeSet::new()).to_string()
    }

    #[test]
    fn an_id_becomes_snake_case() {
        for (id, expected) in [
            ("getStock", "get_stock"),
            ("getHTTPStatus", "get_http_status"),
            ("HTTPStatus", "http_status"),
            ("listIDs", "list_ids"),
            ("listIDsByURL", "list_ids_by_url"),
            ("get-stock.v2", "get_stock_v2"),
            ("oauth2TokenInfo", "oauth2_token_info"),
            ("  List all  orders ", "list_all_orders"),
            ("already_snake_case", "already_snake_case"),
            ("pets/list", "pets_list"),
            ("drive.files.list", "drive_files_list"),
            ("BestellungÄndern", "bestellung_andern"),
            ("Straße", "strasse"),
            ("e\u{301}tat", "etat"),
            ("user's orders", "users_orders"),
            ("注文", "operation"),
            ("---", "operation"),
            ("X", "x"),
        ] {
            assert_eq!(name(id), expected, "{id}");
        }
    }

    #[test]
    fn an_endpoint_reads_as_a_sentence() {
        for (id, expected) in [
            ("GET /orders/{id}", "get_orders_by_id"),
            ("GET /", "get"),
            ("POST /v1/orders/{orderId}/items", "post_v1_orders_by_order_id_items"),
            ("GET /files/{name}.json", "get_files_by_name_json"),
            ("GET /a/{}", "get_a"),
            ("GET /a/{open", "get_a_open"),
            ("DELETE /a/{x}/{y}", "delete_a_by_x_by_y"),
        ] {
            assert_eq!(name(id), expected, "{id}");
        }
    }

    #[test]
    fn a_soap_operation_goes_by_its_own_name() {
        for (id, expected) in [
            ("StockService.StockPort.GetStock", "get_stock"),
            ("calculator.CalculatorSoap.Add", "add"),
            ("Service.Port.Op#withId", "op_with_id"),
            ("Stock.Quotes.getLast", "get_last"),
        ] {
            assert_eq!(name(id), expected, "{id}");
        }
    }

    #[test]
    fn a_long_id_is_cut_at_a_word() {
        assert_eq!(
            name("retrieveTheVeryLongDescriptionOfTheArticle"),
            "retrieve_the_very_long_description_of"
        );
        assert_eq!(
            name("GET /aaaaaaaaaa/bbbbbbbbbb/cccccccc/by/{identifier}"),
            "get_aaaaaaaaaa_bbbbbbbbbb_cccccccc_by"
        );
        assert_eq!(
            name("GET /aaaaaaaaaa/bbbbbbbbbb/cccccccc/{identifier}"),
            "get_aaaaaaaaaa_bbbbbbbbbb_cccccccc"
        );
        assert_eq!(name(&"x".repeat(50)), "x".repeat(40));
    }

    #[test]
    fn a_taken_name_is_numbered_within_the_length() {
        let mut taken = BTreeSet::new();
        let long = "aaaaaaaaaa bbbbbbbbbb cccccccccc ddddddd";
        for expected in [
            "aaaaaaaaaa_bbbbbbbbbb_cccccccccc_ddddddd",
            "aaaaaaaaaa_bbbbbbbbbb_cccccccccc_2",
            "aaaaaaaaaa_bbbbbbbbbb_cccccccccc_3",
        ] {
            let name = propose(&key(long), &taken);
            assert_eq!(name.as_str(), expected);
            taken.insert(name);
        }
    }

    proptest! {
        #[test]
        fn every_id_gets_a_valid_name_of_its_own(ids in proptest::collection::vec(".{1,60}", 1..20)) {
            let mut taken = BTreeSet::new();
            for id in &ids {
                let name = propose(&key(id), &taken);
                prop_assert_eq!(&name, &propose(&key(id), &taken));
                prop_assert!(ToolName::new(name.as_str()).is_ok());
                prop_assert!(taken.insert(name));
            }
        }
    }
}
