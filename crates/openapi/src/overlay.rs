//! Changes to a description that leave its document as it is: the `OpenAPI` Overlay
//! Specification 1.0 and 1.1, and JSON Patch (RFC 6902).
//!
//! They are applied in their order to the value of the document that was named, before anything
//! is read of it. An action that matches nothing is told of, since the description has perhaps
//! moved on; one that cannot be applied as it is written is an error, because half a change is
//! none that anybody meant.

use serde_json::{Map, Value};
use serde_json_path::{JsonPath, NormalizedPath, PathElement};

use crate::ReadError;
use crate::document::{Warnings, parse};
use crate::pointer::Pointer;

/// How many nodes all changes may add. Copies of copies double.
const MAX_ADDED: usize = 500_000;
/// As deep as a document may be, and a change in it.
const MAX_DEPTH: usize = 256;

/// Changes to a description.
#[derive(Debug, Clone, Copy)]
pub struct Overlay<'a> {
    /// What it is called in messages.
    pub name: &'a str,
    /// An overlay document, or a JSON Patch; JSON or YAML.
    pub bytes: &'a [u8],
}

impl Overlay<'_> {
    /// Changes a document.
    pub(crate) fn apply(&self, root: &mut Value, warnings: &mut Warnings) -> Result<(), ReadError> {
        let most = count(root) + MAX_ADDED;
        let top = Pointer::root_of(usize::MAX, &self.name.into());
        let mut found = Warnings::default();
        let overlay = parse(self.bytes, &mut found)
            .map_err(|error| self.error(&Pointer::root(), error.to_string()))?;
        for warning in found.into_vec() {
            warnings.add(&top, format!("{}: {}", warning.pointer, warning.message));
        }
        match &overlay {
            Value::Array(operations) => self.patch(operations, root, most),
            Value::Object(members) if members.contains_key("overlay") => {
                self.overlay(members, &top, root, most, warnings)
            }
            _ => Err(self.error(
                &Pointer::root(),
                "expected an overlay (an object with the member `overlay`) or a JSON Patch (a list)",
            )),
        }
    }

    fn error(&self, at: &Pointer, message: impl Into<String>) -> ReadError {
        ReadError::Overlay {
            name: self.name.to_owned(),
            pointer: at.as_str().to_owned(),
            message: message.into(),
        }
    }

    fn patch(&self, operations: &[Value], root: &mut Value, most: usize) -> Result<(), ReadError> {
        for (index, operation) in operations.iter().enumerate() {
            let at = Pointer::root().item(index);
            let operation: json_patch::PatchOperation = serde_json::from_value(operation.clone())
                .map_err(|error| {
                self.error(&at, format!("no operation of a JSON Patch: {error}"))
            })?;
            let grows = matches!(operation, json_patch::PatchOperation::Copy(_));
            json_patch::patch(root, &[operation])
                .map_err(|error| self.error(&at, error.kind.to_string()))?;
            if grows {
                self.bound(root, most, &at)?;
            }
        }
        self.bound(root, most, &Pointer::root())
    }

    fn overlay(
        &self,
        overlay: &Map<String, Value>,
        top: &Pointer,
        root: &mut Value,
        most: usize,
        warnings: &mut Warnings,
    ) -> Result<(), ReadError> {
        let version = overlay.get("overlay").and_then(crate::document::scalar_text);
        let version = match version.as_deref().map(str::trim) {
            Some(version) if version.starts_with("1.0") => Version::V1_0,
            Some(version) if version.starts_with("1.") => Version::V1_1,
            _ => {
                let at = Pointer::root().child("overlay");
                return Err(self.error(&at, "expected the version 1.0 or 1.1"));
            }
        };
        let at = top.child("actions");
        let Some(actions) = overlay.get("actions").and_then(Value::as_array) else {
            return Err(self.error(&at, "expected a list of actions"));
        };
        for (index, action) in actions.iter().enumerate() {
            self.action(action, version, &at.item(index), root, most, warnings)?;
        }
        Ok(())
    }

    fn action(
        &self,
        action: &Value,
        version: Version,
        at: &Pointer,
        root: &mut Value,
        most: usize,
        warnings: &mut Warnings,
    ) -> Result<(), ReadError> {
        let Some(action) = action.as_object() else {
            return Err(self.error(at, "expected an action (an object)"));
        };
        for name in action.keys() {
            let known = ["target", "description", "update", "remove", "copy"];
            if !known.contains(&name.as_str()) && !name.starts_with("x-") {
                warnings.add(&at.child(name), "no member of an action; left out");
            }
        }
        let targets = self.find(action.get("target"), &at.child("target"), root)?;
        if targets.is_empty() {
            warnings.add(&at.child("target"), "it matches nothing; the action changes nothing");
            return Ok(());
        }
        if action.get("remove") == Some(&Value::Bool(true)) {
            return self.remove(targets, at, root);
        }
        let (place, change) = match (action.get("update"), action.get("copy")) {
            (Some(update), None) => (at.child("update"), update.clone()),
            (None, Some(copy)) if version == Version::V1_1 => {
                let place = at.child("copy");
                let sources = self.find(Some(copy), &place, root)?;
                let [source] = sources.as_slice() else {
                    let reason = format!("expected one node to copy, found {}", sources.len());
                    return Err(self.error(&place, reason));
                };
                let source = root.pointer(&pointer(source)).cloned().unwrap_or_default();
                (place, source)
            }
            (Some(_), Some(_)) => {
                return Err(self.error(at, "expected `update` or `copy`, not both"));
            }
            (None, Some(_)) => {
                return Err(
                    self.error(&at.child("copy"), "`copy` came with overlays of version 1.1")
                );
            }
            (None, None) => {
                warnings
                    .add(at, "expected `update`, `remove` or `copy`; the action changes nothing");
                return Ok(());
            }
        };
        let kind = |target: &Vec<Step>| root.pointer(&pointer(target)).map(kind);
        if targets.iter().any(|target| kind(target) != kind(&targets[0])) {
            return Err(self.error(
                &at.child("target"),
                "the nodes that it matches are of several kinds; expected objects, lists or plain values alone",
            ));
        }
        for target in &targets {
            let target = pointer(target);
            // A target may lie within one that was changed, and be another kind of thing now.
            let Some(node) = root.pointer_mut(&target) else { continue };
            change_node(node, change.clone(), version).map_err(|inside| {
                let reason = format!("the values at `{target}{inside}` do not go together");
                self.error(&place, reason)
            })?;
            if targets.len() > 1 || action.contains_key("copy") {
                self.bound_depth(root, at)?;
            }
        }
        self.bound(root, most, at)
    }

    fn find(
        &self,
        target: Option<&Value>,
        at: &Pointer,
        root: &Value,
    ) -> Result<Vec<Vec<Step>>, ReadError> {
        let Some(text) = target.and_then(Value::as_str) else {
            return Err(self.error(at, "expected a JSONPath (RFC 9535)"));
        };
        let path = JsonPath::parse(text)
            .map_err(|error| self.error(at, format!("no JSONPath (RFC 9535): {error}")))?;
        let mut found: Vec<Vec<Step>> = path.query_located(root).locations().map(steps).collect();
        let mut seen = std::collections::HashSet::new();
        found.retain(|steps| seen.insert(steps.clone()));
        Ok(found)
    }

    fn remove(
        &self,
        mut targets: Vec<Vec<Step>>,
        at: &Pointer,
        root: &mut Value,
    ) -> Result<(), ReadError> {
        // Later ones first, so that no index moves under another.
        targets.sort_unstable_by(|a, b| b.cmp(a));
        for target in targets {
            let Some((last, parent)) = target.split_last() else {
                return Err(self.error(&at.child("target"), "the whole document cannot be removed"));
            };
            match (root.pointer_mut(&pointer(parent)), last) {
                (Some(Value::Object(members)), Step::Name(name)) => {
                    members.shift_remove(name);
                }
                (Some(Value::Array(items)), Step::Index(index)) if *index < items.len() => {
                    items.remove(*index);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn bound(&self, root: &Value, most: usize, at: &Pointer) -> Result<(), ReadError> {
        self.bound_depth(root, at)?;
        if count(root) > most {
            return Err(self.error(at, format!("it adds more than {MAX_ADDED} nodes")));
        }
        Ok(())
    }

    fn bound_depth(&self, root: &Value, at: &Pointer) -> Result<(), ReadError> {
        if is_deeper(root, MAX_DEPTH) {
            return Err(self.error(at, format!("it nests deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1_0,
    V1_1,
}

/// One step of a path. Steps are ordered as they stand in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Name(String),
    Index(usize),
}

fn steps(path: &NormalizedPath<'_>) -> Vec<Step> {
    path.iter()
        .map(|element| match element {
            PathElement::Name(name) => Step::Name((*name).to_owned()),
            PathElement::Index(index) => Step::Index(*index),
        })
        .collect()
}

fn pointer(steps: &[Step]) -> String {
    let pointer = steps.iter().fold(Pointer::root(), |at, step| match step {
        Step::Name(name) => at.child(name),
        Step::Index(index) => at.item(*index),
    });
    pointer.as_str().to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    List,
    Plain,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Object(_) => Kind::Object,
        Value::Array(_) => Kind::List,
        _ => Kind::Plain,
    }
}

/// Changes a target; an error is the place within it where the two do not go together.
fn change_node(node: &mut Value, change: Value, version: Version) -> Result<(), String> {
    match (node, change) {
        (Value::Array(items), Value::Array(more)) if version == Version::V1_1 => {
            items.extend(more);
            Ok(())
        }
        (Value::Array(items), entry) => {
            items.push(entry);
            Ok(())
        }
        (node, change) => merge(node, change),
    }
}

fn merge(node: &mut Value, change: Value) -> Result<(), String> {
    match (node, change) {
        (Value::Object(members), Value::Object(changes)) => {
            for (name, change) in changes {
                match members.get_mut(&name) {
                    Some(member) => merge(member, change)
                        .map_err(|inside| format!("{}{inside}", Pointer::root().child(&name)))?,
                    None => {
                        members.insert(name, change);
                    }
                }
            }
            Ok(())
        }
        (Value::Array(items), Value::Array(more)) => {
            items.extend(more);
            Ok(())
        }
        (node, change) if kind(node) == Kind::Plain && kind(&change) == Kind::Plain => {
            *node = change;
            Ok(())
        }
        _ => Err(String::new()),
    }
}

fn is_deeper(value: &Value, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|item| is_deeper(item, left)),
        Value::Object(members) => members.values().any(|member| is_deeper(member, left)),
        _ => false,
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        _ => 1,
    }
}
