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
use crate::decide::{Asked, Considered, Decided, Effect, Found, Outcome, Verdict};
use crate::engine::{Engine, Ruled, Slice, Way};
use crate::found::{NOBODY, speaks};
use crate::pointers::pointer;
use crate::reads::Var2;
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
    found: Found,
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
            identity: identity.clone(),
            groups: groups.clone(),
            claims,
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
                Standing::Open(open) => outlook(&self.engine.slices[*at], &open.found),
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
            return Standing::Settled(Decided { verdict, considered: Vec::new() });
        }
        let mut found = Found::default();
        let entities = self.entity.as_ref().and_then(|entity| slice.entities(entity));
        let (Some(entities), Some(request)) = (entities, slice.bare_request(&self.uid)) else {
            // A defect of ours.
            let reason = "the policies cannot be evaluated".to_owned();
            return Standing::Hidden(refused(slice.own.clone(), reason));
        };
        slice.fixed.evaluate(&request, &entities, &mut found);
        let known = |found: &Found| self.verdict(slice, found, None);
        if slice.open.is_empty() {
            let verdict = known(&found);
            let considered = self.considered(slice, &found, None);
            return match verdict {
                Verdict::Deny { .. } => Standing::Hidden(Decided { verdict, considered }),
                _ => Standing::Settled(Decided { verdict, considered }),
            };
        }
        let refuses = |rule: &Ruled| {
            found.failed.contains_key(rule.id())
                || rule.effect == Effect::Forbid && found.satisfied.contains(rule.id())
        };
        let permits =
            |rule: &Ruled| rule.effect == Effect::Permit && found.satisfied.contains(rule.id());
        let fixed = || slice.fixed.rules.iter().map(|rule| &**rule);
        let hidden = fixed().any(refuses)
            || !fixed().any(permits) && !self.could_permit(slice, &entities)
            || self.always_forbids(slice, &entities);
        if hidden {
            let verdict = match known(&found) {
                deny @ Verdict::Deny { .. } => deny,
                _ => Verdict::Deny {
                    rules: vec![slice.own.clone()],
                    reason: format!("`{}` may not call `{}`", self.identity, slice.name),
                },
            };
            let considered = self.considered(slice, &found, None);
            return Standing::Hidden(Decided { verdict, considered });
        }
        Standing::Open(Open { entities, found })
    }

    /// Whether a permit that reads the call could be satisfied by some call.
    fn could_permit(&self, slice: &Slice, entities: &Entities) -> bool {
        if slice.open.permits.is_empty() {
            return false;
        }
        let never = self.without_call(slice, entities, &slice.open.permits, |response| {
            response.false_permits().count()
        });
        // What cannot be found out is listed: the call decides.
        never.is_none_or(|never| never < slice.open.permits.num_of_policies())
    }

    /// Whether a policy that reads the call forbids every call.
    fn always_forbids(&self, slice: &Slice, entities: &Entities) -> bool {
        if slice.open.forbids.is_empty() {
            return false;
        }
        let always = self.without_call(slice, entities, &slice.open.forbids, |response| {
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

    fn decide_open(&self, slice: &Slice, open: &Open, asked: &Asked<'_>) -> Decided {
        let mut found = open.found.clone();
        let mut lost = Vec::new();
        let context = slice.context(asked, &mut lost);
        let request = context.and_then(|context: Context| slice.request(&self.uid, context));
        let Some(request) = request else {
            let reason = "the policies cannot be evaluated on this call".to_owned();
            return refused(slice.own.clone(), reason);
        };
        slice.open.evaluate(&request, &open.entities, &mut found);
        for lost in &lost {
            let readers = slice.open.rules.iter().filter(|rule| {
                rule.reads.meets(lost) && self.is_in(&rule.policy.principal_constraint())
            });
            for rule in readers {
                let place = pointer(lost.path.get(1..).unwrap_or_default());
                let place = if place.is_empty() { "the arguments".to_owned() } else { place };
                let why = format!("{place} {}", lost.reason);
                found.failed.insert(rule.id().to_owned(), why);
            }
        }
        let verdict = self.verdict(slice, &found, Some(asked));
        Decided { considered: self.considered(slice, &found, Some(asked)), verdict }
    }

    /// A `forbid` wins over what could not be decided, that over a hold, and a hold over a permit.
    fn verdict(&self, slice: &Slice, found: &Found, asked: Option<&Asked<'_>>) -> Verdict {
        let satisfied = |rule: &&Ruled| found.outcome(rule.id()) == Outcome::Satisfied;
        let names = |rules: &[&Ruled]| rules.iter().map(|rule| rule.id().to_owned()).collect();
        let forbids: Vec<&Ruled> =
            slice.all().filter(|rule| rule.effect == Effect::Forbid).filter(satisfied).collect();
        if let Some(first) = forbids.first() {
            let reason = self.forbidden(slice, first, asked);
            return Verdict::Deny { rules: names(&forbids), reason };
        }
        let failed: Vec<&Ruled> =
            slice.all().filter(|rule| found.failed.contains_key(rule.id())).collect();
        if let Some(first) = failed.first() {
            let why = found.failed.get(first.id()).map(String::as_str).unwrap_or_default();
            let reason = format!("the policy `{}` cannot be decided: {why}", first.id());
            return Verdict::Deny { rules: names(&failed), reason };
        }
        let permits: Vec<&Ruled> =
            slice.all().filter(|rule| rule.effect == Effect::Permit).filter(satisfied).collect();
        if permits.is_empty() {
            return Verdict::Deny {
                rules: vec![slice.own.clone()],
                reason: format!(
                    "no policy lets `{}` make this call of `{}`",
                    self.identity, slice.name
                ),
            };
        }
        let spoken_of = permits.iter().any(|rule| speaks(rule));
        let holds: Vec<&Ruled> = slice
            .all()
            .filter(|rule| matches!(rule.effect, Effect::Hold(_)))
            .filter(|rule| !(rule.is_unspoken && spoken_of))
            .filter(satisfied)
            .collect();
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

    fn considered(
        &self,
        slice: &Slice,
        found: &Found,
        asked: Option<&Asked<'_>>,
    ) -> Vec<Considered> {
        let shown = asked.map(|asked| slice.shown(asked));
        let one = |rule: &Ruled| Considered {
            rule: rule.id().to_owned(),
            effect: rule.effect.as_str(),
            outcome: found.outcome(rule.id()),
            values: self.values(slice, rule, asked, shown.as_ref()),
        };
        let rules = slice.all();
        // Without a call, policies that read it were not evaluated.
        rules.filter(|rule| asked.is_some() || rule.reads.is_fixed()).map(one).collect()
    }

    fn values(
        &self,
        slice: &Slice,
        rule: &Ruled,
        asked: Option<&Asked<'_>>,
        shown: Option<&Value>,
    ) -> Vec<(String, Option<Value>)> {
        let mut values = Vec::new();
        let scoped = !matches!(rule.policy.principal_constraint(), PrincipalConstraint::Any);
        if scoped || rule.reads.principal {
            values.push(("principal".to_owned(), Some(json!(self.identity.as_str()))));
            if !self.groups.is_empty() {
                values.push(("principal.groups".to_owned(), Some(json!(self.groups))));
            }
            if rule.reads.principal && !self.claims.is_empty() {
                values.push(("principal.claims".to_owned(), Some(json!(self.claims))));
            }
        }
        for (var, path) in &rule.reads.attributes {
            if *var == Var2::Resource {
                let value = slice.attributes.pointer(&pointer(path)).cloned();
                values.push((format!("resource.{}", path.join(".")), value));
            }
        }
        let paths: BTreeSet<_> = rule
            .reads
            .values
            .iter()
            .chain(&rule.reads.presence)
            .filter(|p| !p.is_empty())
            .collect();
        for path in paths {
            let value = match (path.split_first(), asked, shown) {
                (Some((first, rest)), Some(asked), _) if first == "arguments" => {
                    below(asked.arguments, rest)
                }
                (_, _, Some(shown)) => shown.pointer(&pointer(path)).cloned(),
                _ => None,
            };
            values.push((format!("context.{}", path.join(".")), value));
        }
        values
    }
}

/// Whether calls are held, where some policies read them.
fn outlook(slice: &Slice, found: &Found) -> Outlook {
    let is_open = |rule: &Ruled| !rule.reads.is_fixed();
    let is_so = |rule: &Ruled| found.satisfied.contains(rule.id());
    let lifts = |rule: &&Ruled| rule.effect == Effect::Permit && speaks(rule);
    let lifted = slice.all().filter(lifts).any(is_so);
    let may_be_lifted = slice.all().filter(lifts).any(is_open);
    let mut outlook = Outlook::Free;
    for rule in slice.all().filter(|rule| matches!(rule.effect, Effect::Hold(_))) {
        let (lifted, may_be_lifted) =
            (lifted && rule.is_unspoken, may_be_lifted && rule.is_unspoken);
        if is_so(rule) && !lifted && !may_be_lifted {
            return Outlook::Held;
        }
        if is_open(rule) || is_so(rule) && !lifted {
            outlook = Outlook::Depends;
        }
    }
    outlook
}

fn below(arguments: &serde_json::Map<String, Value>, path: &[String]) -> Option<Value> {
    match path.split_first() {
        None => Some(Value::Object(arguments.clone())),
        Some((first, rest)) => arguments.get(first)?.pointer(&pointer(rest)).cloned(),
    }
}

fn refused(rule: String, reason: String) -> Decided {
    let verdict = Verdict::Deny { rules: vec![rule], reason };
    Decided { verdict, considered: Vec::new() }
}
