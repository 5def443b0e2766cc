//! The policies that were considered in a decision, as the trail keeps them.
//!
//! What is told of a tool's policies is the same for call after call but for what became of them and
//! what stood where they read: the [`Form`] is kept once ([`Shared`]), and a decision has the rest of
//! it alone ([`Told`]). Both together are [`ConsideredRow`]s, which is what people see.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::secret::Redactor;
use crate::store::Shared;

/// How many policies are recorded with what they read; those that were satisfied or failed first.
const MAX_READING: usize = 32;

/// How many are recorded at all.
const MAX_RULES: usize = 1_000;

/// How many values of one.
const MAX_VALUES: usize = 8;

/// How many characters a value may have, as JSON.
const MAX_VALUE: usize = 200;

/// Of what is cut, so many bytes behind the cut are looked at for what begins before it.
const LONGEST: usize = 4_096;

/// A policy that was considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsideredRow {
    /// Its name.
    pub rule: String,
    /// What it does: `permit`, `forbid` or `hold`.
    pub effect: Cow<'static, str>,
    /// What became of it: `satisfied`, `not satisfied`, or `failed`, which denies the call.
    pub outcome: Cow<'static, str>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it reads.
    #[serde(default, skip_serializing_if = "ReadValues::is_empty")]
    pub values: ReadValues,
}

/// The places that a policy reads, and what stood there, as JSON. In JSON an object of texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadValues(pub Vec<(String, String)>);

impl ReadValues {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for ReadValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for ReadValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Map::deserialize(deserializer)?.into_iter().map(|(name, value)| {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            (name, text)
        });
        Ok(Self(read.collect()))
    }
}

/// What is told of the policies on a tool, whatever the call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Form {
    /// The policies.
    pub considered: Vec<Line>,
    /// The names of the places that they read.
    pub places: Vec<String>,
}

/// What is told of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub rule: String,
    /// What it does: `permit`, `forbid` or `hold`.
    pub effect: Cow<'static, str>,
    /// Which of the places it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<usize>,
}

/// What became of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It holds for the call.
    Satisfied,
    /// It does not.
    NotSatisfied,
    /// Nobody knows.
    Failed,
    /// It was not asked.
    NotConsidered,
}

impl Became {
    /// The letter that stands for it.
    fn letter(self) -> char {
        match self {
            Self::Satisfied => 's',
            Self::NotSatisfied => 'n',
            Self::Failed => 'f',
            Self::NotConsidered => '-',
        }
    }

    fn of(letter: char) -> Self {
        match letter {
            's' => Self::Satisfied,
            'n' => Self::NotSatisfied,
            'f' => Self::Failed,
            _ => Self::NotConsidered,
        }
    }

    fn word(self) -> Option<&'static str> {
        match self {
            Self::Satisfied => Some("satisfied"),
            Self::NotSatisfied => Some("not satisfied"),
            Self::Failed => Some("failed"),
            Self::NotConsidered => None,
        }
    }
}

/// What stood at a place.
#[derive(Debug, Clone, PartialEq)]
pub enum Stood {
    /// That is not told.
    Untold,
    /// Nothing.
    Nothing,
    /// This.
    Value(Arc<Value>),
    /// Something longer, whose JSON begins so.
    Cut(String),
}

impl Stood {
    /// A value; of a long one its beginning, without what the redactor takes out: cut off, a secret
    /// might not be known any more.
    pub fn value(value: Arc<Value>, redactor: &Redactor) -> Self {
        if is_surely_short(&value) {
            return Self::Value(value);
        }
        let text = value.to_string();
        let Some((end, _)) = text.char_indices().nth(MAX_VALUE) else { return Self::Value(value) };
        let clean = redactor.text(&text[..text.floor_char_boundary(end + LONGEST)]);
        let end = clean.char_indices().nth(MAX_VALUE).map_or(clean.len(), |(at, _)| at);
        Self::Cut(format!("{}…", &clean[..end]))
    }

    /// As people are told.
    fn told(&self) -> Option<String> {
        match self {
            Self::Untold => None,
            Self::Nothing => Some("not there".to_owned()),
            Self::Value(value) => Some(value.to_string()),
            Self::Cut(text) => Some(text.clone()),
        }
    }
}

/// Whether the JSON of a value certainly has no more characters than it may: found out without writing it.
fn is_surely_short(value: &Value) -> bool {
    fn room_behind(value: &Value, room: usize) -> Option<usize> {
        // Each byte of a text may be escaped in six.
        let text = |text: &str| text.len().saturating_mul(6).saturating_add(2);
        match value {
            Value::Null | Value::Bool(_) => room.checked_sub("false".len()),
            Value::Number(number) => room.checked_sub(number.as_str().len()),
            Value::String(string) => room.checked_sub(text(string)),
            Value::Array(items) => items.iter().try_fold(room.checked_sub(2)?, |room, item| {
                room_behind(item, room)?.checked_sub(",".len())
            }),
            Value::Object(members) => {
                members.iter().try_fold(room.checked_sub(2)?, |room, (name, value)| {
                    room_behind(value, room)?.checked_sub(text(name))?.checked_sub(":,".len())
                })
            }
        }
    }
    room_behind(value, MAX_VALUE).is_some()
}

/// In JSON: `null`, `[]`, `[value]`, or `{"cut": "…"}`.
impl Serialize for Stood {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Untold => serializer.serialize_unit(),
            Self::Nothing => [(); 0].serialize(serializer),
            Self::Value(value) => [&**value].serialize(serializer),
            Self::Cut(text) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("cut", text)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Stood {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Array(items) => match items.into_iter().next() {
                Some(value) => Self::Value(Arc::new(value)),
                None => Self::Nothing,
            },
            Value::Object(members) => match members.get("cut").and_then(Value::as_str) {
                Some(text) => Self::Cut(text.to_owned()),
                None => Self::Untold,
            },
            _ => Self::Untold,
        })
    }
}

/// What a decision says of the policies of a form.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Told {
    /// What became of each policy, a letter each: `s` satisfied, `n` not satisfied, `f` failed, `-`
    /// not considered.
    pub became: String,
    /// Why those failed that did, by their places in the form.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<usize, String>,
    /// What stood at each place of the form.
    pub read: Vec<Stood>,
}

/// The policies that were considered in a decision. The default is of none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Considerations {
    /// What is the same for every call.
    pub form: Option<Shared>,
    /// What is not.
    pub told: Told,
}

impl Considerations {
    /// Whether none were considered.
    pub fn are_none(&self) -> bool {
        self.form.is_none()
    }
}

impl Form {
    /// As it is kept.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What became of the policies of this form; `read` is what stood at a place.
    pub fn tell(
        &self,
        became: impl Iterator<Item = (Became, Option<String>)>,
        read: impl Fn(usize) -> Stood,
    ) -> Told {
        let mut told = Told::default();
        told.became.reserve(self.considered.len());
        for (place, (became, why)) in became.take(self.considered.len()).enumerate() {
            told.became.push(became.letter());
            if let Some(why) = why {
                told.failed.insert(place, why);
            }
        }
        let is_short = self.considered.len() <= MAX_READING
            && self.considered.iter().all(|line| line.reads.len() <= MAX_VALUES);
        let is_told: Vec<bool> = if is_short {
            vec![true; self.places.len()]
        } else {
            let mut is_told = vec![false; self.places.len()];
            for (_, line) in self.ranked(&told.became).into_iter().take(MAX_READING) {
                for place in line.reads.iter().take(MAX_VALUES) {
                    is_told[*place] = true;
                }
            }
            is_told
        };
        let places = is_told.into_iter().enumerate();
        told.read = places.map(|(at, told)| if told { read(at) } else { Stood::Untold }).collect();
        told
    }

    /// The policies that were considered, as they win over each other; what was not satisfied decided
    /// nothing.
    fn ranked(&self, became: &str) -> Vec<((usize, Became), &Line)> {
        let each = became.chars().map(Became::of).enumerate().zip(&self.considered);
        let mut ranked: Vec<_> =
            each.filter(|((_, became), _)| *became != Became::NotConsidered).collect();
        ranked.sort_by_key(|((_, became), line)| match (became, &*line.effect) {
            (Became::Satisfied, "forbid") => 0,
            (Became::Failed, _) => 1,
            (Became::Satisfied, "hold") => 2,
            (Became::Satisfied, _) => 3,
            (Became::NotSatisfied | Became::NotConsidered, _) => 4,
        });
        ranked
    }

    /// The policies with what became of them, and what they read.
    pub fn rows(&self, told: &Told) -> Vec<ConsideredRow> {
        let row = |(rank, ((place, became), line)): (usize, ((usize, Became), &Line))| {
            let mut values: Vec<(String, String)> = Vec::new();
            let reads = if rank < MAX_READING { MAX_VALUES } else { 0 };
            for at in line.reads.iter().take(reads) {
                let text = told.read.get(*at).and_then(Stood::told);
                let Some((name, text)) = self.places.get(*at).zip(text) else { continue };
                // Places of different arguments may have one name (`a.b`): it is told once.
                match values.iter_mut().find(|(known, _)| known == name) {
                    Some(known) => known.1 = text,
                    None => values.push((name.clone(), text)),
                }
            }
            Some(ConsideredRow {
                rule: line.rule.clone(),
                effect: line.effect.clone(),
                outcome: became.word()?.into(),
                why: told.failed.get(&place).cloned(),
                values: ReadValues(values),
            })
        };
        let ranked = self.ranked(&told.became).into_iter().take(MAX_RULES);
        ranked.enumerate().filter_map(row).collect()
    }
}

/// Puts the rows in the place of what a form and a decision's members say. Where they say nothing
/// together, the members stay as they are: the form was changed, or the payload erased.
pub(super) fn put_together(form: &str, members: &mut Map<String, Value>) {
    let names = ["became", "failed", "read"];
    let told = |name: &&str| Some(((*name).to_owned(), members.get(*name)?.clone()));
    let told: Map<String, Value> = names.iter().filter_map(told).collect();
    let told = serde_json::from_value::<Told>(Value::Object(told));
    let (Ok(form), Ok(told)) = (serde_json::from_str::<Form>(form), told) else { return };
    for name in names {
        members.shift_remove(name);
    }
    members.insert("considered".to_owned(), json!(form.rows(&told)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn form(lines: &[(&str, &'static str, &[usize])], places: &[&str]) -> Form {
        let line = |(rule, effect, reads): &(&str, &'static str, &[usize])| Line {
            rule: (*rule).to_owned(),
            effect: (*effect).into(),
            reads: reads.to_vec(),
        };
        Form {
            considered: lines.iter().map(line).collect(),
            places: places.iter().map(|place| (*place).to_owned()).collect(),
        }
    }

    fn there(value: Value) -> Stood {
        Stood::value(Arc::new(value), &Redactor::default())
    }

    /// What people are told of it once it was written and read.
    fn read(form: &Form, told: &Told) -> Value {
        let mut members = json!(told).as_object().expect("an object").clone();
        put_together(&form.text(), &mut members);
        assert_eq!(members.len(), 1, "{members:?}");
        members["considered"].take()
    }

    #[test]
    fn a_form_and_what_a_decision_says_of_it_are_the_policies_with_their_values() {
        let form = form(
            &[
                ("own", "permit", &[0, 1]),
                ("hours", "forbid", &[2]),
                ("large", "hold", &[3, 4, 5]),
                ("broken", "forbid", &[3]),
                ("asleep", "forbid", &[0]),
            ],
            &[
                "principal",
                "principal.groups",
                "context.hour",
                "context.a",
                "context.a",
                "context.b",
            ],
        );
        let became = [
            (Became::Satisfied, None),
            (Became::NotSatisfied, None),
            (Became::Satisfied, None),
            (Became::Failed, Some("it overflows".to_owned())),
            (Became::NotConsidered, None),
        ];
        let told = form.tell(became.into_iter(), |place| match place {
            0 => there(json!("alice")),
            1 => Stood::Untold,
            2 => there(json!(23)),
            3 => Stood::Nothing,
            4 => there(Value::Null),
            _ => there(json!({ "name": "x".repeat(300) })),
        });
        assert_eq!(
            json!(told),
            json!({
                "became": "snsf-",
                "failed": {"3": "it overflows"},
                "read": [["alice"], null, [23], [], [null],
                    {"cut": format!("{{\"name\":\"{}…", "x".repeat(191))}],
            })
        );
        assert_eq!(
            read(&form, &told),
            json!([
                {"rule": "broken", "effect": "forbid", "outcome": "failed", "why": "it overflows",
                 "values": {"context.a": "not there"}},
                {"rule": "large", "effect": "hold", "outcome": "satisfied",
                 "values": {"context.a": "null",
                            "context.b": format!("{{\"name\":\"{}…", "x".repeat(191))}},
                {"rule": "own", "effect": "permit", "outcome": "satisfied",
                 "values": {"principal": "\"alice\""}},
                {"rule": "hours", "effect": "forbid", "outcome": "not satisfied",
                 "values": {"context.hour": "23"}},
            ])
        );
    }

    #[test]
    fn what_is_surely_short_is_short_and_most_of_what_is_short_is_surely() {
        let nested = |depth| (0..depth).fold(json!(1), |inside, _| json!([inside]));
        for (value, expected) in [
            (json!(23), true),
            (json!("a".repeat(33)), true),
            (json!("\u{1}".repeat(33)), true),
            (json!("\u{1}".repeat(34)), false),
            (json!(["agents", "people"]), true),
            (json!([1, null, true, { "name": "\"" }]), true),
            (json!({ "\u{1}".repeat(34): 1 }), false),
            (json!(vec![1; 99]), true),
            (json!(vec![1; 100]), false),
            (serde_json::from_str(&"9".repeat(200)).expect("a number"), true),
            (serde_json::from_str(&"9".repeat(201)).expect("a number"), false),
            (nested(60), true),
            (nested(100), false),
        ] {
            let length = value.to_string().chars().count();
            assert_eq!(is_surely_short(&value), expected, "{length} {value}");
            assert!(!expected || length <= MAX_VALUE, "{length} {value}");
        }
    }

    #[test]
    fn of_many_policies_those_have_their_values_that_decided_first() {
        let names: Vec<String> = (0..100).map(|n| format!("p{n}")).collect();
        let reads: Vec<usize> = (0..12).collect();
        let own = [99];
        let lines: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(n, name)| (&**name, "forbid", if n < 60 { &reads[..] } else { &own[..] }))
            .collect();
        let places: Vec<&str> = names.iter().map(String::as_str).collect();
        let form = form(&lines, &places);
        let became = |n| if n == 80 { Became::Satisfied } else { Became::NotSatisfied };
        let told = form.tell((0..100).map(|n| (became(n), None)), |at| there(json!(at)));
        let recorded = told.read.iter().filter(|stood| **stood != Stood::Untold).count();
        assert_eq!(recorded, MAX_VALUES + 1);
        let rows = form.rows(&told);
        assert_eq!((rows.len(), &*rows[0].rule), (100, "p80"));
        assert_eq!(rows[0].values.0, [("p99".to_owned(), "99".to_owned())]);
        assert_eq!(rows[1].values.0.len(), MAX_VALUES);
        assert!(rows[MAX_READING..].iter().all(|row| row.values.is_empty()));
    }

    #[test]
    fn a_secret_is_known_before_a_value_is_cut() {
        let secret = "s3cret-0123456789";
        let redactor = Redactor::new([&Secret::new(secret)]);
        let value = json!(format!("{}{secret}{}", "x".repeat(190), "y".repeat(100)));
        let Stood::Cut(text) = Stood::value(Arc::new(value), &redactor) else { panic!("long") };
        assert!(text.ends_with("x[redacte…") || text.contains("x[red"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn what_cannot_be_put_together_is_left_alone() {
        let told = json!({"became": "s", "read": []});
        let mut members = told.as_object().expect("an object").clone();
        put_together("{}", &mut members);
        assert_eq!(Value::Object(members), told);
        // The payload was erased: nothing is told of the policies.
        let mut members = Map::new();
        put_together(&form(&[], &[]).text(), &mut members);
        assert!(members.is_empty());
    }
}
