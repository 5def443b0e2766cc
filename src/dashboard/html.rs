//! Text in pages: escaped once, here.

use serde_json::Value;
use std::fmt::Write as _;

use crate::tools::visible;

/// A stranger's text, as it may stand in an element or a quoted attribute. What would not show is
/// named.
pub(super) fn text(of: &str) -> String {
    escape(&visible(of))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A value to be read.
pub(super) fn json(value: &Value) -> String {
    text(&format!("{value:#}"))
}

/// A value to be edited: JSON in which what would not show is an escape of JSON's own, so that it
/// is seen, and stays what it is.
pub(super) fn editable(value: &Value) -> String {
    let mut shown = String::new();
    for c in format!("{value:#}").chars() {
        let mut one = [0; 4];
        if c == '\n' || visible(c.encode_utf8(&mut one)) == *c.encode_utf8(&mut [0; 4]) {
            shown.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    escape(&shown)
}

/// A whole page. `body` is HTML, the title a text.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<link rel=\"stylesheet\" href=\"/approvals/style.css\">\n</head>\n\
         <body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        text(title)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stranger_s_text_is_no_markup_and_hides_nothing() {
        assert_eq!(
            text("<script>alert('\"&')</script>\u{202e}x"),
            "&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;‹U+202E›x"
        );
        let page = page("</title><script>", &json(&json!({"</pre><script>": "\u{1b}"})));
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn what_is_edited_stays_what_it_is() {
        let value = json!({"a": "x\u{202e}y\u{e0041}\n</textarea>", "n": [1, "ä"]});
        let shown = editable(&value);
        assert!(!shown.contains("</textarea>") && !shown.contains('\u{202e}'), "{shown}");
        let back = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        assert_eq!(serde_json::from_str::<Value>(&back).expect("JSON"), value);
    }
}
