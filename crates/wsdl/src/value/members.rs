//! Reading what stands between an element's tags: members by their names, `#content` and `#any`.

use serde_json::{Map, Value};
use tollbridge_xml::{Element as Node, Node as Child};

use super::read::Reading;
use super::{declared, free, meaningful, xml};
use crate::plan::{Leaf, UNBOUNDED, Wildcard};

impl Reading<'_> {
    pub(super) fn members(
        &mut self,
        node: &Node,
        (leaves, wildcards): (&[Leaf], &[(Wildcard, bool)]),
        mixed: bool,
        object: &mut Map<String, Value>,
    ) {
        let mut content = Vec::new();
        let mut last = 0;
        for child in &node.children {
            let child = match child {
                Child::Element(child) => child,
                Child::Text(text) if mixed => {
                    content.push(Value::String(text.clone()));
                    continue;
                }
                Child::Text(text) => {
                    if meaningful(text) {
                        self.note("expected elements alone, and text came");
                        put_text(object, text);
                    }
                    continue;
                }
            };
            match find(leaves, child, last) {
                Some((index, exact)) => {
                    let leaf = &leaves[index];
                    // Accessors of SOAP's encoding are in no namespace (SOAP 1.1 §5.1).
                    if !(exact || self.encoded && child.namespace.is_none()) {
                        self.note_at(&child.name, "it came in another namespace than expected");
                    }
                    if index < last && !leaf.ordered && !leaf.anywhere {
                        self.note_at(&child.name, "it came in another place than expected");
                    }
                    last = index;
                    if leaf.ordered {
                        let place = content.len().to_string();
                        let value = self.within("#content", |reading| {
                            reading.within(&place, |reading| reading.element(child, &leaf.element))
                        });
                        content.push(Value::Object(Map::from_iter([(
                            leaf.element.key().to_owned(),
                            value,
                        )])));
                    } else {
                        self.member(child, leaf, object);
                    }
                }
                None => match allowed(wildcards, child) {
                    Some((wildcard, true)) => {
                        let place = content.len().to_string();
                        let xml = self.within("#content", |reading| {
                            reading.within(&place, |reading| reading.foreign(wildcard, child))
                        });
                        content.push(Value::Object(Map::from_iter([("#any".to_owned(), xml)])));
                    }
                    Some((wildcard, false)) => {
                        let xml = self.within("#any", |reading| reading.foreign(wildcard, child));
                        put(object, "#any".to_owned(), xml, true);
                    }
                    None => self.stranger(child, object),
                },
            }
        }
        if !content.is_empty() {
            object.insert("#content".into(), Value::Array(content));
        }
        for leaf in leaves.iter().filter(|leaf| !leaf.ordered) {
            let key = leaf.element.key();
            match object.get(key) {
                None if leaf.required => self.note_at(key, "expected, and absent"),
                Some(Value::Array(items)) if leaf.repeats() => {
                    let count = u32::try_from(items.len()).unwrap_or(UNBOUNDED);
                    let (least, most) = leaf.times;
                    if count < least {
                        self.note_at(key, format!("expected a list of at least {least}"));
                    } else if count > most {
                        self.note_at(key, format!("expected a list of at most {most}"));
                    }
                }
                _ => {}
            }
        }
    }

    /// An element that stands for a wildcard.
    fn foreign(&mut self, wildcard: &Wildcard, child: &Node) -> Value {
        self.ids.is_open = true;
        if let Some(expected) = declared::broken(self.types, wildcard, child) {
            self.note(format!("expected {expected}"));
        }
        if self.judges {
            return Value::Null;
        }
        Value::String(xml::text(child))
    }

    fn member(&mut self, child: &Node, leaf: &Leaf, object: &mut Map<String, Value>) {
        let key = leaf.element.key().to_owned();
        let index = match object.get(&key) {
            Some(Value::Array(items)) if leaf.repeats() => Some(items.len()),
            Some(_) => Some(1),
            None if leaf.repeats() => Some(0),
            None => None,
        };
        self.path.push(key.clone());
        let depth = self.path.len();
        if let Some(index) = index {
            self.path.push(index.to_string());
        }
        if index.is_some() && !leaf.repeats() {
            self.note("expected one, and several came");
        }
        let value = self.element(child, &leaf.element);
        self.path.truncate(depth - 1);
        put(object, key, value, leaf.repeats());
    }

    /// An element that the type does not know.
    fn stranger(&mut self, child: &Node, object: &mut Map<String, Value>) {
        self.note_at(&child.name, "nothing is known of this element");
        self.ids.is_open = true;
        put(object, child.name.clone(), free(child), false);
    }
}

/// The wildcard that takes a child, and whether it stands in `#content`.
fn allowed<'w>(wildcards: &'w [(Wildcard, bool)], child: &Node) -> Option<(&'w Wildcard, bool)> {
    let namespace = child.namespace.as_deref();
    let takes = |(wildcard, _): &&(Wildcard, bool)| wildcard.allows_name(namespace, &child.name);
    wildcards.iter().find(takes).map(|(wildcard, ordered)| (wildcard, *ordered))
}

/// The leaf of a child, looked for from where the last one was, and whether its name is the
/// same to its namespace.
fn find(leaves: &[Leaf], child: &Node, from: usize) -> Option<(usize, bool)> {
    let named =
        |leaf: &Leaf| leaf.element.name.names(child) || leaf.element.substitute(child).is_some();
    let after = leaves[from.min(leaves.len())..].iter().position(named).map(|at| at + from);
    let exact = after.or_else(|| leaves.iter().position(named));
    exact.map(|index| (index, true)).or_else(|| {
        leaves
            .iter()
            .position(|leaf| *leaf.element.name.local == *child.name)
            .map(|index| (index, false))
    })
}

fn put_text(object: &mut Map<String, Value>, text: &str) {
    match object.get_mut("#text") {
        Some(Value::String(said)) => said.push_str(text),
        _ => {
            object.insert("#text".into(), text.into());
        }
    }
}

/// Adds a child; what comes again where one was expected becomes a list.
fn put(object: &mut Map<String, Value>, key: String, value: Value, repeats: bool) {
    match object.get_mut(&key) {
        Some(Value::Array(items)) if repeats => items.push(value),
        Some(Value::Array(items)) if items.last().is_some_and(|last| !last.is_array()) => {
            items.push(value);
        }
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None if repeats => {
            object.insert(key, Value::Array(vec![value]));
        }
        None => {
            object.insert(key, value);
        }
    }
}
