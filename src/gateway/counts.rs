//! Where the calls of a tool count for an identity: in which windows, and in which of each budget. The
//! same call after call, so it is found out once ([`Seen`](super::Seen)). Nothing is counted here.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use tollbridge_operation::Identity;

use super::toolbox::{Budgeted, Exposed};
use crate::store::WindowClaim;

/// Where calls count.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Windows of the tool's own.
    pub(super) windows: Arc<[WindowClaim]>,
    /// Of each of its budgets, the keys of the windows.
    pub(super) budgets: Vec<Vec<Arc<str>>>,
}

impl Counts {
    /// Of calls that count nowhere.
    pub(super) fn nowhere() -> Arc<Self> {
        static NOWHERE: LazyLock<Arc<Counts>> = LazyLock::new(Arc::default);
        Arc::clone(&NOWHERE)
    }

    /// Of calls of this tool by an identity in these groups.
    pub(super) fn of(exposed: &Exposed, identity: &Identity, groups: &BTreeSet<String>) -> Self {
        let keys = |one: &Budgeted| one.rule.keys(&exposed.tool.name, identity, groups);
        Self {
            windows: exposed.rules.claims(identity, groups),
            budgets: exposed.budgets.iter().map(keys).collect(),
        }
    }
}
