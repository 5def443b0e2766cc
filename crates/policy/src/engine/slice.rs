//! The policies of one tool, those that read the call apart from those that do not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tollbridge_operation::Effect as OperationEffect;

use super::context::{Clocks, agent};
use super::{Ruled, ToolDef};
use crate::action::{CALL, DISCOVER, Type, action_of};
use crate::carry::{Carried, Uncarried, Want, carry_object};
use crate::considered::Form;
use crate::decide::{Asked, Effect, Outcome};
use crate::found::List;
use crate::guard::{Facts, Principal};
use crate::kind::Kind;
use crate::window::{Local, When};

/// The policies of one tool.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) name: String,
    /// The rule that is missing where nothing permits a call.
    pub(crate) own: String,
    /// Whether everyone may call it, always.
    pub(crate) trivial: bool,
    /// Whether one of them reads an argument.
    pub(crate) reads_arguments: bool,
    /// Every policy: those that the tool's entry makes first, and of either those first that
    /// read nothing of the call.
    pub(crate) rules: Vec<Arc<Ruled>>,
    /// What is told of them.
    pub(crate) form: Arc<Form>,
    /// The permits and the `forbid`s among those that read the call.
    pub(crate) open_permits: PolicySet,
    pub(crate) open_forbids: PolicySet,
    pub(crate) action: EntityUid,
    pub(crate) resource: EntityUid,
    /// The tool's attributes, as they are told.
    pub(crate) attributes: Value,
    entities: Vec<Entity>,
    arguments: Kind,
    want: Want,
    pub(crate) when: Option<When>,
    zone: Option<TimeZone>,
}

/// What says of a tool who may call it, beside policy files.
pub(super) enum Own<'a> {
    /// Its entry.
    Rules(Vec<Ruled>),
    /// The list of its API, of an operation that may be found.
    List(&'a List),
}

impl Slice {
    /// The policies on calls of a tool.
    pub(super) fn new(
        tool: &ToolDef,
        own: Own<'_>,
        written: Vec<Arc<Ruled>>,
        arguments: Kind,
        zone: Option<&TimeZone>,
    ) -> Self {
        let is_listed = matches!(own, Own::List(_));
        let trivial = !is_listed && written.is_empty() && tool.rules.are_open();
        let (rule, mut all) = match own {
            Own::List(list) => (list.rule.clone(), list.on_calls(tool.effect)),
            Own::Rules(rules) => {
                (format!("{}.allow", tool.name), rules.into_iter().map(Arc::new).collect())
            }
        };
        if trivial {
            all.clear();
        }
        all.extend(written);
        let action = Type::Action.uid(&action_of(&tool.name));
        let resource = Type::Tool.uid(&tool.name);
        let slice = Self::of(tool, all, (action, resource), arguments, zone);
        let entities = if trivial { Vec::new() } else { slice.entities };
        Self { own: rule, trivial, entities, when: tool.rules.when.clone(), ..slice }
    }

    /// The policies on finding an operation.
    pub(super) fn finding(
        operation: &ToolDef,
        list: &List,
        written: Vec<Arc<Ruled>>,
        zone: Option<&TimeZone>,
    ) -> Self {
        let mut all = list.on_finding();
        all.extend(written);
        let action = Type::Action.uid(DISCOVER);
        let resource = Type::Operation.uid(&operation.name);
        let slice = Self::of(operation, all, (action, resource), Kind::empty(), zone);
        Self { own: list.rule.clone(), ..slice }
    }

    fn of(
        tool: &ToolDef,
        mut rules: Vec<Arc<Ruled>>,
        (action, resource): (EntityUid, EntityUid),
        arguments: Kind,
        zone: Option<&TimeZone>,
    ) -> Self {
        rules.sort_by_key(|rule| (rule.site.is_some(), !rule.reads.is_fixed()));
        let attributes = attributes(tool);
        let mut want = Want::nothing();
        let (mut open_permits, mut open_forbids) = (PolicySet::new(), PolicySet::new());
        for rule in rules.iter().filter(|rule| !rule.reads.is_fixed()) {
            rule.reads.add_to(&mut want);
            // Names are unique: that was checked.
            let _ = match rule.effect {
                Effect::Permit => open_permits.add(rule.policy.clone()),
                Effect::Forbid => open_forbids.add(rule.policy.clone()),
                Effect::Hold(_) => Ok(()),
            };
        }
        Self {
            name: tool.name.clone(),
            own: String::new(),
            trivial: false,
            reads_arguments: rules.iter().any(|rule| rule.reads.touches("arguments")),
            form: Arc::new(Form::of(rules.iter().map(|rule| &**rule), &attributes)),
            rules,
            open_permits,
            open_forbids,
            entities: entities(tool, &action, &resource),
            action,
            resource,
            attributes,
            arguments,
            want,
            when: None,
            zone: zone.cloned(),
        }
    }

    /// Every policy, those that a tool's entry makes first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Ruled> {
        self.rules.iter().map(|rule| &**rule)
    }

    /// Whether one of them reads the call.
    pub(crate) fn reads_calls(&self) -> bool {
        self.all().any(|rule| !rule.reads.is_fixed())
    }

    /// What becomes of one of them.
    pub(crate) fn evaluate(rule: &Ruled, request: &Request, entities: &Entities) -> Outcome {
        let response = Authorizer::new().is_authorized(request, &rule.alone, entities);
        let diagnostics = response.diagnostics();
        if let Some(error) = diagnostics.errors().next() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            return Outcome::Failed(error.inner().to_string());
        }
        match diagnostics.reason().next() {
            Some(_) => Outcome::Satisfied,
            None => Outcome::NotSatisfied,
        }
    }

    /// The entities of a request: the tool's, and the caller.
    pub(crate) fn entities(&self, caller: &Entity) -> Option<Entities> {
        let all = self.entities.iter().chain([caller]).cloned();
        Entities::from_entities(all, None).ok()
    }

    /// A request about nothing but caller and tool.
    pub(crate) fn bare_request(&self, caller: &EntityUid) -> Option<Request> {
        self.request(caller, Context::empty())
    }

    pub(crate) fn request(&self, caller: &EntityUid, context: Context) -> Option<Request> {
        let (action, resource) = (self.action.clone(), self.resource.clone());
        Request::new(caller.clone(), action, resource, context, None).ok()
    }

    /// What the clocks show that policies read, at a time in microseconds since the Unix epoch.
    pub(crate) fn clocks(&self, now: i64) -> Clocks {
        let reads = |name| self.wanted(name).is_some();
        let local = self.zone.as_ref().filter(|_| reads("time"));
        let when = self.when.as_ref().filter(|_| reads("when"));
        Clocks {
            local: local.map(|zone| Local::at(now, zone)),
            when: when.map(|when| Local::at(now, &when.zone)),
        }
    }

    /// What policies read of a call, and what of that could not be carried. `None` is a defect of
    /// ours, or a time that no calendar has.
    pub(crate) fn facts<'v>(
        &'v self,
        principal: Principal<'v>,
        asked: &Asked<'v>,
        clocks: Clocks,
        uncarried: &mut Vec<Uncarried>,
    ) -> Option<Facts<'v>> {
        let mut context = Vec::with_capacity(5);
        if let Some(want) = self.wanted("arguments") {
            let mut path = vec!["arguments".to_owned()];
            let arguments =
                carry_object(&self.arguments, asked.arguments, want, &mut path, uncarried);
            context.push(("arguments", arguments));
        }
        if self.wanted("agent").is_some() {
            let (name, version) = agent(asked.client);
            let agent = vec![("name", Carried::Text(name)), ("version", Carried::Text(version))];
            context.push(("agent", Carried::Record(agent)));
        }
        if self.wanted("channel").is_some() {
            context.push(("channel", Carried::Text(asked.channel)));
        }
        if self.wanted("time").is_some() {
            jiff::Timestamp::from_microsecond(asked.now).ok()?;
            let mut time = vec![("instant", Carried::Datetime(asked.now.div_euclid(1_000)))];
            if let Some(Local { weekday, hour, minute }) = clocks.local {
                let clock = [("weekday", weekday), ("hour", hour), ("minute", minute)];
                time.push(("local", clock_face(clock)));
            }
            context.push(("time", Carried::Record(time)));
        }
        if let Some(when) = clocks.when {
            let clock = [("weekday", when.weekday), ("minute", when.minute_of_day())];
            context.push(("when", clock_face(clock)));
        }
        Some(Facts {
            context: Carried::Record(context),
            principal,
            action: self.action.id().unescaped(),
            resource: (
                Type::named(self.resource.type_name().basename())?,
                self.resource.id().unescaped(),
            ),
            attributes: &self.attributes,
        })
    }

    /// What is read of a member of the context.
    fn wanted(&self, name: &str) -> Option<&Want> {
        match &self.want {
            Want::Members(members) => members.get(name),
            whole => Some(whole),
        }
    }

    /// The facts for Cedar. `None` is a defect of ours.
    pub(crate) fn context(facts: &Facts<'_>) -> Option<Context> {
        let Carried::Record(members) = &facts.context else { return None };
        let pairs = members.iter().map(|(name, value)| ((*name).to_owned(), value.expression()));
        Context::from_pairs(pairs).ok()
    }
}

/// What a clock shows, for policies.
fn clock_face<const N: usize>(shown: [(&'static str, i64); N]) -> Carried<'static> {
    Carried::Record(shown.map(|(name, number)| (name, Carried::Long(number))).into())
}

fn effect(effect: OperationEffect) -> &'static str {
    match effect {
        OperationEffect::Read => "read",
        OperationEffect::Write => "write",
        OperationEffect::Destructive => "destructive",
    }
}

fn attributes(tool: &ToolDef) -> Value {
    json!({
        "name": tool.name,
        "api": tool.api,
        "operation": tool.operation,
        "effect": effect(tool.effect),
        "idempotent": tool.idempotent,
        "tags": tool.tags,
    })
}

fn entities(tool: &ToolDef, action: &EntityUid, resource: &EntityUid) -> Vec<Entity> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let api = Type::Api.uid(&tool.api);
    let attributes = HashMap::from([
        ("name".to_owned(), text(&tool.name)),
        ("api".to_owned(), text(&tool.api)),
        ("operation".to_owned(), text(&tool.operation)),
        ("effect".to_owned(), text(effect(tool.effect))),
        ("idempotent".to_owned(), RestrictedExpression::new_bool(tool.idempotent)),
        ("tags".to_owned(), RestrictedExpression::new_set(tool.tags.iter().map(|tag| text(tag)))),
    ]);
    let of_api = HashMap::from([("name".to_owned(), text(&tool.api))]);
    let call = Type::Action.uid(CALL);
    let parents = |parent: &EntityUid| HashSet::from([parent.clone()]);
    let discovers = action.id().unescaped() == DISCOVER;
    let above = if discovers { HashSet::new() } else { parents(&call) };
    // Values of those types always make attributes.
    let made = [
        Entity::new(resource.clone(), attributes, parents(&api)).ok(),
        Entity::new(api, of_api, HashSet::new()).ok(),
        Some(Entity::new_no_attrs(action.clone(), above)),
        Some(Entity::new_no_attrs(call, HashSet::new())),
    ];
    made.into_iter().flatten().collect()
}
