//! The names of one object's members, by which one that comes twice is known.

use std::borrow::Cow;
use std::collections::HashSet;

/// So many names are compared one by one: few objects have more, and to hash that many costs
/// more than to compare them.
const FEW: usize = 8;

/// Names that differ.
pub(super) enum Names<'a> {
    Few(Vec<Cow<'a, str>>),
    Many(HashSet<Cow<'a, str>>),
}

impl Default for Names<'_> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<'a> Names<'a> {
    /// Adds a name. `false` where it is there already.
    pub(super) fn insert(&mut self, name: Cow<'a, str>) -> bool {
        match self {
            Self::Few(names) if names.contains(&name) => false,
            Self::Few(names) if names.len() < FEW => {
                names.push(name);
                true
            }
            Self::Few(names) => {
                *self = Self::Many(names.drain(..).chain([name]).collect());
                true
            }
            Self::Many(names) => names.insert(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_twice_is_known_among_few_and_among_many() {
        let names: Vec<String> = (0..3 * FEW).map(|n| n.to_string()).collect();
        let mut seen = Names::default();
        for (at, name) in names.iter().enumerate() {
            assert!(seen.insert(name.into()), "{name} is new");
            for earlier in &names[..=at] {
                assert!(!seen.insert(earlier.into()), "{earlier} is there after {name}");
            }
        }
    }
}
