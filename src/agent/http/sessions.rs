//! Whose session is whose.
//!
//! A session's id is no credential: whoever learns one must still be who opened it. The MCP
//! library does not look, so this table does. It is bounded; a caller with too many sessions
//! loses its own oldest first, and never another's while it has one to lose.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tollbridge_operation::Identity;

/// How many sessions one identity may have open.
const MAX_OF_ONE: usize = 256;

/// How many there may be.
const MAX: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    bound: HashMap<String, Bound>,
    clock: u64,
}

#[derive(Debug)]
struct Bound {
    identity: Identity,
    used: u64,
}

impl Sessions {
    /// Whether the session is this identity's.
    pub(super) fn belongs(&self, session: &str, identity: &Identity) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.clock += 1;
        let now = table.clock;
        match table.bound.get_mut(session) {
            Some(bound) if bound.identity == *identity => {
                bound.used = now;
                true
            }
            _ => false,
        }
    }

    /// Notes a session that was just opened. Gives the one that must be closed for it.
    pub(super) fn bind(&self, session: String, identity: Identity) -> Option<String> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = table.bound.values().filter(|bound| bound.identity == identity).count();
        let closed = if own >= MAX_OF_ONE {
            table.oldest(|bound| bound.identity == identity)
        } else if table.bound.len() >= MAX {
            let own = table.oldest(|bound| bound.identity == identity);
            own.or_else(|| table.oldest(|_| true))
        } else {
            None
        };
        if let Some(closed) = &closed {
            table.bound.remove(closed);
        }
        table.clock += 1;
        let used = table.clock;
        table.bound.insert(session, Bound { identity, used });
        closed
    }

    pub(super) fn forget(&self, session: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bound.remove(session);
    }
}

impl Table {
    fn oldest(&self, among: impl Fn(&Bound) -> bool) -> Option<String> {
        let candidates = self.bound.iter().filter(|(_, bound)| among(bound));
        candidates.min_by_key(|(_, bound)| bound.used).map(|(session, _)| session.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn identity(name: &str) -> Identity {
        Identity::new(name).unwrap()
    }

    #[test]
    fn a_session_belongs_to_who_opened_it() {
        let sessions = Sessions::default();
        assert_eq!(sessions.bind("s".into(), identity("alice")), None);
        assert!(sessions.belongs("s", &identity("alice")));
        assert!(!sessions.belongs("s", &identity("mallory")));
        assert!(!sessions.belongs("unknown", &identity("alice")));
        sessions.forget("s");
        assert!(!sessions.belongs("s", &identity("alice")));
    }

    #[test]
    fn who_opens_too_many_loses_their_own() {
        let sessions = Sessions::default();
        sessions.bind("bob's".into(), identity("bob"));
        for n in 0..MAX_OF_ONE {
            assert_eq!(sessions.bind(n.to_string(), identity("alice")), None);
        }
        assert!(sessions.belongs("0", &identity("alice")));
        assert_eq!(sessions.bind("one more".into(), identity("alice")).as_deref(), Some("1"));
        assert!(sessions.belongs("bob's", &identity("bob")));
    }

    #[test]
    fn where_all_is_full_who_opens_one_loses_their_own_first() {
        let sessions = Sessions::default();
        sessions.bind("bob's".into(), identity("bob"));
        sessions.bind("alice's".into(), identity("alice"));
        for n in 2..MAX {
            let other = identity(&format!("other-{}", n / MAX_OF_ONE));
            assert_eq!(sessions.bind(n.to_string(), other), None);
        }
        let closed = sessions.bind("another".into(), identity("alice"));
        assert_eq!(closed.as_deref(), Some("alice's"));
        let closed = sessions.bind("carol's".into(), identity("carol"));
        assert_eq!(closed.as_deref(), Some("bob's"));
    }
}
