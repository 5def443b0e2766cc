//! An identity in front of the tools: what it could do at all, and decisions on its calls.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use cedar_policy::{
    Context, Entities, Entity, EntityUid, PartialEntities, PartialEntityUid, PartialRequest,
    PolicySet, PrincipalConstraint, RestrictedExpression,
};
use serde_json::{Value, json};
use tollbridge_operation::Identity;

use crate::action::Type;
use crate::considered::{Considered, Told};
use crate::decide::{Asked, Decided, Effect, Outcome, Verdict};
use crate::engine::{Engine, Ruled, Slice, Way};
use crate::found::{NOBODY, speaks};
use crate::guard::Principal;
use crate::pointers::pointer;
use crate::rules::Who;
use crate::terms::HoldTerms;

/// What is claimed of a caller, by name: the values as text.
pub type Claims = BTreeMap<String, BTreeSet<String>>;

/// An identity in its groups.
#[derive(Debug)]
pub struct Caller {
    engine: Arc<Engine>,
    identity: Identity,
    groups: BTreeSet<String>,
    claims: Claims,
    told: Told,
    uid: EntityUid,
    entity: Option<Entity>,
    /// Whether it is on each of the lists of who may find operations.
    listed: Vec<bool>,
    standings: Vec<OnceLock<Box<Standing>>>,
}

/// Whether a person decides on a caller's calls of a tool, as far as that is known before one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// No call can be allowed or held.
    Refused,
    /// No call is held.
    Free,
    /// Every call that is not refused is.
    Held,
    /// It depends on the call.
    Depends,
}

/// What an identity could do with a tool.
#[derive(Debug)]
enum Standing {
    /// No call could be allowed or held.
    Hidden(Decided),
    /// What is decided does not depend on the call.
    Settled(Decided),
    /// It depends on the call.
    Open(Open),
}

/// What is known of a caller before a call that decides.
#[derive(Debug)]
struct Open {
    entities: Entities,
    /// What became of each policy; of those that read the call, that they are not satisfied.
    outcomes: Vec<Outcome>,
    /// The places of those that read the call and are about this caller.
    about: Vec<usize>,
}

impl Engine {
    /// An identity in front of the tools. Nothing is found out before it is asked for.
    pub fn caller(
        self: &Arc<Self>,
        identity: &Identity,
        groups: &BTreeSet<String>,
        claims: Claims,
    ) -> Caller {
        let uid = Type::Identity.uid(identity.as_str());
        let name = RestrictedExpression::new_string(identity.as_str().to_owned());
        let attributes = HashMap::from([("name".to_owned(), name)]);
        let parents: HashSet<_> = groups.iter().map(|name| Type::Group.uid(name)).collect();
        let tags = claims.iter().map(|(name, values)| {
            let values = values.iter().cloned().map(RestrictedExpression::new_string);
            (name.clone(), RestrictedExpression::new_set(values))
        });
        let tags: Vec<_> = tags.collect();
        let entity = Entity::new_with_tags(uid.clone(), attributes, parents, tags).ok();
        let is_on = |who: &Who| who.matches(identity, groups);
        let listed = self.lists.iter().map(|list| list.who.iter().any(is_on)).collect();
        Caller {
            engine: Arc::clone(self),
            told: Told {
                identity: Arc::new(json!(identity.as_str())),
                groups: (!groups.is_empty()).then(|| Arc::new(json!(groups))),
                claims: (!claims.is_empty())
                    .then(|| claims.iter().map(|(name, all)| (name.clone(), json!(all))).collect())
                    .map(|claims| Arc::new(Value::Object(claims))),
            },
            claims,
            identity: identity.clone(),
            groups: groups.clone(),
            uid,
            entity,
            listed,
            standings: self.slices.iter().map(|_| OnceLock::new()).collect(),
        }
    }
}

impl Caller {
    /// Whether some call of the tool could be allowed or held. An operation that is no tool of the
    /// configuration's own must be found as well.
    pub fn may_see(&self, tool: usize) -> bool {
        let Some(way) = self.engine.calls.get(tool) else { return false };
        self.may(*way) && self.finds_tool(tool)
    }

    /// Whether the operation of that place may be found.
    pub fn may_find(&self, operation: usize) -> bool {
        self.engine.finds.get(operation).is_some_and(|way| self.may(*way))
    }

    /// Whether calls of the tool are held, as far as that is known before one.
    pub fn outlook(&self, tool: usize) -> Outlook {
        let Some(way) = self.engine.calls.get(tool).filter(|_| self.may_see(tool)) else {
            return Outlook::Refused;
        };
        match way {
            Way::Listed { holds: true, .. } => Outlook::Held,
            Way::Listed { holds: false, .. } => Outlook::Free,
            Way::Slice(at) => match self.standing(*at) {
                Standing::Hidden(_) => Outlook::Refused,
                Standing::Settled(Decided { verdict: Verdict::Hold { .. }, .. }) => Outlook::Held,
                Standing::Settled(_) => Outlook::Free,
                Standing::Open(open) => outlook(&self.engine.slices[*at], &open.outcomes),
            },
        }
    }

    /// Decides on a call of the tool.
    pub fn decide(&self, tool: usize, asked: &Asked<'_>) -> Decided {
        let Some(way) = self.engine.calls.get(tool) else {
            return refused(String::new(), "there is no such tool".to_owned());
        };
        if !self.finds_tool(tool) {
            return refused(String::new(), NOBODY.to_owned());
        }
        match way {
            Way::Listed { list, holds } => {
                self.engine.lists[*list].decide(self.listed[*list], *holds)
            }
            Way::Slice(at) => match self.standing(*at) {
                Standing::Hidden(decided) | Standing::Settled(decided) => decided.clone(),
                Standing::Open(open) => self.decide_open(&self.engine.slices[*at], open, asked),
            },
        }
    }

    fn finds_tool(&self, tool: usize) -> bool {
        let found = self.engine.found.get(tool).copied().flatten();
        found.is_none_or(|found| self.may_find(found))
    }

    fn may(&self, way: Way) -> bool {
        match way {
            Way::Listed { list, .. } => self.listed.get(list).is_some_and(|is_on| *is_on),
            Way::Slice(at) => !matches!(self.standing(at), Standing::Hidden(_)),
        }
    }

    fn standing(&self, at: usize) -> &Standing {
        let slice = &self.engine.slices[at];
        self.standings[at].get_or_init(|| Box::new(self.find_standing(slice)))
    }

    fn find_standing(&self, slice: &Slice) -> Standing {
        if slice.trivial {
            let verdict = Verdict::Allow { rules: vec![slice.own.clone()] };
            return Standing::Settled(Decided { verdict, considered: Considered::default() });
        }
        let entities = self.entity.as_ref().and_then(|entity| slice.entities(entity));
        let (Some(entities), Some(request)) = (entities, slice.bare_request(&self.uid)) else {
            // A defect of ours.
            let reason = "the policies cannot be evaluated".to_owned();
            return Standing::Hidden(refused(slice.own.clone(), reason));
        };
        let outcome = |rule: &Ruled| {
            if rule.reads.is_fixed() {
                Slice::evaluate(rule, &request, &entities)
            } else {
                Outcome::NotSatisfied
            }
        };
        let outcomes: Vec<Outcome> = slice.all().map(outcome).collect();
        let known = || self.verdict(slice, &outcomes, None);
        let considered = || {
            // Without a call, policies that read it are not evaluated.
            let each = slice.all().zip(&outcomes);
            let each = each.map(|(rule, outcome)| rule.reads.is_fixed().then(|| outcome.clone()));
            slice.form.filled(each.collect(), &self.told, None)
        };
        if !slice.reads_calls() {
            let decided = Decided { verdict: known(), considered: considered() };
            return match decided.verdict {
                Verdict::Deny { .. } => Standing::Hidden(decided),
                _ => Standing::Settled(decided),
            };
        }
        let each = || slice.all().zip(&outcomes).filter(|(rule, _)| rule.reads.is_fixed());
        let refuses = |(rule, outcome): (&Ruled, &Outcome)| match outcome {
            Outcome::Failed(_) => true,
            Outcome::Satisfied => rule.effect == Effect::Forbid,
            Outcome::NotSatisfied => false,
        };
        let permits = |(rule, outcome): (&Ruled, &Outcome)| {
            rule.effect == Effect::Permit && *outcome == Outcome::Satisfied
        };
        let hidden = each().any(refuses)
            || !each().any(permits) && !self.could_permit(slice, &entities)
            || self.always_forbids(slice, &entities);
        if hidden {
            let verdict = match known() {
                deny @ Verdict::Deny { .. } => deny,
                _ => Verdict::Deny {
                    rules: vec![slice.own.clone()],
                    reason: format!("`{}` may not call `{}`", self.identity, slice.name),
                },
            };
            return Standing::Hidden(Decided { verdict, considered: considered() });
        }
        let is_about = |(_, rule): &(usize, &Ruled)| {
            !rule.reads.is_fixed() && self.is_in(&rule.policy.principal_constraint())
        };
        let about = slice.all().enumerate().filter(is_about).map(|(place, _)| place).collect();
        Standing::Open(Open { entities, outcomes, about })
    }

    /// Whether a permit that reads the call could be satisfied by some call.
    fn could_permit(&self, slice: &Slice, entities: &Entities) -> bool {
        if slice.open_permits.is_empty() {
            return false;
        }
        let never = self.without_call(slice, entities, &slice.open_permits, |response| {
            response.false_permits().count()
        });
        // What cannot be found out is listed: the call decides.
        never.is_none_or(|never| never < slice.open_permits.num_of_policies())
    }

    /// Whether a policy that reads the call forbids every call.
    fn always_forbids(&self, slice: &Slice, entities: &Entities) -> bool {
        if slice.open_forbids.is_empty() {
            return false;
        }
        let always = self.without_call(slice, entities, &slice.open_forbids, |response| {
            response.true_forbids().count()
        });
        always.is_some_and(|always| always > 0)
    }

    /// Evaluates policies as far as that can be done without a call.
    fn without_call<T>(
        &self,
        slice: &Slice,
        entities: &Entities,
        policies: &PolicySet,
        look: impl Fn(&cedar_policy::TpeResponse<'_>) -> T,
    ) -> Option<T> {
        let schema = self.engine.schema.as_ref()?;
        let request = PartialRequest::new(
            PartialEntityUid::from_concrete(self.uid.clone()),
            slice.action.clone(),
            PartialEntityUid::from_concrete(slice.resource.clone()),
            None,
            schema,
        );
        let request = request.ok()?;
        let entities = PartialEntities::from_concrete(entities.clone(), schema).ok()?;
        let response = policies.tpe(&request, &entities, schema).ok()?;
        Some(look(&response))
    }

    pub(crate) fn principal(&self) -> Principal<'_> {
        Principal { name: self.identity.as_str(), groups: &self.groups, claims: &self.claims }
    }

    fn decide_open(&self, slice: &Slice, open: &Open, asked: &Asked<'_>) -> Decided {
        let mut lost = Vec::new();
        let unknown = || {
            let reason = "the policies cannot be evaluated on this call".to_owned();
            refused(slice.own.clone(), reason)
        };
        let clocks = slice.clocks(asked.now);
        let Some(facts) = slice.facts(self.principal(), asked, clocks, &mut lost) else {
            return unknown();
        };
        let mut outcomes = open.outcomes.clone();
        // Cedar's request is made when a policy comes that it must be asked about.
        let mut request = None;
        for place in &open.about {
            let rule = &slice.rules[*place];
            if lost.is_empty() && rule.guard.misses(&facts) {
                continue;
            }
            let made = request.get_or_insert_with(|| {
                let context = Slice::context(&facts);
                context.and_then(|context: Context| slice.request(&self.uid, context))
            });
            let Some(request) = made else { return unknown() };
            outcomes[*place] = Slice::evaluate(rule, request, &open.entities);
        }
        for lost in &lost {
            let readers = open.about.iter().filter(|at| slice.rules[**at].reads.meets(lost));
            for reader in readers {
                let place = pointer(lost.path.get(1..).unwrap_or_default());
                let place = if place.is_empty() { "the arguments".to_owned() } else { place };
                outcomes[*reader] = Outcome::Failed(format!("{place} {}", lost.reason));
            }
        }
        let verdict = self.verdict(slice, &outcomes, Some(asked));
        let outcomes = outcomes.into_iter().map(Some).collect();
        let considered = slice.form.filled(outcomes, &self.told, Some((asked, clocks)));
        Decided { verdict, considered }
    }

    /// What Cedar is asked with about a call that has this context.
    #[cfg(test)]
    pub(crate) fn asked_of_cedar(
        &self,
        slice: &Slice,
        context: Context,
    ) -> Option<(cedar_policy::Request, Entities)> {
        let entities = slice.entities(self.entity.as_ref()?)?;
        Some((slice.request(&self.uid, context)?, entities))
    }

    /// A `forbid` wins over what could not be decided, that over a hold, and a hold over a permit.
    /// `outcomes` are what became of each policy of the slice, in its place.
    fn verdict(&self, slice: &Slice, outcomes: &[Outcome], asked: Option<&Asked<'_>>) -> Verdict {
        let names = |rules: &[&Ruled]| rules.iter().map(|rule| rule.id().to_owned()).collect();
        let (mut forbids, mut failed) = (Vec::new(), Vec::new());
        let (mut permits, mut holds) = (Vec::new(), Vec::new());
        for (rule, outcome) in slice.all().zip(outcomes) {
            match (outcome, &rule.effect) {
                (Outcome::NotSatisfied, _) => {}
                (Outcome::Failed(why), _) => failed.push((rule, why)),
                (Outcome::Satisfied, Effect::Forbid) => forbids.push(rule),
                (Outcome::Satisfied, Effect::Permit) => permits.push(rule),
                (Outcome::Satisfied, Effect::Hold(_)) => holds.push(rule),
            }
        }
        if let Some(first) = forbids.first() {
            let reason = self.forbidden(slice, first, asked);
            return Verdict::Deny { rules: names(&forbids), reason };
        }
        if let Some((first, why)) = failed.first() {
            let reason = format!("the policy `{}` cannot be decided: {why}", first.id());
            let rules = failed.iter().map(|(rule, _)| rule.id().to_owned()).collect();
            return Verdict::Deny { rules, reason };
        }
        if permits.is_empty() {
            return Verdict::Deny {
                rules: vec![slice.own.clone()],
                reason: format!(
                    "no policy lets `{}` make this call of `{}`",
                    self.identity, slice.name
                ),
            };
        }
        if holds.iter().any(|rule| rule.is_unspoken) && permits.iter().any(|rule| speaks(rule)) {
            holds.retain(|rule| !rule.is_unspoken);
        }
        if holds.is_empty() {
            return Verdict::Allow { rules: names(&permits) };
        }
        let terms = holds.iter().fold(HoldTerms::default(), |terms, rule| match &rule.effect {
            Effect::Hold(own) => terms.and(own),
            _ => terms,
        });
        Verdict::Hold { rules: names(&holds), permits: names(&permits), terms }
    }

    fn forbidden(&self, slice: &Slice, rule: &Ruled, asked: Option<&Asked<'_>>) -> String {
        if let Some(reason) = &rule.reason {
            return reason.clone();
        }
        match (&slice.when, asked) {
            (Some(when), Some(asked)) if rule.is_window => when.closed(&slice.name, asked.now),
            _ if rule.site.is_none() => {
                format!("`{}` may not call `{}`", self.identity, slice.name)
            }
            _ => format!("the policy `{}` forbids this call", rule.id()),
        }
    }

    /// Whether the caller is one that a scope is about.
    fn is_in(&self, scope: &PrincipalConstraint) -> bool {
        let inside = |uid: &EntityUid| {
            *uid == self.uid
                || Type::Group.is(uid.type_name()) && self.groups.contains(uid.id().unescaped())
        };
        match scope {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Eq(uid) => *uid == self.uid,
            PrincipalConstraint::In(uid) => inside(uid),
            PrincipalConstraint::Is(name) => Type::Identity.is(name),
            PrincipalConstraint::IsIn(name, uid) => Type::Identity.is(name) && inside(uid),
        }
    }
}

/// Whether calls are held, where some policies read them.
fn outlook(slice: &Slice, outcomes: &[Outcome]) -> Outlook {
    let each = || slice.all().zip(outcomes.iter().map(|outcome| *outcome == Outcome::Satisfied));
    let lifts = |rule: &Ruled| rule.effect == Effect::Permit && speaks(rule);
    let lifted = each().any(|(rule, is_so)| is_so && lifts(rule));
    let may_be_lifted = each().any(|(rule, _)| !rule.reads.is_fixed() && lifts(rule));
    let mut outlook = Outlook::Free;
    for (rule, is_so) in each().filter(|(rule, _)| matches!(rule.effect, Effect::Hold(_))) {
        let (lifted, may_be_lifted) =
            (lifted && rule.is_unspoken, may_be_lifted && rule.is_unspoken);
        if is_so && !lifted && !may_be_lifted {
            return Outlook::Held;
        }
        if !rule.reads.is_fixed() || is_so && !lifted {
            outlook = Outlook::Depends;
        }
    }
    outlook
}

fn refused(rule: String, reason: String) -> Decided {
    let verdict = Verdict::Deny { rules: vec![rule], reason };
    Decided { verdict, considered: Considered::default() }
}
