//! Which parts of element content are members by name, and which are `#content`.
//!
//! Content is members where every key can stand in one place only. What repeats as a group,
//! and what is mixed, has an order that names do not tell: it becomes [`Term::Ordered`]. One
//! such group may stand among members; where there are more, or where one name stands in
//! two places, all of the content is ordered.

use std::collections::HashSet;

use super::{Particle, Term, UNBOUNDED};

/// The content as members, with at most one ordered part.
pub(super) fn shape(particle: Particle, mixed: bool) -> Particle {
    let particle = simplify(particle);
    if mixed {
        return ordered(particle);
    }
    let mut groups = 0;
    let marked = mark(particle.clone(), &mut groups);
    if groups > 1 || keys(&marked).is_none() {
        return ordered(particle);
    }
    marked
}

fn ordered(particle: Particle) -> Particle {
    Particle::once(Term::Ordered(Box::new(particle)))
}

/// Takes groups away that say nothing, and gives a repeated group of one part its part.
fn simplify(particle: Particle) -> Particle {
    let Particle { least, most, term } = particle;
    let parts = |parts: Vec<Particle>| parts.into_iter().map(simplify).collect::<Vec<_>>();
    let term = match term {
        Term::Sequence(inner) => {
            let mut flat = Vec::new();
            for part in parts(inner) {
                match part {
                    Particle { least: 1, most: 1, term: Term::Sequence(inner) } => {
                        flat.extend(inner);
                    }
                    part => flat.push(part),
                }
            }
            Term::Sequence(flat)
        }
        Term::Choice(inner) => Term::Choice(parts(inner)),
        Term::All(inner) => Term::All(parts(inner)),
        term => term,
    };
    match term {
        Term::Sequence(mut one) | Term::Choice(mut one) | Term::All(mut one) if one.len() == 1 => {
            let inner = one.remove(0);
            Particle {
                least: least.saturating_mul(inner.least),
                most: times(most, inner.most),
                term: inner.term,
            }
        }
        term => Particle { least, most, term },
    }
}

fn times(a: u32, b: u32) -> u32 {
    if a == UNBOUNDED || b == UNBOUNDED { UNBOUNDED } else { a.saturating_mul(b) }
}

/// Makes the groups that repeat ordered, and counts them.
fn mark(particle: Particle, groups: &mut usize) -> Particle {
    let Particle { least, most, term } = particle;
    let is_group = matches!(term, Term::Sequence(_) | Term::Choice(_) | Term::All(_));
    if is_group && most > 1 {
        *groups += 1;
        return ordered(Particle { least, most, term });
    }
    let term = match term {
        Term::Sequence(parts) => {
            Term::Sequence(parts.into_iter().map(|part| mark(part, groups)).collect())
        }
        Term::Choice(parts) => {
            Term::Choice(parts.into_iter().map(|part| mark(part, groups)).collect())
        }
        Term::All(parts) => Term::All(parts.into_iter().map(|part| mark(part, groups)).collect()),
        term => term,
    };
    Particle { least, most, term }
}

/// The keys below a particle; `None` where one stands in two places at once.
fn keys(particle: &Particle) -> Option<HashSet<String>> {
    match &particle.term {
        Term::Element(element) => Some(HashSet::from([element.key().to_owned()])),
        Term::Any(_) => Some(HashSet::from(["#any".to_owned()])),
        // Its elements are recognised by their names as well when an answer is read.
        Term::Ordered(inner) => {
            let elements = inner.elements();
            Some(elements.iter().map(|element| element.key().to_owned()).collect())
        }
        Term::Sequence(parts) | Term::All(parts) => {
            let mut all = HashSet::new();
            for part in parts {
                for key in keys(part)? {
                    if !all.insert(key) {
                        return None;
                    }
                }
            }
            Some(all)
        }
        Term::Choice(parts) => {
            let mut all = HashSet::new();
            for part in parts {
                all.extend(keys(part)?);
            }
            Some(all)
        }
    }
}
