//! Regular expressions of XML Schema (part 2 appendix G), as those of two others.
//!
//! XML Schema's match the whole text, take `^` and `$` for themselves, know no look-around
//! or back references, and have classes of their own: names (`\i`, `\c`), Unicode's blocks
//! and subtraction. What is sent is checked with the `regex` crate, whose expressions take
//! linear time. What a JSON Schema says is ECMA-262 without flags: where an expression needs
//! more than that has, the schema says nothing, and only sending checks it.

use std::fmt::Write as _;

use regex::{Regex, RegexBuilder};

/// An expression that is longer is not read; nobody wrote it.
const MAX_SOURCE: usize = 4096;
/// What a compiled expression may take, in bytes: `(a{1000}){1000}` is refused.
const MAX_COMPILED: usize = 1 << 20;

/// `NameStartChar` (XML 1.0 §2.3) between the brackets of a class.
const NAME_START: &str = r"_:A-Za-z\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{2FF}\x{370}-\x{37D}\x{37F}-\x{1FFF}\x{200C}-\x{200D}\x{2070}-\x{218F}\x{2C00}-\x{2FEF}\x{3001}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFFD}\x{10000}-\x{EFFFF}";
/// What `NameChar` has beyond it.
const NAME_MORE: &str = r"\-.0-9\x{B7}\x{300}-\x{36F}\x{203F}-\x{2040}";

/// The blocks of Unicode that schemas ask for by name.
const BLOCKS: [(&str, &str); 10] = [
    ("BasicLatin", r"\x{0}-\x{7F}"),
    ("Latin-1Supplement", r"\x{80}-\x{FF}"),
    ("LatinExtended-A", r"\x{100}-\x{17F}"),
    ("LatinExtended-B", r"\x{180}-\x{24F}"),
    ("Greek", r"\x{370}-\x{3FF}"),
    ("Cyrillic", r"\x{400}-\x{4FF}"),
    ("Hebrew", r"\x{590}-\x{5FF}"),
    ("Arabic", r"\x{600}-\x{6FF}"),
    ("GeneralPunctuation", r"\x{2000}-\x{206F}"),
    ("CurrencySymbols", r"\x{20A0}-\x{20CF}"),
];

/// A pattern facet.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// As the schema writes it.
    pub(crate) source: String,
    /// For ECMA-262 without flags, where it can be said.
    pub(crate) ecma: Option<String>,
    regex: Option<Regex>,
}

impl Pattern {
    /// Reads an expression; one that cannot be read constrains nothing.
    pub(crate) fn new(source: &str) -> Self {
        let translated = (source.len() <= MAX_SOURCE).then(|| translate(source)).flatten();
        let regex = translated.as_ref().and_then(|both| {
            RegexBuilder::new(&format!("^(?:{})$", both.rust)).size_limit(MAX_COMPILED).build().ok()
        });
        let ecma = translated
            .filter(|_| regex.is_some())
            .and_then(|both| both.ecma.map(|ecma| format!("^(?:{ecma})$")));
        Self { source: source.to_owned(), ecma, regex }
    }

    /// Whether it could be read.
    pub(crate) fn is_read(&self) -> bool {
        self.regex.is_some()
    }

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

struct Both {
    rust: String,
    ecma: Option<String>,
}

impl Both {
    fn same(&mut self, text: &str) {
        self.rust.push_str(text);
        if let Some(ecma) = &mut self.ecma {
            ecma.push_str(text);
        }
    }

    fn each(&mut self, rust: &str, ecma: Option<&str>) {
        self.rust.push_str(rust);
        match ecma {
            Some(text) => {
                if let Some(ecma) = &mut self.ecma {
                    ecma.push_str(text);
                }
            }
            None => self.ecma = None,
        }
    }

    /// A character that stands for itself, inside a class or outside.
    fn literal(&mut self, c: char) {
        let special = matches!(
            c,
            '\\' | '^'
                | '$'
                | '.'
                | '|'
                | '?'
                | '*'
                | '+'
                | '('
                | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '-'
                | '/'
                | '&'
                | '~'
                | '#'
        );
        if special && matches!(c, '&' | '~' | '#' | '-' | '/') {
            // Only one of the two needs it, or takes it.
            let _ = write!(self.rust, r"\x{{{:X}}}", c as u32);
            if let Some(ecma) = &mut self.ecma {
                if matches!(c, '-' | '/') {
                    let _ = write!(ecma, r"\x{:02X}", c as u32);
                } else {
                    ecma.push(c);
                }
            }
        } else if special {
            self.same(&format!("\\{c}"));
        } else {
            self.same(c.encode_utf8(&mut [0; 4]));
        }
    }
}

fn translate(source: &str) -> Option<Both> {
    let mut out = Both { rust: String::new(), ecma: Some(String::new()) };
    let mut chars = source.chars().peekable();
    let mut open = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '.' => out.same(r"[^\n\r]"),
            '^' | '$' => out.literal(c),
            '(' => {
                open += 1;
                out.same("(?:");
            }
            ')' => {
                open = open.checked_sub(1)?;
                out.same(")");
            }
            '|' | '?' | '*' | '+' => out.same(c.encode_utf8(&mut [0; 4])),
            '{' => {
                let bounds: String = chars.by_ref().take_while(|&c| c != '}').collect();
                let sound = bounds.bytes().all(|b| b.is_ascii_digit() || b == b',')
                    && bounds.starts_with(|c: char| c.is_ascii_digit());
                if !sound {
                    return None;
                }
                out.same(&format!("{{{bounds}}}"));
            }
            '[' => class(&mut chars, &mut out, 0)?,
            '\\' => escape(&mut chars, &mut out, false)?,
            ']' | '}' => return None,
            c => out.literal(c),
        }
    }
    (open == 0).then_some(out)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// A character class; its `[` has been read.
fn class(chars: &mut Chars<'_>, out: &mut Both, depth: usize) -> Option<()> {
    if depth > 8 {
        return None;
    }
    out.same("[");
    if chars.next_if_eq(&'^').is_some() {
        out.same("^");
    }
    let mut first = true;
    loop {
        match chars.next()? {
            ']' if !first => break,
            '\\' => escape(chars, out, true)?,
            '-' => match chars.peek()? {
                '[' if !first => {
                    chars.next();
                    out.each("--", None);
                    class(chars, out, depth + 1)?;
                    // Subtraction ends its class (appendix G.4.2).
                    if chars.next()? != ']' {
                        return None;
                    }
                    break;
                }
                // At either end it stands for itself.
                ']' => out.literal('-'),
                _ if first => out.literal('-'),
                _ => out.same("-"),
            },
            '[' => return None,
            c => out.literal(c),
        }
        first = false;
    }
    out.same("]");
    Some(())
}

/// An escape; its backslash has been read. `inside` a class or not.
fn escape(chars: &mut Chars<'_>, out: &mut Both, inside: bool) -> Option<()> {
    let c = chars.next()?;
    let bracket = |body: &str| if inside { body.to_owned() } else { format!("[{body}]") };
    match c {
        'n' | 'r' | 't' => out.same(&format!("\\{c}")),
        's' => out.same(&bracket(r" \t\n\r")),
        'S' => out.each(r"[^ \t\n\r]", (!inside).then_some(r"[^ \t\n\r]")),
        'd' => out.each(r"\p{Nd}", Some(&bracket("0-9"))),
        'D' => out.each(r"\P{Nd}", (!inside).then_some("[^0-9]")),
        'w' => out.each(r"[^\p{P}\p{Z}\p{C}]", None),
        'W' => out.each(r"[\p{P}\p{Z}\p{C}]", None),
        'i' => out.each(&bracket(NAME_START), None),
        'I' => out.each(&format!("[^{NAME_START}]"), None),
        'c' => out.each(&bracket(&format!("{NAME_START}{NAME_MORE}")), None),
        'C' => out.each(&format!("[^{NAME_START}{NAME_MORE}]"), None),
        'p' | 'P' => {
            if chars.next()? != '{' {
                return None;
            }
            let name: String = chars.by_ref().take_while(|&c| c != '}').collect();
            let rust = match name.strip_prefix("Is") {
                Some(block) => {
                    let (_, range) = BLOCKS.iter().find(|(known, _)| *known == block)?;
                    if c == 'p' { format!("[{range}]") } else { format!("[^{range}]") }
                }
                None => format!(r"\{c}{{{name}}}"),
            };
            out.each(&rust, None);
        }
        c if c.is_ascii_alphanumeric() => return None,
        c => out.literal(c),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_what_the_recommendation_says() {
        for (source, good, bad) in [
            ("[A-Z]{2}[0-9]+", vec!["AB1"], vec!["xAB1", "AB1x", "AB"]),
            ("a|b", vec!["a", "b"], vec!["ab", "xa"]),
            (r"\d{3}-\d{4}", vec!["555-1234"], vec!["5551234"]),
            (r"[a-z-[aeiou]]+", vec!["xyz"], vec!["axe"]),
            ("^a$", vec!["^a$"], vec!["a"]),
            (r"\i\c*", vec!["a-b.c", "_x"], vec!["1a", ""]),
            (r"\p{Lu}\p{IsBasicLatin}*", vec!["Éa"], vec!["éa", "Aé"]),
            (r"[\w\-]+", vec!["grün-1"], vec!["a b"]),
            (".", vec!["x"], vec!["\n", ""]),
            (r"[-+]?[.\d]+", vec!["-1.5", "2"], vec!["--1"]),
            (r"[&~#/]", vec!["&", "~", "#", "/"], vec!["&&"]),
        ] {
            let pattern = Pattern::new(source);
            assert!(pattern.is_read(), "{source}");
            for text in good {
                assert!(pattern.matches(text), "{source} {text}");
            }
            for text in bad {
                assert!(!pattern.matches(text), "{source} {text}");
            }
        }
    }

    #[test]
    fn what_ecma_script_can_say_without_flags_is_said() {
        for (source, ecma) in [
            (r"\d{5}(-\d{4})?", Some(r"^(?:[0-9]{5}(?:\x2D[0-9]{4})?)$")),
            ("[A-Z]+", Some("^(?:[A-Z]+)$")),
            (r"\w+", None),
            (r"\p{L}", None),
            ("[a-z-[aeiou]]", None),
        ] {
            assert_eq!(Pattern::new(source).ecma.as_deref(), ecma, "{source}");
        }
    }

    #[test]
    fn what_cannot_be_read_constrains_nothing() {
        for source in ["(", "[a", "a{x}", r"\q", "(a{999}){999}{999}", "[]", r"\p{IsKlingon}"] {
            let pattern = Pattern::new(source);
            assert!(!pattern.is_read() && pattern.ecma.is_none(), "{source}");
            assert!(pattern.matches("anything"));
        }
    }
}
