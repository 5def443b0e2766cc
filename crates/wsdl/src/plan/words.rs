//! Content models in words, as an agent reads them in a schema's descriptions.

use super::{Particle, Term, UNBOUNDED};

/// Characters of a content model that are told.
const MAX_MODEL: usize = 600;
/// Members of a branch that are named.
const MAX_BRANCH: usize = 6;

/// The members of one branch of a choice; `None` where it has none.
pub(super) fn branch(particle: &Particle) -> Option<String> {
    let keys: Vec<&str> =
        particle.elements().iter().map(|element| element.key()).take(MAX_BRANCH).collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}

/// The model in the notation of XML 1.0's element declarations (§3.2.1), which everybody
/// reads: `(a, b?, (c | d)*)`. `None` where it is longer than anybody would.
pub(super) fn model(particle: &Particle) -> Option<String> {
    let mut text = String::new();
    put(particle, &mut text);
    (text.len() <= MAX_MODEL).then_some(text)
}

fn put(particle: &Particle, text: &mut String) {
    if text.len() > MAX_MODEL {
        return;
    }
    let joined = |parts: &[Particle], word: &str, text: &mut String| {
        text.push('(');
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                text.push_str(word);
            }
            put(part, text);
        }
        text.push(')');
    };
    match &particle.term {
        Term::Element(element) => text.push_str(element.key()),
        Term::Any(_) => text.push_str("#any"),
        Term::Sequence(parts) => joined(parts, ", ", text),
        Term::Choice(parts) => joined(parts, " | ", text),
        Term::All(parts) => joined(parts, " & ", text),
        Term::Ordered(inner) => return put(inner, text),
    }
    match (particle.least, particle.most) {
        (1, 1) => {}
        (0, 1) => text.push('?'),
        (0, UNBOUNDED) => text.push('*'),
        (1, UNBOUNDED) => text.push('+'),
        (least, UNBOUNDED) => text.extend(["{", &least.to_string(), ",}"]),
        (least, most) => text.extend(["{", &least.to_string(), ",", &most.to_string(), "}"]),
    }
}
