//! Policies on one call: asked here, so that what [`decide`](super::decide) goes by is what they
//! said.

use tollbridge_policy::{Asked, Caller, Considered, Decided, Verdict};

/// What the policies say of a call.
#[derive(Debug)]
pub struct Policed {
    decided: Decided,
}

/// Whether a call begins something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pursuit {
    /// It does.
    New,
    /// It asks after one that was let through and is under way: nobody is asked again.
    UnderWay,
}

/// Has the policies decide on a call of the tool with that place among the engine's.
pub fn police(caller: &Caller, tool: usize, asked: &Asked<'_>, pursuit: Pursuit) -> Policed {
    let Decided { verdict, considered } = caller.decide(tool, asked);
    let verdict = match (verdict, pursuit) {
        (Verdict::Hold { permits, .. }, Pursuit::UnderWay) => Verdict::Allow { rules: permits },
        (verdict, _) => verdict,
    };
    Policed { decided: Decided { verdict, considered } }
}

impl Policed {
    /// Every policy that was considered.
    pub fn considered(&self) -> &Considered {
        &self.decided.considered
    }

    /// The same, to be put on record: nothing is decided by it.
    pub fn take_considered(&mut self) -> Considered {
        std::mem::take(&mut self.decided.considered)
    }

    /// What they come to.
    pub fn verdict(&self) -> &Verdict {
        &self.decided.verdict
    }

    pub(super) fn into_verdict(self) -> Verdict {
        self.decided.verdict
    }
}
