//! The Link Objects of successes, read (OpenAPI 3.1.1 §4.8.20, 3.2.0 §4.20).
//!
//! A link is advice: one that cannot be read is left out with a warning, and costs nothing else.
//! It leads to an operation of the same description, by its `operationId` or by where it stands.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use http::HeaderName;
use serde_json::Value;
use tollbridge_operation::OperationKey;

use crate::binding::{Expression, LinkPlan, Template};
use crate::document::{Document, Pointer, Warnings, text_line, text_member};

/// More links of one answer, or parameters of one link, are no design.
const MOST: usize = 16;

/// How much of a link's description is kept.
const DESCRIPTION: usize = 300;

/// The places of an operation, the one where it is and the one where it is named, and its key.
pub(crate) type Named<'s> = ([Pointer; 2], &'s str);

/// The operations of a description, to be found by what links call them.
pub(crate) struct Targets<'s> {
    operations: Box<dyn Fn() -> Vec<Named<'s>> + 's>,
    found: OnceCell<Found<'s>>,
}

#[derive(Debug, Default)]
struct Found<'s> {
    keys: HashSet<&'s str>,
    places: HashMap<Pointer, &'s str>,
}

impl<'s> Targets<'s> {
    /// Of operations that are looked through when the first link is met: few descriptions have
    /// any.
    pub(crate) fn new(operations: impl Fn() -> Vec<Named<'s>> + 's) -> Self {
        Self { operations: Box::new(operations), found: OnceCell::new() }
    }

    fn found(&self) -> &Found<'s> {
        self.found.get_or_init(|| {
            let mut found = Found::default();
            for (places, key) in (self.operations)() {
                found.keys.insert(key);
                for place in places {
                    found.places.entry(place).or_insert(key);
                }
            }
            found
        })
    }
}

/// The links of one response.
pub(crate) fn of_response(
    document: &Document,
    targets: &Targets<'_>,
    at: &Pointer,
    response: &Value,
    warnings: &mut Warnings,
) -> Vec<LinkPlan> {
    let links = response.get("links").and_then(Value::as_object);
    let at = at.child("links");
    let mut plans = Vec::new();
    for (name, link) in links.into_iter().flatten().take(MOST) {
        if name.starts_with("x-") && !link.is_object() {
            continue;
        }
        match plan(document, targets, &at.child(name), name, link, warnings) {
            Ok(plan) => plans.push(plan),
            Err((at, reason)) => warnings.add(&at, format!("{reason}; the link is left out")),
        }
    }
    plans
}

fn plan(
    document: &Document,
    targets: &Targets<'_>,
    at: &Pointer,
    name: &str,
    link: &Value,
    warnings: &mut Warnings,
) -> Result<LinkPlan, (Pointer, String)> {
    let resolved = document.resolve(at.clone(), link);
    let (at, link) = resolved.map_err(|fault| (fault.pointer, fault.reason))?;
    // A tool goes to the server that the configuration names, and to no other.
    if link.get("server").is_some_and(|server| !server.is_null()) {
        return Err((at.child("server"), "a link to another server cannot be followed".to_owned()));
    }
    let operation = target(document, targets, &at, link)?;
    let mut read = |at: &Pointer, value: &Value| {
        let template = Template::parse(value);
        let template = template.map_err(|text| {
            let text = text_line(&text);
            warnings.add(at, format!("`{text}` is no runtime expression; read as without a value"));
        });
        template.ok()
    };
    let mut parameters = Vec::new();
    let given = link.get("parameters").and_then(Value::as_object);
    for (name, value) in given.into_iter().flatten().take(MOST) {
        if let Some(template) = read(&at.child("parameters").child(name), value) {
            parameters.push((name.clone(), template));
        }
    }
    let body = link.get("requestBody").and_then(|body| read(&at.child("requestBody"), body));
    let description = text_member(link, "description")
        .map(|text| text_line(&text).chars().take(DESCRIPTION).collect());
    Ok(LinkPlan { name: text_line(name), description, operation, parameters, body })
}

fn target(
    document: &Document,
    targets: &Targets<'_>,
    at: &Pointer,
    link: &Value,
) -> Result<OperationKey, (Pointer, String)> {
    let member = |name: &str| link.get(name).and_then(Value::as_str);
    let Found { keys, places } = targets.found();
    let (named, at) = match (member("operationId"), member("operationRef")) {
        (Some(id), _) => {
            let id = text_line(id.trim());
            (keys.get(id.as_str()).copied().ok_or(id), at.child("operationId"))
        }
        (None, Some(reference)) => {
            let found = document.library.locate(at, reference).ok();
            let key = found.and_then(|all| all.iter().find_map(|at| places.get(at)).copied());
            (key.ok_or_else(|| text_line(reference)), at.child("operationRef"))
        }
        (None, None) => {
            return Err((at.clone(), "expected an `operationId` or an `operationRef`".to_owned()));
        }
    };
    let key = named
        .map_err(|named| (at.clone(), format!("`{named}` is no operation of this description")))?;
    OperationKey::new(key).map_err(|error| (at, error.to_string()))
}

/// The headers of answers that links take values from.
pub(crate) fn headers(plans: &[LinkPlan]) -> impl Iterator<Item = &HeaderName> {
    plans
        .iter()
        .flat_map(|plan| plan.parameters.iter().map(|(_, value)| value).chain(&plan.body))
        .flat_map(Template::expressions)
        .filter_map(|expression| match expression {
            Expression::ResponseHeader(name) => Some(name),
            _ => None,
        })
}

/// How many values the links hold: every operation carries its own.
pub(crate) fn weight(plans: &[LinkPlan]) -> usize {
    plans.iter().map(|plan| 4 + plan.parameters.len()).sum()
}
