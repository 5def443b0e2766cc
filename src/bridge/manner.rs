//! How a tool's requests are sent where there is a choice: what the configuration says of it.

use std::time::Duration;

/// How the requests of a call are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner {
    /// Whether answers to reads are kept, as far as HTTP allows, and for whom.
    pub cache: Sharing,
    /// Whether identical reads that are under way at the same time are one request, and whose.
    pub coalesce: Sharing,
    /// After which time without an answer a read is asked for once more beside the first request.
    pub hedge: Option<Duration>,
}

/// Whether callers have something in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// There is nothing.
    #[default]
    Off,
    /// Each identity has its own.
    Private,
    /// All identities have it in common.
    Shared,
}

impl Manner {
    /// What is left of it where each caller has a credential of its own: an answer to one is
    /// nobody else's, whatever the configuration says.
    pub(super) fn where_callers_differ(self, they_do: bool) -> Self {
        let own = |sharing| if sharing == Sharing::Shared { Sharing::Private } else { sharing };
        if they_do {
            Self { cache: own(self.cache), coalesce: own(self.coalesce), ..self }
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_with_credentials_of_their_own_share_nothing() {
        let shared =
            Manner { cache: Sharing::Shared, coalesce: Sharing::Shared, ..Manner::default() };
        assert_eq!(shared.where_callers_differ(false), shared);
        let own = shared.where_callers_differ(true);
        assert_eq!((own.cache, own.coalesce), (Sharing::Private, Sharing::Private));
        assert_eq!(Manner::default().where_callers_differ(true), Manner::default());
    }
}
