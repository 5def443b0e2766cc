//! Who is in which group.

use std::collections::{BTreeMap, BTreeSet};

use tollbridge_operation::Identity;

/// The groups of `[groups]`, by member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    by_member: BTreeMap<String, BTreeSet<String>>,
}

impl Groups {
    /// Takes groups as the configuration has them: a name, and its members.
    pub fn new(groups: &BTreeMap<String, Vec<String>>) -> Self {
        let mut by_member: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (group, members) in groups {
            for member in members {
                by_member.entry(member.clone()).or_default().insert(group.clone());
            }
        }
        Self { by_member }
    }

    /// The groups that an identity is in: those of the configuration, and those that its
    /// token claims.
    pub fn groups_of(&self, identity: &Identity, claimed: &[String]) -> BTreeSet<String> {
        let configured = self.by_member.get(identity.as_str()).into_iter().flatten();
        configured.chain(claimed).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_configured_or_claimed() {
        let configured = BTreeMap::from([
            ("ops".to_owned(), vec!["alice".to_owned(), "bob".to_owned()]),
            ("night".to_owned(), vec!["alice".to_owned()]),
        ]);
        let groups = Groups::new(&configured);
        let of = |name: &str, claimed: &[&str]| -> Vec<String> {
            let identity = Identity::new(name).expect("an identity");
            let claimed: Vec<_> = claimed.iter().map(ToString::to_string).collect();
            groups.groups_of(&identity, &claimed).into_iter().collect()
        };
        assert_eq!(of("alice", &[]), ["night", "ops"]);
        assert_eq!(of("bob", &["ops", "dev"]), ["dev", "ops"]);
        assert_eq!(of("eve", &[]), [""; 0]);
        assert_eq!(of("ops", &[]), [""; 0]);
    }
}
