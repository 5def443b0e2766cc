//! Strangers' names and texts, so that they stay where they stand.

use std::fmt::Write as _;

use serde_json::Value;

use super::RESERVED;

/// Whether a name can stand as it is, as a member's key.
pub(crate) fn is_plain_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.contains("..")
}

/// A member's key: as it is, or as a JSON string.
pub(crate) fn written_name(name: &str) -> String {
    if is_plain_name(name) { name.to_owned() } else { json_string(name) }
}

/// The name of a declared type: as it is, or as `$` and a JSON string.
pub(super) fn declared_name(name: &str) -> String {
    if is_plain_name(name) && !RESERVED.contains(&name) {
        name.to_owned()
    } else {
        format!("${}", json_string(name))
    }
}

/// A value as JSON in which every character can be seen.
pub(crate) fn json_text(value: &Value) -> String {
    visible(&value.to_string())
}

/// A JSON string in which every character can be seen.
pub(super) fn json_string(text: &str) -> String {
    json_text(&Value::String(text.to_owned()))
}

/// Outside of strings JSON has none of these characters, and inside they can be escaped.
fn visible(json: &str) -> String {
    if !json.chars().any(is_unseen) {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unseen(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A text on one line, without what cannot be seen, at most so many characters and whole words.
pub(crate) fn one_line(text: &str, longest: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    // Of a text of a megabyte no more is looked at than could be shown.
    let seen: String =
        text.chars().take(longest * 8).map(|c| if is_unseen(c) { ' ' } else { c }).collect();
    for word in seen.split_whitespace() {
        let more = word.chars().count() + usize::from(length > 0);
        if length + more > longest {
            if length == 0 {
                line.extend(word.chars().take(longest.saturating_sub(1)));
            }
            line.push('…');
            return line;
        }
        if length > 0 {
            line.push(' ');
        }
        line.push_str(word);
        length += more;
    }
    line
}

/// Controls, separators, and what changes the direction or hides (Unicode's categories Cc, Cf, Zl
/// and Zp, and the fillers that look like nothing).
pub(super) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}
