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
use crate::decide::{Asked, Considered, Decided, Effect, Found, HoldTerms, Outcome, Verdict};
use crate::engine::{Engine, Ruled, Slice};
use crate::pointers::pointer;
use crate::reads::Var2;

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
    standings: Vec<OnceLock<Standing>>,
}

/// What an identity could do with a tool.
#[derive(Debug)]
pub enum Standing {
    /// No call could be allowed or held.
    Hidden(Decided),
    /// What is decided does not depend on the call.
    Settled(Decided),
    /// It depends on the call.
    Open(Open),
}

/// What is known of a caller before a call that decides.
#[derive(Debug)]
pub struct Open {
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
        Caller {
            engine: Arc::clone(self),
            identity: identity.clone(),
            groups: groups.clone(),
            claims,
            uid,
            entity,
            standings: self.slices.iter().map(|_| OnceLock::new()).collect(),
        }
    }
}

impl Caller {
    /// Whether some call of the tool could be allowed or held.
    pub fn may_see(&self, tool: usize) -> bool {
        !matches!(self.standing(tool), None | Some(Standing::Hidden(_)))
    }

    /// What the caller could do with the tool; `None` where there is none.
    pub fn standing(&self, tool: usize) -> Option<&Standing> {
        let slice = self.engine.slices.get(tool)?;
        Some(self.standings.get(tool)?.get_or_init(|| self.find_standing(slice)))
    }

    /// Decides on a call of the tool.
    pub fn decide(&self, tool: usize, asked: &Asked<'_>) -> Decided {
        let Some((slice, standing)) = self.engine.slices.get(tool).zip(self.standing(tool)) else {
            return refused(String::new(), "there is no such tool".to_owned());
        };
        match standing {
            Standing::Hidden(decided) | Standing::Settled(decided) => decided.clone(),
            Standing::Open(open) => self.decide_open(slice, open, asked),
        }
    }

    fn find_standing(&self, slice: &Slice) -> Standing {
        if slice.trivial {
            let verdict = Verdict::Allow { rules: vec![format!("{}.allow", slice.name)] };
            return Standing::Settled(Decided { verdict, considered: Vec::new() });
        }
        let mut found = Found::default();
        let entities = self.entity.as_ref().and_then(|entity| slice.entities(entity));
        let (Some(entities), Some(request)) = (entities, slice.bare_request(&self.uid)) else {
            // A defect of ours.
            let reason = "the policies cannot be evaluated".to_owned();
            return Standing::Hidden(refused(format!("{}.allow", slice.name), reason));
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
                    rules: vec![format!("{}.allow", slice.name)],
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
            return refused(format!("{}.allow", slice.name), reason);
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
                rules: vec![format!("{}.allow", slice.name)],
                reason: format!(
                    "no policy lets `{}` make this call of `{}`",
                    self.identity, slice.name
                ),
            };
        }
        let holds: Vec<&Ruled> = slice
            .all()
            .filter(|rule| matches!(rule.effect, Effect::Hold(_)))
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
