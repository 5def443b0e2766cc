//! The schema of what an expression selects, as far as that can be told.
//!
//! It is for reading: what is published of it binds nothing, so a part that cannot be told is
//! open, and that a selection may find nothing is not said of each.

use jmespath::ast::Ast;
use serde_json::{Map, Value, json};

use super::select::of_variable;
use crate::tools::place;
use crate::tools::pointer::Step;
use crate::tools::schema::{Types, Walk};

/// The schema of what is selected of a value with the schema `full`.
pub(super) fn selected(full: &Value, ast: &Ast) -> Value {
    let walk = Walk::new(full);
    let Some(found) = of(&walk, full, ast) else { return json!({}) };
    // References lead into the definitions; one to the root itself would lead elsewhere.
    if refers_to_root(&found) {
        return json!({});
    }
    match (found, full.get("$defs")) {
        (Value::Object(mut found), Some(definitions)) => {
            found.insert("$defs".to_owned(), definitions.clone());
            Value::Object(found)
        }
        (found, _) => found,
    }
}

fn refers_to_root(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, member)| {
            name == "$ref" && !member.as_str().is_some_and(|to| to.starts_with("#/$defs/"))
                || refers_to_root(member)
        }),
        Value::Array(items) => items.iter().any(refers_to_root),
        _ => false,
    }
}

fn of(walk: &Walk<'_>, here: &Value, ast: &Ast) -> Option<Value> {
    match ast {
        Ast::Identity { .. } | Ast::Slice { .. } => Some(here.clone()),
        Ast::Field { name, .. } => inside(walk, here, Step::Name(name.clone())),
        Ast::Index { .. } => items(walk, here),
        Ast::Subexpr { lhs, rhs, .. } => of(walk, &of(walk, here, lhs)?, rhs),
        Ast::Condition { then, .. } => of(walk, here, then),
        Ast::Projection { lhs, rhs, .. } => {
            let each = of(walk, here, lhs).and_then(|list| items(walk, &list));
            Some(list_of(each.and_then(|each| of(walk, &each, rhs))))
        }
        Ast::Flatten { node, .. } => {
            let each = of(walk, here, node).and_then(|list| items(walk, &list));
            Some(list_of(each.and_then(|each| {
                if walk.types(&each, 0) == Types::ARRAY { items(walk, &each) } else { Some(each) }
            })))
        }
        Ast::ObjectValues { .. } | Ast::MultiList { .. } => Some(list_of(None)),
        Ast::MultiHash { elements, .. } => {
            let members: Map<String, Value> = elements
                .iter()
                .map(|pair| {
                    let schema = of(walk, here, &pair.value).unwrap_or_else(|| json!({}));
                    (pair.key.clone(), schema)
                })
                .collect();
            Some(json!({"type": "object", "properties": members}))
        }
        Ast::Literal { value, .. } => Some(json!({"const": of_variable(value)})),
        Ast::Comparison { .. } | Ast::Not { .. } => Some(json!({"type": "boolean"})),
        Ast::Or { lhs, rhs, .. } => match (of(walk, here, lhs)?, of(walk, here, rhs)?) {
            (one, other) if one == other => Some(one),
            (one, other) => Some(json!({"anyOf": [one, other]})),
        },
        Ast::Function { name, args, .. } => function(walk, here, name, args),
        Ast::And { .. } | Ast::Expref { .. } => None,
    }
}

/// What the built-in functions return (JMESPath, built-in functions).
fn function(walk: &Walk<'_>, here: &Value, name: &str, args: &[Ast]) -> Option<Value> {
    let argument = |index: usize| of(walk, here, args.get(index)?);
    match name {
        "abs" | "avg" | "ceil" | "floor" | "length" | "sum" | "to_number" => {
            Some(json!({"type": "number"}))
        }
        "contains" | "ends_with" | "starts_with" => Some(json!({"type": "boolean"})),
        "join" | "to_string" | "type" => Some(json!({"type": "string"})),
        "keys" => Some(list_of(Some(json!({"type": "string"})))),
        "values" => Some(list_of(None)),
        "merge" => Some(json!({"type": "object"})),
        "reverse" | "sort" | "sort_by" => argument(0),
        "max" | "max_by" | "min" | "min_by" => items(walk, &argument(0)?),
        "map" => {
            let (Ast::Expref { ast, .. }, list) = (args.first()?, argument(1)) else {
                return Some(list_of(None));
            };
            let each = list.and_then(|list| items(walk, &list));
            Some(list_of(each.and_then(|each| of(walk, &each, ast))))
        }
        _ => None,
    }
}

fn items(walk: &Walk<'_>, list: &Value) -> Option<Value> {
    inside(walk, list, Step::Items)
}

fn list_of(items: Option<Value>) -> Value {
    match items {
        Some(items) => json!({"type": "array", "items": items}),
        None => json!({"type": "array"}),
    }
}

fn inside(walk: &Walk<'_>, schema: &Value, step: Step) -> Option<Value> {
    let found = place::find_from(walk, schema, &[step]).ok()?;
    match found.as_slice() {
        [Value::Bool(true)] | [] => None,
        [only] => Some((*only).clone()),
        several => Some(json!({"anyOf": several})),
    }
}
