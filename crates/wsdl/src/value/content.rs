//! What stands between the tags of a complex value: members in the schema's order.

use serde_json::{Map, Value};
use tollbridge_xml::Scope;

use super::attributes::is_foreign;
use super::pointer;
use super::write::{MAX_NAMED, Writer, Written, refused};
use crate::plan::{Complex, Content, Element, Particle, Term, UNBOUNDED};

impl Writer<'_> {
    /// What stands between the tags of a complex value.
    pub(crate) fn content(
        &mut self,
        complex: &Complex,
        object: &Map<String, Value>,
        at: &str,
    ) -> Written {
        match &complex.content {
            Content::Empty => Ok(()),
            Content::Simple(simple) => {
                let here = pointer(at, "#text");
                let value = object.get("#text").cloned().unwrap_or_else(|| "".into());
                let text = simple.write(&value, &mut self.names).map_err(|e| refused(&here, e))?;
                self.value(simple, &text, &here)
            }
            Content::Elements { particle, mixed, .. } => {
                self.particle(particle, *mixed, object, at)
            }
        }
    }

    fn particle(
        &mut self,
        particle: &Particle,
        mixed: bool,
        object: &Map<String, Value>,
        at: &str,
    ) -> Written {
        match &particle.term {
            Term::Element(element) => self.member(particle, element, object, at),
            Term::Sequence(parts) | Term::All(parts) => {
                if particle.least == 0 && !is_present(particle, object) {
                    return Ok(());
                }
                parts.iter().try_for_each(|part| self.particle(part, mixed, object, at))
            }
            Term::Choice(parts) => {
                let present: Vec<&Particle> =
                    parts.iter().filter(|part| is_present(part, object)).collect();
                let chosen = match present.as_slice() {
                    [] if particle.is_emptiable() => return Ok(()),
                    [] => {
                        let named = keys(particle).join(", ");
                        return Err(refused(at, format!("one of: {named}")));
                    }
                    [one] => *one,
                    several => {
                        let all: Vec<&str> = keys(particle);
                        let given = |part: &&&Particle| {
                            let own = keys(part);
                            all.iter().all(|key| !object.contains_key(*key) || own.contains(key))
                                && is_satisfied(part, object)
                        };
                        *several.iter().find(given).ok_or_else(|| {
                            let given: Vec<&str> =
                                all.iter().copied().filter(|k| object.contains_key(*k)).collect();
                            refused(at, format!("only one of: {}", given.join(", ")))
                        })?
                    }
                };
                self.particle(chosen, mixed, object, at)
            }
            Term::Any(wildcard) => {
                let here = pointer(at, "#any");
                let empty = Vec::new();
                let items = match object.get("#any") {
                    None => &empty,
                    Some(value) => {
                        value.as_array().ok_or_else(|| refused(&here, "a list of XML texts"))?
                    }
                };
                count(particle, items.len(), &here)?;
                for (index, item) in items.iter().enumerate() {
                    self.foreign(wildcard, item, &format!("{here}/{index}"))?;
                }
                Ok(())
            }
            Term::Ordered(inner) => {
                let here = pointer(at, "#content");
                let empty = Vec::new();
                let items = match object.get("#content") {
                    None if particle.least == 0 || inner.is_emptiable() => &empty,
                    None => return Err(refused(&here, "a list")),
                    Some(value) => value.as_array().ok_or_else(|| refused(&here, "a list"))?,
                };
                let mut place = 0;
                self.ordered(inner, mixed, items, &mut place, &here)?;
                self.words(mixed, items, &mut place, &here)?;
                match items.get(place) {
                    None => Ok(()),
                    Some(_) => {
                        Err(refused(&format!("{here}/{place}"), "nothing more in this place"))
                    }
                }
            }
        }
    }

    fn member(
        &mut self,
        particle: &Particle,
        element: &Element,
        object: &Map<String, Value>,
        at: &str,
    ) -> Written {
        let here = pointer(at, element.key());
        match object.get(element.key()) {
            None if particle.least == 0 => Ok(()),
            None => match &element.fixed {
                Some(fixed) => {
                    let value = self
                        .types
                        .simple_of(element.ty)
                        .and_then(|simple| simple.read(fixed, &Scope::default()).ok());
                    let value = value.unwrap_or_else(|| Value::String(fixed.clone()));
                    self.element(element, &value, &here)
                }
                None => Err(refused(&here, "a value")),
            },
            Some(value) if particle.most > 1 => {
                let items = value.as_array().ok_or_else(|| refused(&here, "a list"))?;
                count(particle, items.len(), &here)?;
                for (index, item) in items.iter().enumerate() {
                    self.element(element, item, &format!("{here}/{index}"))?;
                }
                Ok(())
            }
            Some(value) => self.element(element, value, &here),
        }
    }
}

/// Refuses members that the type does not have.
pub(crate) fn known(complex: &Complex, object: &Map<String, Value>, at: &str) -> Written {
    let mut named: Vec<&str> = complex.attributes.iter().map(|a| a.key.as_str()).collect();
    match &complex.content {
        Content::Empty => {}
        Content::Simple(_) => named.push("#text"),
        Content::Elements { particle, .. } => named.extend(keys(particle)),
    }
    let stranger = object.keys().find(|key| {
        let by_type = complex.is_polymorphic && *key == "@type";
        !(by_type || is_foreign(complex, key) || named.contains(&key.as_str()))
    });
    match stranger {
        None => Ok(()),
        Some(stranger) => {
            named.truncate(MAX_NAMED);
            let expected = format!("no such member; there are: {}", named.join(", "));
            Err(refused(&pointer(at, stranger), expected))
        }
    }
}

fn count(particle: &Particle, given: usize, at: &str) -> Written {
    let given = u32::try_from(given).unwrap_or(UNBOUNDED);
    if given < particle.least {
        return Err(refused(at, format!("a list of at least {}", particle.least)));
    }
    if given > particle.most {
        return Err(refused(at, format!("a list of at most {}", particle.most)));
    }
    Ok(())
}

/// The members that a particle may be written from.
pub(super) fn keys(particle: &Particle) -> Vec<&str> {
    match &particle.term {
        Term::Element(element) => vec![element.key()],
        Term::Any(_) => vec!["#any"],
        Term::Ordered(_) => vec!["#content"],
        Term::Sequence(parts) | Term::Choice(parts) | Term::All(parts) => {
            parts.iter().flat_map(keys).collect()
        }
    }
}

fn is_present(particle: &Particle, object: &Map<String, Value>) -> bool {
    keys(particle).iter().any(|key| object.contains_key(*key))
}

/// Whether all that the particle demands is there.
fn is_satisfied(particle: &Particle, object: &Map<String, Value>) -> bool {
    match &particle.term {
        Term::Sequence(parts) | Term::All(parts) => {
            (particle.least == 0 && !is_present(particle, object))
                || parts.iter().all(|part| is_satisfied(part, object))
        }
        Term::Choice(parts) => {
            particle.is_emptiable() || parts.iter().any(|part| is_satisfied(part, object))
        }
        Term::Element(_) | Term::Any(_) | Term::Ordered(_) => {
            particle.is_emptiable() || is_present(particle, object)
        }
    }
}
