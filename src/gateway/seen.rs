//! What an identity is offered, what it could do, and where its calls count: found out once, and
//! remembered while the toolbox lasts.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tollbridge_operation::{Identity, ToolName, digest_bytes};

use super::counts::Counts;
use super::discovery::Discovery;
use super::request::Caller;
use super::toolbox::{Exposed, Offer};
use crate::identity::{Claim, Facts, Groups};
use crate::safety::{Claims, Engine, Policies};

/// How many different tool lists are remembered. Callers in the same groups share one.
const MAX_OFFERS: usize = 256;

/// How many callers are remembered.
const MAX_CALLERS: usize = 1024;

/// Of how many tools it is remembered where the calls of a caller count.
const MAX_COUNTED: usize = 256;

/// An identity in front of a toolbox.
#[derive(Debug)]
pub struct Seen {
    /// Its name.
    identity: Identity,
    /// All groups that it is in.
    pub groups: BTreeSet<String>,
    /// What policies say of it.
    pub policies: Policies,
    /// The places of what it may find, and calls that by; found out when it is first asked for.
    pub(super) finds: OnceLock<Arc<[usize]>>,
    offer: OnceLock<Arc<Offer>>,
    /// Where its calls of a tool count.
    counts: Mutex<HashMap<ToolName, Arc<Counts>>>,
}

impl Seen {
    /// Where its calls of a tool count.
    pub(super) fn counts(&self, exposed: &Exposed) -> Arc<Counts> {
        if exposed.rules.window.is_none() && exposed.budgets.is_empty() {
            return Counts::nowhere();
        }
        let mut known = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = known.get(&exposed.tool.name) {
            return Arc::clone(counts);
        }
        let counts = Arc::new(Counts::of(exposed, &self.identity, &self.groups));
        if known.len() < MAX_COUNTED {
            known.insert(exposed.tool.name.clone(), Arc::clone(&counts));
        }
        counts
    }
}

/// The identities that were seen.
#[derive(Debug, Default)]
pub(super) struct Callers {
    offers: Mutex<HashMap<Vec<usize>, Arc<Offer>>>,
    by_identity: Mutex<HashMap<Identity, Known>>,
}

/// An identity as it was seen last: what its token claims may change.
#[derive(Debug)]
struct Known {
    groups: Vec<String>,
    facts: Arc<Facts>,
    seen: Arc<Seen>,
}

impl Known {
    fn is(&self, caller: &Caller) -> bool {
        let same_claims =
            Arc::ptr_eq(&self.facts, &caller.facts) || self.facts.claims == caller.facts.claims;
        same_claims && self.groups == caller.groups
    }
}

/// A caller's claims, as policies compare them: as text.
fn claims(facts: &Facts) -> Claims {
    let values = |claim: &Claim| match claim {
        Claim::Text(text) => BTreeSet::from([text.clone()]),
        Claim::Number(number) => BTreeSet::from([number.to_string()]),
        Claim::Flag(flag) => BTreeSet::from([flag.to_string()]),
        Claim::Texts(texts) => texts.clone(),
    };
    facts.claims.iter().map(|(name, claim)| (name.clone(), values(claim))).collect()
}

impl Callers {
    pub(super) fn seen(&self, engine: &Arc<Engine>, groups: &Groups, caller: &Caller) -> Arc<Seen> {
        if let Ok(known) = self.by_identity.lock()
            && let Some(known) = known.get(&caller.identity)
            && known.is(caller)
        {
            return Arc::clone(&known.seen);
        }
        let groups = groups.groups_of(&caller.identity, &caller.groups);
        let policies = engine.caller(&caller.identity, &groups, claims(&caller.facts));
        let seen = Arc::new(Seen {
            identity: caller.identity.clone(),
            groups,
            policies,
            finds: OnceLock::new(),
            offer: OnceLock::new(),
            counts: Mutex::default(),
        });
        if let Ok(mut known) = self.by_identity.lock()
            && (known.len() < MAX_CALLERS || known.contains_key(&caller.identity))
        {
            let (groups, facts) = (caller.groups.clone(), Arc::clone(&caller.facts));
            let one = Known { groups, facts, seen: Arc::clone(&seen) };
            known.insert(caller.identity.clone(), one);
        }
        seen
    }

    /// The tools of these that the caller may see.
    /// Who may find anything has the tools of discovery besides.
    pub(super) fn offer(
        &self,
        seen: &Seen,
        exposed: &[Exposed],
        discovery: Option<&Discovery>,
    ) -> Arc<Offer> {
        Arc::clone(seen.offer.get_or_init(|| self.offer_of(seen, exposed, discovery)))
    }

    fn offer_of(
        &self,
        seen: &Seen,
        exposed: &[Exposed],
        discovery: Option<&Discovery>,
    ) -> Arc<Offer> {
        let tools = (0..exposed.len()).filter(|at| seen.policies.may_see(*at));
        let visible: Vec<usize> = tools.chain(discovery.map(|_| usize::MAX)).collect();
        let offers = self.offers.lock().ok();
        if let Some(offer) = offers.and_then(|offers| offers.get(&visible).cloned()) {
            return offer;
        }
        let tools = visible.iter().filter_map(|at| exposed.get(*at)).map(|one| &one.tool);
        let own = discovery.map(Discovery::tools).unwrap_or_default();
        let tools: Vec<_> = tools.chain(own).cloned().collect();
        let digests: Vec<String> = tools.iter().map(|tool| tool.digest()).collect();
        let digest = digest_bytes(digests.join("\n").as_bytes());
        let went_by = (0..=exposed.len()).map(|_| OnceLock::new()).collect();
        let offer = Arc::new(Offer { digest, tools, went_by });
        if let Ok(mut offers) = self.offers.lock()
            && offers.len() < MAX_OFFERS
        {
            offers.insert(visible, Arc::clone(&offer));
        }
        offer
    }
}
