//! The shape of a tool's arguments: what an agent sees of an operation's, and what becomes of
//! what it sends.
//!
//! Compiling rewrites the operation's schema into the agent's and keeps the way back:
//! names that were changed, values that are filled in, places that an agent may not touch
//! though the schema, being open there, would let it.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::judge::Judge;
use super::limits::{self, Limits};
use super::lint::is_portable_key;
use super::place::{self, Branch, TooComplex};
use super::pointer::{ArgumentPointer, At, Found, Step, visit, written};
use super::rule::{ArgumentRule, RuleError};
use super::schema::{Walk, closest, escape};
use super::text;
use super::validate::Violation;

/// How arguments as an agent gives them become the operation's.
#[derive(Debug, Default)]
pub(super) struct Shape {
    forbidden: Vec<Forbidden>,
    renames: Vec<Renames>,
    fills: Vec<Fill>,
}

/// A place that is not the agent's, under the agent's names.
#[derive(Debug)]
struct Forbidden {
    steps: Vec<Step>,
    /// What the agent is to call it, where it may give it after all.
    instead: Option<String>,
}

/// The names in one object, as an agent has them and as the operation does.
#[derive(Debug)]
struct Renames {
    above: Vec<Step>,
    names: Vec<(String, String)>,
}

#[derive(Debug)]
struct Fill {
    steps: Vec<Step>,
    value: Value,
    always: bool,
}

/// What the rules make of an operation's schema.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) shape: Shape,
    pub(super) limits: Limits,
    /// The agent's schema without limits: what refuses a call as invalid.
    pub(super) judged: Value,
    /// The agent's schema with limits: what an agent is shown.
    pub(super) shown: Value,
}

/// Compiles all rules for an operation with the input schema `full`.
pub(super) fn compile(full: &Value, rules: &[ArgumentRule]) -> Result<Compiled, Vec<RuleError>> {
    let mut errors = Vec::new();
    let mut limits = Limits::default();
    for (i, rule) in rules.iter().enumerate() {
        // Each question has its own bounds, so one rule cannot exhaust another's.
        let walk = Walk::new(full);
        let checked = check(&walk, rule, rules, &rules[..i], &mut limits);
        errors.extend(checked.err());
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut judged = full.clone();
    for rule in rules {
        let changed = reshape(full, &mut judged, rule);
        errors.extend(changed.err().map(|TooComplex| too_complex(rule)));
    }
    let mut shown = judged.clone();
    for rule in rules.iter().filter(|rule| !is_hidden(rule)) {
        errors.extend(limits::show(full, &mut shown, rule).err());
    }
    // Deepest first: the steps above are still the operation's names.
    let mut renamed: Vec<&ArgumentRule> = rules.iter().filter(|r| r.rename.is_some()).collect();
    renamed.sort_by_key(|rule| std::cmp::Reverse(rule.pointer.steps().len()));
    let groups = renames(rules);
    for group in groups.iter().rev() {
        for schema in [&mut judged, &mut shown] {
            let changed = rename_members(full, schema, group);
            let first = renamed.first().map(|rule| too_complex(rule));
            errors.extend(changed.err().and(first));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let shape = Shape { forbidden: forbidden(rules), renames: groups, fills: fills(rules) };
    Ok(Compiled { shape, limits, judged, shown })
}

fn too_complex(rule: &ArgumentRule) -> RuleError {
    RuleError::TooComplex { pointer: rule.pointer.clone() }
}

fn is_hidden(rule: &ArgumentRule) -> bool {
    rule.hide || rule.fixed.is_some()
}

// === Checking rules ===

fn check(
    walk: &Walk<'_>,
    rule: &ArgumentRule,
    rules: &[ArgumentRule],
    before: &[ArgumentRule],
    limits: &mut Limits,
) -> Result<(), RuleError> {
    let pointer = &rule.pointer;
    if before.iter().any(|other| other.pointer == *pointer) {
        let reason = "the argument has rules twice, by name and by pointer".to_owned();
        return Err(RuleError::Impossible { pointer: pointer.clone(), reason });
    }
    contradictions(rule)?;
    let leaves = place::find(walk, pointer.steps()).map_err(|missing| unknown(pointer, missing))?;
    limits.add(walk, rule, &shown_steps(pointer, rules), &leaves)?;
    for (key, value) in [("fixed", &rule.fixed), ("default", &rule.default)] {
        let Some(value) = value else { continue };
        fits(walk, pointer, key, value, &leaves)?;
        if let Some(limit) = limits.broken_by(pointer, value) {
            let reason = format!("its `{key}` value breaks its own limit {limit}");
            return Err(RuleError::Impossible { pointer: pointer.clone(), reason });
        }
    }
    let given = rule.fixed.is_some() || rule.default.is_some();
    let dropped = rule.hide || rule.required == Some(false);
    if dropped && !given && place::is_required(walk, pointer.steps()) {
        return Err(RuleError::Needed { pointer: pointer.clone() });
    }
    match &rule.rename {
        Some(name) => check_name(walk, rule, name, rules),
        None => Ok(()),
    }
}

fn contradictions(rule: &ArgumentRule) -> Result<(), RuleError> {
    let fixed = rule.fixed.is_some();
    let pairs = [
        ("fixed", fixed, "default", rule.default.is_some()),
        ("fixed", fixed, "rename", rule.rename.is_some()),
        ("fixed", fixed, "required", rule.required == Some(true)),
        ("hide", rule.hide, "rename", rule.rename.is_some()),
        ("hide", rule.hide, "required", rule.required == Some(true)),
        ("default", rule.default.is_some(), "required", rule.required == Some(true)),
    ];
    for (first, has_first, second, has_second) in pairs {
        if has_first && has_second {
            let pointer = rule.pointer.clone();
            return Err(RuleError::Contradiction { pointer, first, second });
        }
    }
    let shapes = is_hidden(rule)
        || rule.default.is_some()
        || rule.rename.is_some()
        || rule.required.is_some();
    if shapes && rule.pointer.steps().last() == Some(&Step::Items) {
        let reason = "items have limits; hide, fixed, default, rename and required are for what \
                      has a name"
            .to_owned();
        return Err(RuleError::Impossible { pointer: rule.pointer.clone(), reason });
    }
    Ok(())
}

/// Whether an operation with the input schema `full` has the argument.
pub(super) fn check_place(full: &Value, pointer: &ArgumentPointer) -> Result<(), RuleError> {
    let found = place::find(&Walk::new(full), pointer.steps());
    found.map(drop).map_err(|missing| unknown(pointer, missing))
}

pub(super) fn unknown(pointer: &ArgumentPointer, missing: place::Missing) -> RuleError {
    let steps = pointer.steps();
    let mut suggestion = None;
    if let Some(Step::Name(name)) = steps.get(missing.made)
        && let Some(near) = closest(name, missing.known.iter().map(String::as_str))
    {
        let mut mended = steps.to_vec();
        mended[missing.made] = Step::Name(near.to_owned());
        suggestion = Some(match mended.as_slice() {
            [Step::Name(name)] => name.clone(),
            steps => written(steps),
        });
    }
    let known = missing.known.into_iter().take(30).collect();
    RuleError::UnknownArgument { pointer: pointer.clone(), suggestion, known }
}

fn fits(
    walk: &Walk<'_>,
    pointer: &ArgumentPointer,
    key: &'static str,
    value: &Value,
    leaves: &[&Value],
) -> Result<(), RuleError> {
    let definitions = walk.root.get("$defs").cloned().unwrap_or_else(|| json!({}));
    for leaf in leaves {
        let schema = json!({"$defs": definitions, "allOf": [leaf]});
        // What cannot be compiled alone is no reason to refuse a value.
        if Judge::new(&schema).map_or(true, |judge| judge.accepts(value)) {
            return Ok(());
        }
    }
    let mut expected: Vec<String> = Vec::new();
    for leaf in leaves.iter().take(5) {
        expected.push(walk.words(leaf, 0));
    }
    let expected = expected.join(" or ");
    Err(RuleError::UnfitValue { pointer: pointer.clone(), key, expected })
}

fn check_name(
    walk: &Walk<'_>,
    rule: &ArgumentRule,
    name: &str,
    rules: &[ArgumentRule],
) -> Result<(), RuleError> {
    let unfit = |reason| {
        let name = text::cut(name, 80);
        Err(RuleError::UnfitName { pointer: rule.pointer.clone(), name, reason })
    };
    if !is_portable_key(name) {
        return unfit("clients do not take such a name");
    }
    let Some((own, above)) = rule.pointer.steps().split_last() else { return Ok(()) };
    let taken = place::names(walk, above).into_iter().any(|other| {
        let mut steps = above.to_vec();
        steps.push(Step::Name(other.clone()));
        let other_rule = rules.iter().find(|rule| rule.pointer.steps() == steps);
        let shown = other_rule.and_then(|rule| rule.rename.clone()).unwrap_or(other);
        steps.last() != Some(own) && shown == name
    });
    if taken { unfit("another argument has that name") } else { Ok(()) }
}

// === Rewriting the schema ===

fn reshape(full: &Value, schema: &mut Value, rule: &ArgumentRule) -> Result<(), TooComplex> {
    let steps = rule.pointer.steps();
    if let Some(description) = &rule.description {
        place::rewrite(full, schema, steps, &mut |leaf| {
            leaf.insert("description".to_owned(), json!(description));
        })?;
    }
    if let Some(default) = &rule.default {
        place::rewrite(full, schema, steps, &mut |leaf| {
            leaf.insert("default".to_owned(), default.clone());
        })?;
    }
    let Some((Step::Name(name), above)) = steps.split_last() else { return Ok(()) };
    let given = rule.fixed.is_some() || rule.default.is_some();
    if is_hidden(rule) || given {
        place::rewrite_members(full, schema, above, &mut |object, branch| {
            // An alternative that needs what nobody gives must not begin to fit.
            if given || branch == Branch::Always {
                remove_required(object, name);
            }
            let properties = object.get_mut("properties").and_then(Value::as_object_mut);
            if is_hidden(rule)
                && let Some(properties) = properties
            {
                properties.shift_remove(name);
            }
        })?;
    }
    if rule.required == Some(true) {
        let mut done = false;
        place::rewrite_members(full, schema, above, &mut |object, branch| {
            if done || branch == Branch::Maybe {
                return;
            }
            done = true;
            if let Value::Array(names) = object.entry("required").or_insert_with(|| json!([]))
                && !names.iter().any(|known| known.as_str() == Some(name))
            {
                names.push(json!(name));
            }
        })?;
    }
    Ok(())
}

fn remove_required(object: &mut Map<String, Value>, name: &str) {
    if let Some(Value::Array(names)) = object.get_mut("required") {
        names.retain(|known| known.as_str() != Some(name));
        if names.is_empty() {
            object.shift_remove("required");
        }
    }
}

fn rename_members(full: &Value, schema: &mut Value, group: &Renames) -> Result<(), TooComplex> {
    let shown = |real: &str| {
        let pair = group.names.iter().find(|(_, known)| known == real);
        pair.map_or_else(|| real.to_owned(), |(shown, _)| shown.clone())
    };
    place::rewrite_members(full, schema, &group.above, &mut |object, _| {
        if let Some(Value::Object(properties)) = object.get_mut("properties") {
            let members = std::mem::take(properties);
            *properties = members.into_iter().map(|(name, v)| (shown(&name), v)).collect();
        }
        if let Some(Value::Array(names)) = object.get_mut("required") {
            for name in names {
                if let Some(real) = name.as_str() {
                    *name = json!(shown(real));
                }
            }
        }
    })
}

// === The way back ===

/// The steps under the names that an agent knows.
fn shown_steps(pointer: &ArgumentPointer, rules: &[ArgumentRule]) -> Vec<Step> {
    let steps = pointer.steps();
    let mut shown = steps.to_vec();
    for (i, step) in shown.iter_mut().enumerate() {
        let rule = rules.iter().find(|rule| rule.pointer.steps() == &steps[..=i]);
        if let Some(name) = rule.and_then(|rule| rule.rename.as_ref()) {
            *step = Step::Name(name.clone());
        }
    }
    shown
}

fn renames(rules: &[ArgumentRule]) -> Vec<Renames> {
    let mut groups: Vec<Renames> = Vec::new();
    for rule in rules {
        let (Some(shown), Some((Step::Name(real), above))) =
            (&rule.rename, rule.pointer.steps().split_last())
        else {
            continue;
        };
        let pair = (shown.clone(), real.clone());
        match groups.iter_mut().find(|group| group.above == above) {
            Some(group) => group.names.push(pair),
            None => groups.push(Renames { above: above.to_vec(), names: vec![pair] }),
        }
    }
    // Outermost first: below, the names above are the operation's again.
    groups.sort_by_key(|group| group.above.len());
    groups
}

fn forbidden(rules: &[ArgumentRule]) -> Vec<Forbidden> {
    let mut places = Vec::new();
    for rule in rules {
        let mut steps = shown_steps(&rule.pointer, rules);
        if is_hidden(rule) {
            places.push(Forbidden { steps, instead: None });
        } else if let (Some(name), Some((own, above))) =
            (&rule.rename, rule.pointer.steps().split_last())
        {
            // Unless the old name is now another argument's.
            let reused = rules.iter().any(|other| {
                let other_above = other.pointer.steps().split_last().map(|(_, above)| above);
                other_above == Some(above)
                    && matches!((&other.rename, own), (Some(new), Step::Name(old)) if new == old)
            });
            if !reused {
                if let Some(last) = steps.last_mut() {
                    *last = own.clone();
                }
                places.push(Forbidden { steps, instead: Some(name.clone()) });
            }
        }
    }
    places
}

fn fills(rules: &[ArgumentRule]) -> Vec<Fill> {
    let mut fills: Vec<Fill> = rules
        .iter()
        .filter_map(|rule| {
            let value = rule.fixed.as_ref().or(rule.default.as_ref())?.clone();
            let steps = rule.pointer.steps().to_vec();
            Some(Fill { steps, value, always: is_hidden(rule) })
        })
        .collect();
    // What is set as a whole comes before what is set inside of it.
    fills.sort_by_key(|fill| fill.steps.len());
    fills
}

impl Shape {
    /// Where an agent gives what is not its to give.
    pub(super) fn trespasses(&self, given: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        for place in &self.forbidden {
            visit(given, &place.steps, &place.steps, &At::TOP, &mut |at, here| {
                let expected = match here {
                    Found::Value(_) => "no such argument",
                    // What cannot be looked into may hold what is hidden.
                    Found::Obstacle if place.instead.is_none() => "an object or a list",
                    Found::Obstacle => return,
                };
                if found.len() < super::validate::REPORTED {
                    let instead = place.instead.as_ref();
                    found.push(Violation {
                        pointer: text::cut(&at.to_string(), 500),
                        expected: expected.to_owned(),
                        suggestion: instead.map(|name| format!("did you mean `{name}`?")),
                    });
                }
            });
        }
        found
    }

    /// A JSON pointer into the operation's arguments, under the agent's names.
    pub(super) fn shown_pointer(&self, pointer: &str) -> String {
        let Ok(parsed) = ArgumentPointer::parse(pointer) else { return pointer.to_owned() };
        let steps = parsed.steps();
        let mut shown = steps.to_vec();
        for (i, step) in shown.iter_mut().enumerate() {
            let Step::Name(real) = &steps[i] else { continue };
            let pair = self
                .renames
                .iter()
                .filter(|group| leads_to(&group.above, &steps[..i]))
                .find_map(|group| group.names.iter().find(|(_, known)| known == real));
            if let Some((name, _)) = pair {
                *step = Step::Name(name.clone());
            }
        }
        written(&shown)
    }

    /// The operation's arguments: names mapped back, values filled in.
    pub(super) fn apply(&self, given: Map<String, Value>) -> Result<Map<String, Value>, Violation> {
        let mut value = Value::Object(given);
        for group in &self.renames {
            rename_back(&mut value, &group.above, &group.names);
        }
        for fill in &self.fills {
            fill_in(&mut value, &fill.steps, fill, "")?;
        }
        Ok(members(value))
    }

    /// Whether there are places that are not the agent's.
    pub(super) fn hides(&self) -> bool {
        self.forbidden.iter().any(|place| place.instead.is_none())
    }

    /// The operation's arguments as far as an agent knows them: names mapped back, defaults
    /// filled in, and nothing of what is not the agent's.
    pub(super) fn given(&self, given: Map<String, Value>) -> Map<String, Value> {
        let mut value = Value::Object(given);
        for group in &self.renames {
            rename_back(&mut value, &group.above, &group.names);
        }
        for fill in self.fills.iter().filter(|fill| !fill.always) {
            // Without what is always sent nothing is in the way.
            let _ = fill_in(&mut value, &fill.steps, fill, "");
        }
        members(value)
    }

    /// Arguments of the operation as an agent gives them: [`Shape::apply`] the other way round.
    pub(super) fn shown<'a>(
        &self,
        arguments: &'a Map<String, Value>,
    ) -> Cow<'a, Map<String, Value>> {
        if self.renames.is_empty() && !self.hides() {
            return Cow::Borrowed(arguments);
        }
        let mut value = Value::Object(arguments.clone());
        for group in self.renames.iter().rev() {
            let names: Vec<_> =
                group.names.iter().map(|(shown, real)| (real.clone(), shown.clone())).collect();
            rename_back(&mut value, &group.above, &names);
        }
        for place in self.forbidden.iter().filter(|place| place.instead.is_none()) {
            take_out(&mut value, &place.steps);
        }
        Cow::Owned(members(value))
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Takes out what stands at a place; what cannot be looked into may hold it, and goes whole.
fn take_out(value: &mut Value, steps: &[Step]) {
    let Some((step, rest)) = steps.split_first() else { return };
    let mut inside = |member: &mut Value| take_out(member, rest);
    match (step, value) {
        (Step::Name(name), Value::Object(object)) if rest.is_empty() => {
            object.shift_remove(name);
        }
        (Step::Name(name), Value::Object(object)) => {
            object.get_mut(name).into_iter().for_each(inside);
        }
        (Step::Items, Value::Object(object)) => object.values_mut().for_each(inside),
        (Step::Items, Value::Array(list)) => list.iter_mut().for_each(inside),
        (Step::Name(index), Value::Array(list)) => {
            let item = index.parse::<usize>().ok().and_then(|at| list.get_mut(at));
            item.into_iter().for_each(&mut inside);
        }
        (_, other) => *other = Value::Null,
    }
}

/// Whether a concrete place is one of those that the steps mean.
fn leads_to(steps: &[Step], place: &[Step]) -> bool {
    steps.len() == place.len()
        && steps.iter().zip(place).all(|(step, at)| *step == Step::Items || step == at)
}

fn rename_back(value: &mut Value, above: &[Step], names: &[(String, String)]) {
    match (above.split_first(), value) {
        (None, Value::Object(object)) => {
            let members = std::mem::take(object);
            for (name, member) in members {
                let real = names.iter().find(|(shown, _)| *shown == name);
                object.insert(real.map_or(name, |(_, real)| real.clone()), member);
            }
        }
        (Some((Step::Name(name), rest)), Value::Object(object)) => {
            if let Some(member) = object.get_mut(name) {
                rename_back(member, rest, names);
            }
        }
        (Some((Step::Items, rest)), Value::Object(object)) => {
            for member in object.values_mut() {
                rename_back(member, rest, names);
            }
        }
        (Some((Step::Items, rest)), Value::Array(list)) => {
            for item in list {
                rename_back(item, rest, names);
            }
        }
        (Some((Step::Name(index), rest)), Value::Array(list)) => {
            if let Some(item) = index.parse::<usize>().ok().and_then(|i| list.get_mut(i)) {
                rename_back(item, rest, names);
            }
        }
        _ => {}
    }
}

/// A value that is always sent makes its way: what is absent above it is created, and what
/// cannot hold it is refused. A default goes where there is a place for it.
fn fill_in(value: &mut Value, steps: &[Step], fill: &Fill, at: &str) -> Result<(), Violation> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    // Items are filled where there are some: no list is made for them.
    let creates = fill.always && !steps.contains(&Step::Items);
    if creates && value.is_null() {
        *value = Value::Object(Map::new());
    }
    match (step, value) {
        (Step::Name(name), Value::Object(object)) => {
            if rest.is_empty() {
                if fill.always || !object.contains_key(name) {
                    object.insert(name.clone(), fill.value.clone());
                }
                return Ok(());
            }
            if creates {
                object.entry(name.clone()).or_insert_with(|| json!({}));
            }
            match object.get_mut(name) {
                Some(member) => fill_in(member, rest, fill, &format!("{at}/{}", escape(name))),
                None => Ok(()),
            }
        }
        (Step::Items, Value::Object(object)) => {
            for (name, member) in object {
                fill_in(member, rest, fill, &format!("{at}/{}", escape(name)))?;
            }
            Ok(())
        }
        (Step::Items, Value::Array(list)) => {
            for (i, item) in list.iter_mut().enumerate() {
                fill_in(item, rest, fill, &format!("{at}/{i}"))?;
            }
            Ok(())
        }
        (_, Value::Null) => Ok(()),
        _ if fill.always => Err(Violation {
            pointer: text::cut(at, 500),
            expected: if *step == Step::Items { "list" } else { "object" }.to_owned(),
            suggestion: None,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
