//! Content whose order matters, `#content`: a list of objects with one member each, and of
//! texts where the content is mixed.

use serde_json::Value;
use tollbridge_operation::EncodeError;

use super::content::keys;
use super::pointer;
use super::write::{MAX_NAMED, Writer, Written, refused};
use crate::plan::{Particle, Term};

impl Writer<'_> {
    /// Texts of mixed content, as many as stand here.
    pub(super) fn words(
        &mut self,
        mixed: bool,
        items: &[Value],
        place: &mut usize,
        at: &str,
    ) -> Written {
        while let Some(Value::String(text)) = items.get(*place) {
            let here = format!("{at}/{place}");
            if !mixed {
                return Err(refused(&here, "an object with one member"));
            }
            self.text(text, &here)?;
            *place += 1;
        }
        Ok(())
    }

    /// Content models are deterministic (part 1 §3.8.6.4): what an item begins tells its
    /// particle, so nothing is ever taken back.
    pub(super) fn ordered(
        &mut self,
        particle: &Particle,
        mixed: bool,
        items: &[Value],
        place: &mut usize,
        at: &str,
    ) -> Written {
        let mut times = 0;
        while times < particle.most {
            self.words(mixed, items, place, at)?;
            let Some(key) = items.get(*place).and_then(only_key) else { break };
            if !starts(&particle.term, key) {
                break;
            }
            let before = *place;
            let here = pointer(&format!("{at}/{place}"), key);
            match &particle.term {
                Term::Element(element) => {
                    self.element(element, &items[*place][key], &here)?;
                    *place += 1;
                }
                Term::Any(wildcard) => {
                    self.foreign(wildcard, &items[*place][key], &here)?;
                    *place += 1;
                }
                Term::Sequence(parts) => {
                    for part in parts {
                        self.ordered(part, mixed, items, place, at)?;
                    }
                }
                Term::Choice(parts) => {
                    if let Some(part) = parts.iter().find(|part| starts(&part.term, key)) {
                        self.ordered(part, mixed, items, place, at)?;
                    }
                }
                Term::All(parts) => {
                    let mut left: Vec<&Particle> = parts.iter().collect();
                    while let Some(key) = items.get(*place).and_then(only_key)
                        && let Some(next) = left.iter().position(|part| starts(&part.term, key))
                    {
                        self.ordered(left.remove(next), mixed, items, place, at)?;
                        self.words(mixed, items, place, at)?;
                    }
                    if let Some(missing) = left.iter().find(|part| !part.is_emptiable()) {
                        return Err(expected(missing, *place, at));
                    }
                }
                Term::Ordered(inner) => self.ordered(inner, mixed, items, place, at)?,
            }
            times += 1;
            if *place == before {
                break;
            }
        }
        if times < particle.least && !(Particle { least: 1, ..particle.clone() }).is_emptiable() {
            return Err(expected(particle, *place, at));
        }
        Ok(())
    }
}

fn expected(particle: &Particle, place: usize, at: &str) -> EncodeError {
    let mut named = keys(particle);
    named.truncate(MAX_NAMED);
    refused(&format!("{at}/{place}"), format!("an object with one member: {}", named.join(" or ")))
}

fn only_key(item: &Value) -> Option<&str> {
    let object = item.as_object()?;
    let mut keys = object.keys();
    let key = keys.next()?;
    keys.next().is_none().then_some(key.as_str())
}

/// Whether an item of that key can begin the term.
fn starts(term: &Term, key: &str) -> bool {
    match term {
        Term::Element(element) => element.key() == key,
        Term::Any(_) => key == "#any",
        Term::Ordered(inner) => starts(&inner.term, key),
        Term::Choice(parts) | Term::All(parts) => parts.iter().any(|part| starts(&part.term, key)),
        Term::Sequence(parts) => {
            for part in parts {
                if starts(&part.term, key) {
                    return true;
                }
                if !part.is_emptiable() {
                    return false;
                }
            }
            false
        }
    }
}
