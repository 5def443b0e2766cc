//! What an identity is offered, and what it could do: found out once, and remembered while the
//! toolbox lasts.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use tollbridge_operation::{Identity, digest_bytes};

use super::toolbox::{Exposed, Offer};
use crate::safety::{Engine, Policies};

/// How many different tool lists are remembered. Callers in the same groups share one.
const MAX_OFFERS: usize = 256;

/// How many callers are remembered.
const MAX_CALLERS: usize = 1024;

/// An identity in front of a toolbox.
#[derive(Debug)]
pub struct Seen {
    /// What policies say of it.
    pub policies: Policies,
    offer: OnceLock<Arc<Offer>>,
}

/// The identities that were seen.
#[derive(Debug, Default)]
pub(super) struct Callers {
    offers: Mutex<HashMap<Vec<usize>, Arc<Offer>>>,
    /// One caller's groups may change with what its token claims.
    by_identity: Mutex<HashMap<Identity, (BTreeSet<String>, Arc<Seen>)>>,
}

impl Callers {
    pub(super) fn seen(
        &self,
        engine: &Arc<Engine>,
        identity: &Identity,
        groups: &BTreeSet<String>,
    ) -> Arc<Seen> {
        if let Ok(known) = self.by_identity.lock()
            && let Some((theirs, seen)) = known.get(identity)
            && theirs == groups
        {
            return Arc::clone(seen);
        }
        let policies = engine.caller(identity, groups);
        let seen = Arc::new(Seen { policies, offer: OnceLock::new() });
        if let Ok(mut known) = self.by_identity.lock()
            && (known.len() < MAX_CALLERS || known.contains_key(identity))
        {
            known.insert(identity.clone(), (groups.clone(), Arc::clone(&seen)));
        }
        seen
    }

    /// The tools of these that the caller may see.
    pub(super) fn offer(&self, seen: &Seen, exposed: &[Exposed]) -> Arc<Offer> {
        Arc::clone(seen.offer.get_or_init(|| self.offer_of(seen, exposed)))
    }

    fn offer_of(&self, seen: &Seen, exposed: &[Exposed]) -> Arc<Offer> {
        let visible: Vec<usize> =
            (0..exposed.len()).filter(|at| seen.policies.may_see(*at)).collect();
        let offers = self.offers.lock().ok();
        if let Some(offer) = offers.and_then(|offers| offers.get(&visible).cloned()) {
            return offer;
        }
        let tools: Vec<_> = visible.iter().map(|at| exposed[*at].tool.clone()).collect();
        let digests: Vec<String> = tools.iter().map(|tool| tool.digest()).collect();
        let digest = digest_bytes(digests.join("\n").as_bytes());
        let offer = Arc::new(Offer { digest, tools });
        if let Ok(mut offers) = self.offers.lock()
            && offers.len() < MAX_OFFERS
        {
            offers.insert(visible, Arc::clone(&offer));
        }
        offer
    }
}
