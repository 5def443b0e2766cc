//! Cutting a value to a length so that it stays a value of the same shape: lists lose rows
//! from their end, and where that is not the matter, the longest strings and members give
//! way first. What was cut is told beside the value, never inside it, so no program mistakes
//! a mark for data.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// How many cuts are named one by one.
const NAMED: usize = 20;

/// One thing that was shortened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Where: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What was counted: `rows`, `members`, `characters`.
    pub unit: &'static str,
    /// How many are there.
    pub kept: usize,
    /// How many there were.
    pub total: usize,
}

/// What a length is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Unicode characters of JSON, as models' contexts are.
    Characters,
    /// Bytes of JSON in UTF-8.
    Bytes,
}

/// The value, which stands at the pointer `at`, shortened to at most `limit` of JSON, and
/// what was taken. A limit below what the emptiest value of the kind needs is exceeded by
/// that value.
pub fn cut(value: &Value, limit: usize, unit: Unit, at: &str) -> (Value, Vec<Cut>) {
    let mut cuts = Vec::new();
    let value = Scissors { unit }.shrink(value, limit, at, &mut cuts);
    (value, cuts)
}

/// Shortens a list, or each list that is an object's member, to so many rows.
pub(super) fn rows(value: &mut Value, limit: usize, at: &str, cuts: &mut Vec<Cut>) {
    let mut shorten = |rows: &mut Vec<Value>, pointer: String| {
        if rows.len() > limit {
            cuts.push(Cut { pointer, unit: "rows", kept: limit, total: rows.len() });
            rows.truncate(limit);
        }
    };
    match value {
        Value::Array(rows) => shorten(rows, at.to_owned()),
        Value::Object(members) => {
            for (name, member) in members {
                if let Value::Array(rows) = member {
                    shorten(rows, inside(at, name));
                }
            }
        }
        _ => {}
    }
}

fn inside(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// `_meta["tollbridge/cut"]`. `whole` is how many characters there were, and how many are
/// shown at most, where that is why something was cut.
pub fn meta(cuts: &[Cut], whole: Option<(usize, usize)>) -> Value {
    let one = |cut: &Cut| {
        let Cut { pointer, unit, kept, total } = cut;
        json!({ "pointer": pointer, "unit": unit, "kept": kept, "total": total })
    };
    let mut meta = Map::new();
    if let Some((characters, limit)) = whole {
        meta.insert("characters".to_owned(), characters.into());
        meta.insert("limit".to_owned(), limit.into());
    }
    let list = json!({
        "cuts": cuts.iter().take(NAMED).map(one).collect::<Vec<_>>(),
        "more": cuts.len().saturating_sub(NAMED),
    });
    if let Value::Object(list) = list {
        meta.extend(list);
    }
    Value::Object(meta)
}

/// The same for a model, with how to get the rest.
pub fn note(cuts: &[Cut], whole: Option<(usize, usize)>, is_error: bool) -> String {
    let mut note = match whole {
        Some((characters, limit)) => {
            format!("This was cut: {characters} characters, {limit} are shown.")
        }
        None => "This was cut.".to_owned(),
    };
    for Cut { pointer, unit, kept, total } in cuts.iter().take(5) {
        let place = if pointer.is_empty() { "the value" } else { pointer };
        write!(note, " {place}: {kept} of {total} {unit}.").expect("a string takes everything");
    }
    if cuts.len() > 5 {
        write!(note, " And {} more places.", cuts.len() - 5).expect("a string takes everything");
    }
    if !is_error {
        note.push_str(
            " To get the rest, ask for less at a time: use the tool's filter, field, page or \
             limit arguments where it has them.",
        );
    }
    note
}

/// What shortens, by its measure.
#[derive(Clone, Copy)]
struct Scissors {
    unit: Unit,
}

impl Scissors {
    fn shrink(self, value: &Value, budget: usize, pointer: &str, cuts: &mut Vec<Cut>) -> Value {
        if self.size(value, budget) <= budget {
            return value.clone();
        }
        match value {
            Value::String(text) => self.shrink_text(text, budget, pointer, cuts),
            Value::Array(rows) => self.shrink_rows(rows, budget, pointer, cuts),
            Value::Object(members) => self.shrink_members(members, budget, pointer, cuts),
            // A scalar is whole or absent; its container leaves it out.
            scalar => scalar.clone(),
        }
    }

    fn shrink_text(self, text: &str, budget: usize, pointer: &str, cuts: &mut Vec<Cut>) -> Value {
        let mut left = budget.saturating_sub(2);
        let mut end = 0;
        for (at, c) in text.char_indices() {
            let Some(rest) = left.checked_sub(self.escaped(c)) else { break };
            left = rest;
            end = at + c.len_utf8();
        }
        let kept = &text[..end];
        let (kept_characters, total) = (kept.chars().count(), text.chars().count());
        cuts.push(Cut {
            pointer: pointer.to_owned(),
            unit: "characters",
            kept: kept_characters,
            total,
        });
        Value::String(kept.to_owned())
    }

    fn shrink_rows(
        self,
        rows: &[Value],
        budget: usize,
        pointer: &str,
        cuts: &mut Vec<Cut>,
    ) -> Value {
        let mut kept = Vec::new();
        let mut left = budget.saturating_sub(2);
        for row in rows {
            let comma = usize::from(!kept.is_empty());
            let needed = self.size(row, left) + comma;
            if needed > left {
                break;
            }
            left -= needed;
            kept.push(row.clone());
        }
        // A first row that does not fit is shown in part rather than not at all.
        if let (true, Some(first)) = (kept.is_empty(), rows.first())
            && can_shrink(first, left)
        {
            kept.push(self.shrink(first, left, &format!("{pointer}/0"), cuts));
        }
        if kept.len() < rows.len() {
            let (kept, total) = (kept.len(), rows.len());
            cuts.push(Cut { pointer: pointer.to_owned(), unit: "rows", kept, total });
        }
        Value::Array(kept)
    }

    fn shrink_members(
        self,
        members: &Map<String, Value>,
        budget: usize,
        pointer: &str,
        cuts: &mut Vec<Cut>,
    ) -> Value {
        let available = budget.saturating_sub(2);
        // Names cannot be shortened: members whose names, with the least of values, no longer
        // fit are left out from the end.
        let mut names = 0;
        let mut sizes = Vec::new();
        for (name, value) in members {
            let name = self.text_size(name) + 1 + usize::from(!sizes.is_empty());
            if names + name + 2 * (sizes.len() + 1) > available {
                break;
            }
            names += name;
            sizes.push(self.size(value, available));
        }
        let level = level(&sizes, available - names);
        let mut kept = Map::new();
        for ((name, value), size) in members.iter().zip(&sizes) {
            let at = || inside(pointer, name);
            if *size <= level {
                kept.insert(name.clone(), value.clone());
            } else if can_shrink(value, level) {
                kept.insert(name.clone(), self.shrink(value, level, &at(), cuts));
            }
        }
        if kept.len() < members.len() {
            let (kept, total) = (kept.len(), members.len());
            cuts.push(Cut { pointer: pointer.to_owned(), unit: "members", kept, total });
        }
        Value::Object(kept)
    }

    /// The length of the value's JSON; any number above `enough` once it is
    /// longer, so that what is not shown is not walked.
    fn size(self, value: &Value, enough: usize) -> usize {
        match value {
            Value::Null | Value::Bool(true) => 4,
            Value::Bool(false) => 5,
            Value::Number(number) => number.to_string().len(),
            Value::String(text) => self.text_size_up_to(text, enough),
            Value::Array(rows) => {
                let mut total = 2 + rows.len().saturating_sub(1);
                for row in rows {
                    if total > enough {
                        break;
                    }
                    total += self.size(row, enough - total);
                }
                total
            }
            Value::Object(members) => {
                let mut total = 2 + members.len().saturating_sub(1);
                for (name, value) in members {
                    if total > enough {
                        break;
                    }
                    total += self.text_size(name) + 1;
                    total += self.size(value, enough.saturating_sub(total));
                }
                total
            }
        }
    }

    fn text_size(self, text: &str) -> usize {
        2 + text.chars().map(|c| self.escaped(c)).sum::<usize>()
    }

    fn text_size_up_to(self, text: &str, enough: usize) -> usize {
        let mut total = 2;
        for c in text.chars() {
            if total > enough {
                break;
            }
            total += self.escaped(c);
        }
        total
    }

    /// How much `serde_json` writes for one character.
    fn escaped(self, c: char) -> usize {
        match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            c => match self.unit {
                Unit::Characters => 1,
                Unit::Bytes => c.len_utf8(),
            },
        }
    }
}

/// The length to which the longest must be cut so that all fit: small members stay whole,
/// and what is left is shared evenly by the long ones.
fn level(sizes: &[usize], available: usize) -> usize {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let mut left = available;
    for (at, size) in sorted.iter().enumerate() {
        let share = left / (sorted.len() - at);
        if *size > share {
            return share;
        }
        left -= size;
    }
    usize::MAX
}

/// Whether a value has a shorter form of its kind within the budget.
fn can_shrink(value: &Value, budget: usize) -> bool {
    budget >= 2 && matches!(value, Value::String(_) | Value::Array(_) | Value::Object(_))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn characters(value: &Value, limit: usize) -> (Value, Vec<Cut>) {
        cut(value, limit, Unit::Characters, "")
    }

    #[test]
    fn bytes_are_those_of_utf_8() {
        let (short, _) = cut(&json!("ääää"), 7, Unit::Bytes, "/result");
        assert_eq!(short, json!("ää"));
    }

    #[test]
    fn lists_lose_rows_from_their_end() {
        let value = json!({ "total": 9, "items": ["aaaa", "bbbb", "cccc"] });
        let (short, cuts) = characters(&value, 38);
        assert_eq!(short, json!({ "total": 9, "items": ["aaaa", "bbbb"] }));
        assert_eq!(cuts, [Cut { pointer: "/items".into(), unit: "rows", kept: 2, total: 3 }]);
    }

    #[test]
    fn the_longest_string_gives_way_first() {
        let value = json!({ "id": "keep me", "a/b": "x".repeat(100) });
        let (short, cuts) = characters(&value, 40);
        assert_eq!(short["id"], "keep me");
        assert_eq!(short.to_string().chars().count(), 40);
        assert_eq!(cuts[0].pointer, "/a~1b");
        assert_eq!(cuts[0].total, 100);
    }

    #[test]
    fn a_row_too_long_by_itself_is_shown_in_part() {
        let (short, cuts) = characters(&json!(["x".repeat(50), 1]), 20);
        assert_eq!(short, json!(["x".repeat(16)]));
        assert_eq!(cuts.iter().map(|cut| cut.unit).collect::<Vec<_>>(), ["characters", "rows"]);
    }

    #[test]
    fn members_are_left_out_only_where_their_names_do_not_fit() {
        let value: Value =
            (0..100).map(|n| (format!("member{n:03}"), json!(1))).collect::<Map<_, _>>().into();
        let (short, cuts) = characters(&value, 100);
        assert!(short.to_string().len() <= 100);
        assert_eq!((cuts[0].unit, cuts[0].total), ("members", 100));
        assert!(short.get("member000").is_some());
    }

    #[test]
    fn an_escape_is_never_cut_in_half() {
        let (short, _) = characters(&json!("\u{1}\u{1}\u{1}"), 10);
        assert_eq!(short, json!("\u{1}"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\\n\u{1}äß]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::vec(("[a-z\"/~]{0,12}", inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_size_is_what_serde_json_writes(value in any_json()) {
            prop_assert_eq!(Scissors { unit: Unit::Characters }.size(&value, usize::MAX), value.to_string().chars().count());
        }

        #[test]
        fn what_is_cut_fits_and_keeps_its_kind(value in any_json(), limit in 24_usize..200) {
            let (short, cuts) = characters(&value, limit);
            prop_assert!(short.to_string().chars().count() <= limit);
            prop_assert_eq!(short.is_object(), value.is_object());
            prop_assert_eq!(short.is_array(), value.is_array());
            prop_assert_eq!(cuts.is_empty(), short == value);
        }
    }
}
