//! Where an argument is: by name, or by a JSON pointer in which `*` stands for every item.

use std::fmt;

use serde_json::{Map, Value};

use super::schema::escape;

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The member of that name; of a list, the item of that index.
    Name(String),
    /// Every item of a list, or every member of an object.
    Items,
}

/// An argument's place: `amount`, or `/body/items/*/price` (RFC 6901, and `*`). Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArgumentPointer(Vec<Step>);

/// A text that is no [`ArgumentPointer`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPointer {
    /// It is empty.
    #[error("an argument is given by its name, or by a JSON pointer")]
    Empty,
    /// A `~` that neither `0` nor `1` follows (RFC 6901 §3).
    #[error("in a JSON pointer `~` is written `~0`, and `/` in a name `~1`")]
    Escape,
    /// It is longer than any argument is deep.
    #[error("a JSON pointer has at most 32 steps here")]
    TooDeep,
}

impl ArgumentPointer {
    /// Reads a name, or a JSON pointer where it begins with `/`.
    pub fn parse(text: &str) -> Result<Self, InvalidPointer> {
        let Some(pointer) = text.strip_prefix('/') else {
            return if text.is_empty() {
                Err(InvalidPointer::Empty)
            } else {
                Ok(Self(vec![Step::Name(text.to_owned())]))
            };
        };
        let steps: Vec<Step> =
            pointer.split('/').map(step).collect::<Option<_>>().ok_or(InvalidPointer::Escape)?;
        if steps.len() > 32 {
            return Err(InvalidPointer::TooDeep);
        }
        Ok(Self(steps))
    }

    /// Does this to every value that there is at the place. A whole list or object is one value.
    pub fn each(&self, value: &mut Value, act: &mut impl FnMut(&mut Value)) {
        each(value, &self.0, act);
    }

    /// The same in a part of the arguments: in what stands at `path`, names joined by dots, and the
    /// whole of it where the place is above. Where names have dots of their own, or a `*` stands above,
    /// it may be done to more than the place.
    pub fn each_below(&self, path: &str, value: &mut Value, act: &mut impl FnMut(&mut Value)) {
        let mut above = String::new();
        for (at, step) in self.0.iter().enumerate() {
            if above == path {
                return each(value, &self.0[at..], act);
            }
            let Step::Name(name) = step else {
                if is_below(path, &above) {
                    act(value);
                }
                return;
            };
            if at > 0 {
                above.push('.');
            }
            above.push_str(name);
        }
        if path == above || is_below(path, &above) {
            act(value);
        }
    }

    /// The steps, from the arguments' root.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

fn step(token: &str) -> Option<Step> {
    if token == "*" {
        return Some(Step::Items);
    }
    let mut name = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        name.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(Step::Name(name))
}

/// A name alone is written as it is, as `tools.toml` has it.
impl fmt::Display for ArgumentPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [Step::Name(name)] if !name.is_empty() && !name.starts_with('/') => f.write_str(name),
            steps => f.write_str(&written(steps)),
        }
    }
}

/// Whether a path of names joined by dots leads on from another one.
fn is_below(path: &str, above: &str) -> bool {
    above.is_empty() || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
}

fn each(value: &mut Value, steps: &[Step], act: &mut impl FnMut(&mut Value)) {
    let Some((step, rest)) = steps.split_first() else { return act(value) };
    match (value, step) {
        (Value::Object(members), Step::Name(name)) => {
            if let Some(member) = members.get_mut(name) {
                each(member, rest, act);
            }
        }
        (Value::Object(members), Step::Items) => {
            members.values_mut().for_each(|member| each(member, rest, act));
        }
        (Value::Array(items), Step::Items) => {
            for item in items {
                each(item, rest, act);
            }
        }
        (Value::Array(items), Step::Name(index)) => {
            if let Some(item) = index.parse().ok().and_then(|at: usize| items.get_mut(at)) {
                each(item, rest, act);
            }
        }
        _ => {}
    }
}

/// Steps as a JSON pointer with `*`.
pub(super) fn written(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |mut out, step| {
        out.push('/');
        match step {
            Step::Name(name) => out += &escape(name),
            Step::Items => out.push('*'),
        }
        out
    })
}

/// What stands at one place.
pub(super) enum Found<'v> {
    /// A value.
    Value(&'v Value),
    /// A value above the place that has no members to go into: where it stands.
    Obstacle,
}

/// Where a value stands, on the way down to it: a JSON pointer once it is written. What is visited
/// is many; what is told of is little.
pub(super) struct At<'a> {
    above: Option<&'a At<'a>>,
    /// The member's name, or its place in a list.
    member: Member<'a>,
}

enum Member<'a> {
    All,
    Name(&'a str),
    Index(usize),
}

impl At<'_> {
    /// Where everything is.
    pub(super) const TOP: At<'static> = At { above: None, member: Member::All };
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.member {
            Member::All => Ok(()),
            Member::Name(name) => write!(f, "/{}", escape(name)),
            Member::Index(at) => write!(f, "/{at}"),
        }
    }
}

/// Visits every place that the steps lead to, with where it is as `shown` names the steps. What is
/// absent, or null above the place, is not visited.
pub(super) fn visit<'v>(
    value: &'v Value,
    steps: &[Step],
    shown: &[Step],
    at: &At<'_>,
    see: &mut impl FnMut(&At<'_>, Found<'v>),
) {
    let Some((step, rest)) = steps.split_first() else {
        see(at, Found::Value(value));
        return;
    };
    let mut go = |value: &'v Value, member| {
        let shown = shown.get(1..).unwrap_or_default();
        visit(value, rest, shown, &At { above: Some(at), member }, see);
    };
    match (value, step) {
        (Value::Null, _) => {}
        (Value::Object(members), _) => visit_members(members, steps, shown, at, see),
        (Value::Array(list), Step::Items) => {
            list.iter().enumerate().for_each(|(i, item)| go(item, Member::Index(i)));
        }
        (Value::Array(list), Step::Name(index)) => match index.parse::<usize>() {
            Ok(i) => {
                if let Some(item) = list.get(i) {
                    go(item, Member::Index(i));
                }
            }
            Err(_) => see(at, Found::Obstacle),
        },
        _ => see(at, Found::Obstacle),
    }
}

/// The same in the members of an object. Without a step there is nothing to see.
pub(super) fn visit_members<'v>(
    members: &'v Map<String, Value>,
    steps: &[Step],
    shown: &[Step],
    at: &At<'_>,
    see: &mut impl FnMut(&At<'_>, Found<'v>),
) {
    let Some((step, rest)) = steps.split_first() else { return };
    let (name, shown) = shown.split_first().unwrap_or((step, shown));
    let mut go = |value: &'v Value, name: &str| {
        visit(value, rest, shown, &At { above: Some(at), member: Member::Name(name) }, see);
    };
    match step {
        Step::Name(real) => {
            if let Some(member) = members.get(real) {
                go(member, if let Step::Name(name) = name { name } else { real });
            }
        }
        Step::Items => members.iter().for_each(|(name, member)| go(member, name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_or_a_pointer_is_read() {
        let name = |text: &str| Step::Name(text.to_owned());
        for (text, steps) in [
            ("amount", vec![name("amount")]),
            ("*", vec![name("*")]),
            ("/body/items/*/a~1b~0", vec![name("body"), name("items"), Step::Items, name("a/b~")]),
            ("/", vec![name("")]),
        ] {
            let pointer = ArgumentPointer::parse(text).expect(text);
            assert_eq!(pointer.steps(), steps);
            assert_eq!(ArgumentPointer::parse(&pointer.to_string()), Ok(pointer));
        }
        assert_eq!(ArgumentPointer::parse(""), Err(InvalidPointer::Empty));
        assert_eq!(ArgumentPointer::parse("/a~2"), Err(InvalidPointer::Escape));
        assert_eq!(ArgumentPointer::parse(&"/a".repeat(33)), Err(InvalidPointer::TooDeep));
    }

    #[test]
    fn in_a_part_of_the_arguments_a_place_is_found_by_where_the_part_stands() {
        let masked = |pointer: &str, path: &str, mut value: Value| {
            let pointer = ArgumentPointer::parse(pointer).expect("a pointer");
            pointer.each_below(path, &mut value, &mut |found| *found = json!("-"));
            value
        };
        for (pointer, path, value, expected) in [
            ("note", "note", json!(5), json!("-")),
            ("note", "notes", json!(5), json!(5)),
            ("/body/note", "body.note", json!(5), json!("-")),
            ("/body/note", "body", json!({"note": 5, "n": 1}), json!({"note": "-", "n": 1})),
            ("/body/note", "", json!({"body": {"note": 5}}), json!({"body": {"note": "-"}})),
            ("/body", "body.note.text", json!(5), json!("-")),
            ("/body/*/p", "body", json!([{"p": 1}, {"q": 2}]), json!([{"p": "-"}, {"q": 2}])),
            ("/body/*/p", "body.x", json!(5), json!("-")),
            ("/body/*/p", "other", json!(5), json!(5)),
            ("/a.b/c", "a.b.c", json!(5), json!("-")),
        ] {
            assert_eq!(masked(pointer, path, value), expected, "{pointer} in {path}");
        }
    }

    #[test]
    fn every_place_is_visited_under_the_shown_name() {
        let value = json!({"b": {"i": [{"p": 1}, {"p": 2}, {}, null, 7]}});
        let pointer = ArgumentPointer::parse("/b/i/*/p").expect("a pointer");
        let shown = ArgumentPointer::parse("/body/i/*/price").expect("a pointer");
        let mut seen = Vec::new();
        visit(&value, pointer.steps(), shown.steps(), &At::TOP, &mut |at, found| {
            seen.push((at.to_string(), matches!(found, Found::Value(_))));
        });
        assert_eq!(
            seen,
            [
                ("/body/i/0/price".to_owned(), true),
                ("/body/i/1/price".to_owned(), true),
                ("/body/i/4".to_owned(), false),
            ]
        );
    }
}
