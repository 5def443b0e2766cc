//! How deep a policy goes, seen in its text before Cedar reads it: Cedar goes as deep as the text
//! does, and a stack ends. What a policy says is not looked at here.
//!
//! Operators go deep as many as stand beside each other, and what binds more loosely begins them
//! anew; brackets go deep within each other; an element of a list does not stand on the one before.
//!
//! Source: Cedar's grammar, <https://docs.cedarpolicy.com/policies/syntax-grammar.html>.

use std::ops::Range;

/// A policy is no deeper than that.
pub(crate) const MAX_DEPTH: usize = 256;

/// How tightly something binds, from the loosest.
#[derive(Debug, Clone, Copy)]
enum Binds {
    If,
    Or,
    And,
    Relation,
    Sum,
    Product,
    /// `!`, and what is behind a dot.
    Member,
}

/// What stands open within one pair of brackets, by how tightly it binds.
type Level = [usize; Binds::Member as usize + 1];

/// What stands open in a policy.
#[derive(Debug, Default)]
struct Nest {
    /// The brackets around the innermost.
    outer: Vec<Level>,
    inner: Level,
    /// How deep all of it is.
    depth: usize,
    /// The deepest that it was.
    deepest: usize,
}

impl Nest {
    /// Nothing is counted any more then.
    fn is_deep(&self) -> bool {
        self.deepest > MAX_DEPTH
    }

    fn opened(&mut self) {
        if self.is_deep() {
            return;
        }
        self.outer.push(std::mem::take(&mut self.inner));
        self.goes_to(self.depth + 1);
    }

    fn closed(&mut self) {
        if self.is_deep() {
            return;
        }
        self.begins_anew();
        if let Some(level) = self.outer.pop() {
            self.inner = level;
            self.depth -= 1;
        }
        // One clause stands on the one before.
        if self.outer.is_empty() {
            self.joined(Binds::And);
        }
    }

    /// What follows does not stand on what is there within these brackets.
    fn begins_anew(&mut self) {
        self.within(|level| level.fill(0));
    }

    /// What is behind `then` and `else` stands on the `if`s alone.
    fn turns(&mut self) {
        self.within(|level| level[Binds::Or as usize..].fill(0));
    }

    fn joined(&mut self, binds: Binds) {
        self.within(|level| {
            level[binds as usize] += 1;
            level[binds as usize + 1..].fill(0);
        });
    }

    fn within(&mut self, change: impl FnOnce(&mut Level)) {
        if self.is_deep() {
            return;
        }
        let before: usize = self.inner.iter().sum();
        change(&mut self.inner);
        self.goes_to(self.depth - before + self.inner.iter().sum::<usize>());
    }

    fn goes_to(&mut self, depth: usize) {
        self.depth = depth;
        self.deepest = self.deepest.max(depth);
    }
}

/// Where the first policy is that is too deep, if one is.
pub(crate) fn too_deep(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut start, mut at) = (0, 0);
    let mut nest = Nest::default();
    while let Some(byte) = bytes.get(at) {
        let (rest, next) = (&bytes[at..], bytes.get(at + 1));
        let mut length = 1;
        match byte {
            b'"' => length = string(rest),
            b'/' if next == Some(&b'/') => {
                length = run(rest, |byte| byte != b'\n' && byte != b'\r');
            }
            b'(' | b'[' | b'{' => nest.opened(),
            b')' | b'}' => nest.closed(),
            // A list, or a member: `context["a"]["b"]`.
            b']' => {
                nest.closed();
                nest.joined(Binds::Member);
            }
            b',' => nest.begins_anew(),
            b';' => {
                if nest.is_deep() {
                    return Some(trimmed(text, start..at + 1));
                }
                (start, nest) = (at + 1, Nest::default());
            }
            b'|' | b'&' if next == Some(byte) => {
                nest.joined(if *byte == b'|' { Binds::Or } else { Binds::And });
                length = 2;
            }
            b'<' | b'>' | b'=' | b'!' if next == Some(&b'=') => {
                nest.joined(Binds::Relation);
                length = 2;
            }
            b'<' | b'>' => nest.joined(Binds::Relation),
            b'+' | b'-' => nest.joined(Binds::Sum),
            b'*' => nest.joined(Binds::Product),
            b'!' | b'.' => nest.joined(Binds::Member),
            byte if is_word(*byte) => {
                length = run(rest, is_word);
                match &rest[..length] {
                    b"if" => nest.joined(Binds::If),
                    b"then" | b"else" => nest.turns(),
                    b"in" | b"has" | b"like" | b"is" => nest.joined(Binds::Relation),
                    _ => {}
                }
            }
            _ => {}
        }
        at += length;
    }
    nest.is_deep().then(|| trimmed(text, start..text.len()))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// How many of the first bytes are ones of these.
fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is(**byte)).count()
}

/// How long a text in quotes is that these bytes begin with.
fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let policy = &text[span.clone()];
    span.start + (policy.len() - policy.trim_start().len())..span.end
}

#[cfg(test)]
mod tests {
    use super::*;

    type Written = fn(usize) -> String;

    fn is_deep(condition: &str) -> bool {
        too_deep(&format!("permit(principal, action, resource) when {{ {condition} }};")).is_some()
    }

    #[test]
    fn what_stands_beside_or_within_each_other_goes_deep() {
        let joined = |op: &str, many: usize| vec!["context.n == 1"; many].join(op);
        let table: [(&str, Written); 11] = [
            ("+", |many| "1 + ".repeat(many) + "1 > 3"),
            ("-", |many| "1-".repeat(many) + "1 > 3"),
            ("unary -", |many| "-".repeat(many) + "1 > 3"),
            ("*", |many| "3 < 1".to_owned() + &"*1".repeat(many)),
            ("!", |many| "!".repeat(many) + "true"),
            (".", |many| "context".to_owned() + &".a".repeat(many)),
            ("index", |many| "context".to_owned() + &"[\"a\"]".repeat(many)),
            ("clauses", |many| "true".to_owned() + &" } unless { false".repeat(many)),
            ("()", |many| "(".repeat(many) + "true" + &")".repeat(many)),
            ("[]", |many| "[".repeat(many) + &"]".repeat(many) + ".isEmpty()"),
            ("if", |many| "if true then true else ".repeat(many) + "true"),
        ];
        for (what, written) in table {
            assert!(!is_deep(&written(240)), "{what}");
            assert!(is_deep(&written(260)), "{what}");
            assert!(is_deep(&written(20_000)), "{what}");
        }
        for op in [" || ", " && "] {
            assert!(!is_deep(&joined(op, 240)), "{op}");
            assert!(is_deep(&joined(op, 260)), "{op}");
        }
        let both = |many| vec![joined(" && ", many); many].join(" || ");
        assert!(!is_deep(&both(120)), "each of 120 is 120 deep");
        assert!(is_deep(&both(130)));
    }

    #[test]
    fn what_is_long_is_not_deep() {
        let numbers = vec!["-1"; 10_000].join(", ");
        assert!(!is_deep(&format!("[{numbers}].contains(context.n)")));
        let sums = vec!["[1 + 2, 3 * 4]"; 1_000].join(", ");
        assert!(!is_deep(&format!("[{sums}].contains([context.n])")));
        assert!(!is_deep(&format!("context.s == \"{}\\\"{}\"", "((||++", "&&".repeat(500))));
        assert!(!is_deep(&format!("true // {}\n", "((+".repeat(500))));
        let sum = "1 + ".repeat(100) + "1";
        assert!(!is_deep(&format!(
            "(if {sum} > 3 then {sum} else {sum}) > 3 && context.a like \"x\""
        )));
        assert!(
            too_deep(&"permit(principal, action, resource) when { 1 + 2 > 3 };\n".repeat(500))
                .is_none()
        );
    }

    #[test]
    fn the_policy_is_named_that_is_too_deep() {
        let deep =
            format!("forbid(principal, action, resource) when {{ {}1 > 3 }};", "1+".repeat(300));
        let text = format!("permit(principal, action, resource);\n  {deep}\npermit(principal);");
        let span = too_deep(&text).expect("it is");
        assert_eq!(&text[span], deep);
        for end in ["\n", "\r"] {
            assert!(too_deep(&format!("// a comment{end}{deep}")).is_some(), "{end:?}");
        }
        let open = deep.trim_end_matches(';');
        assert_eq!(too_deep(open), Some(0..open.len()), "where its end is missing");
    }
}
