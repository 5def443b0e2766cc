//! What can be wrong with policies before anybody calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, EntityUid, PolicySet, PrincipalConstraint, ResourceConstraint, Schema,
    ValidationMode, Validator,
};
use miette::Diagnostic as _;

use super::{Entry, Problem, Ruled, Severity, Site, ToolDef, action_text};
use crate::action::{CALL, DISCOVER, Type, action_of};
use crate::decide::Effect;
use crate::found::{Finding, List};
use crate::kind::{Kind, LeftOut};
use crate::pointers::{closest, pointer};
use crate::source::span_of;

/// Whether a policy's scope can be about calls of the tool.
pub(super) fn applies(policy: &Ruled, tool: &ToolDef) -> bool {
    let is = |uid: &EntityUid, kind: Type, name: &str| {
        kind.is(uid.type_name()) && uid.id().unescaped() == name
    };
    let own = action_of(&tool.name);
    let action = match policy.policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is(&uid, Type::Action, &own),
        ActionConstraint::In(all) => {
            all.iter().any(|uid| is(uid, Type::Action, &own) || is(uid, Type::Action, CALL))
        }
    };
    let this = |uid: &EntityUid| is(uid, Type::Tool, &tool.name);
    let inside = |uid: &EntityUid| this(uid) || is(uid, Type::Api, &tool.api);
    action
        && match policy.policy.resource_constraint() {
            ResourceConstraint::Any => true,
            ResourceConstraint::Eq(uid) => this(&uid),
            ResourceConstraint::In(uid) => inside(&uid),
            ResourceConstraint::Is(name) => Type::Tool.is(&name),
            ResourceConstraint::IsIn(name, uid) => Type::Tool.is(&name) && inside(&uid),
        }
}

/// Whether a policy's scope can be about finding the operation.
pub(super) fn finds_it(policy: &Ruled, operation: &ToolDef) -> bool {
    let is = |uid: &EntityUid, kind: Type, name: &str| {
        kind.is(uid.type_name()) && uid.id().unescaped() == name
    };
    let action = match policy.policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(_) | ActionConstraint::In(_) => names_discover(policy),
    };
    let this = |uid: &EntityUid| is(uid, Type::Operation, &operation.name);
    let inside = |uid: &EntityUid| this(uid) || is(uid, Type::Api, &operation.api);
    action
        && match policy.policy.resource_constraint() {
            ResourceConstraint::Any => true,
            ResourceConstraint::Eq(uid) => this(&uid),
            ResourceConstraint::In(uid) => inside(&uid),
            ResourceConstraint::Is(name) => Type::Operation.is(&name),
            ResourceConstraint::IsIn(name, uid) => Type::Operation.is(&name) && inside(&uid),
        }
}

/// Whether a policy names the action of finding.
fn names_discover(policy: &Ruled) -> bool {
    let is = |uid: &EntityUid| Type::Action.is(uid.type_name()) && uid.id().unescaped() == DISCOVER;
    match policy.policy.action_constraint() {
        ActionConstraint::Any => false,
        ActionConstraint::Eq(uid) => is(&uid),
        ActionConstraint::In(all) => all.iter().any(is),
    }
}

/// The policies that a tool's entry makes. One that could not be made is an error: the tool is not
/// offered without it.
pub(super) fn made(
    index: usize,
    tool: &ToolDef,
    made: Vec<(&'static str, Option<Ruled>)>,
    problems: &mut Vec<Problem>,
) -> Vec<Ruled> {
    let mut all = Vec::with_capacity(made.len());
    for (key, rule) in made {
        match rule {
            Some(rule) => all.push(rule),
            None => {
                let message = format!("`{key}` of `{}` cannot be made a policy", tool.name);
                problems.push(unmade(Entry::Tool { tool: index, key }, message));
            }
        }
    }
    all
}

/// The same of the lists of who may find operations.
pub(super) fn lists(lists: &[List], problems: &mut Vec<Problem>) {
    for (index, list) in lists.iter().enumerate().filter(|(_, list)| !list.is_whole()) {
        let message =
            format!("the rules `{}` and `{}` cannot be made policies", list.rule, list.hold);
        problems.push(unmade(Entry::List(index), message));
    }
}

fn unmade(entry: Entry, message: String) -> Problem {
    let help = "a defect of the bridge: say the same in a policy file, and report it";
    let site = Site { source: None, span: 0..0 };
    Problem { entry: Some(entry), ..Problem::error(site, message).help(help) }
}

/// What cannot be said of finding: nothing is called, so there is no call to read and none to hold.
pub(super) fn finds(written: &[Arc<Ruled>], problems: &mut Vec<Problem>) {
    for policy in written.iter().filter(|policy| names_discover(policy)) {
        let id = policy.id();
        if matches!(policy.effect, Effect::Hold(_)) {
            let message = format!("`{id}` holds `discover`, and nobody waits to find something");
            let help = "hold the calls: `action in Action::\"call\"`";
            problems.push(Problem::error(site(policy), message).help(help));
        }
        if !policy.reads.is_fixed() {
            let message = format!("`{id}` is about `discover` and reads the call");
            let help = "what may be found depends on who asks and on the operation alone";
            problems.push(Problem::error(site(policy), message).help(help));
        }
    }
}

fn site(policy: &Ruled) -> Site {
    policy.site.clone().unwrap_or(Site { source: None, span: 0..0 })
}

/// Names that are there twice, and names of tools and APIs that are not there.
pub(super) fn names(
    written: &[Arc<Ruled>],
    tools: &[ToolDef],
    finding: Finding<'_>,
    problems: &mut Vec<Problem>,
) {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for list in finding.lists {
        taken.extend([format!("{}.discover", list.api), format!("{}.discover.hold", list.api)]);
    }
    // What else decides has these names in the trail.
    taken.insert("safety.errors".to_owned());
    for tool in tools {
        let own = ["allow", "deny", "hold", "when", "calls", "stale", "scopes", "loops"];
        taken.extend(own.iter().map(|rule| format!("{}.{rule}", tool.name)));
    }
    for policy in written {
        let id = policy.id();
        if !taken.insert(id.to_owned()) {
            let message = format!("there are two policies `{id}`");
            problems
                .push(Problem::error(site(policy), message).help("give one of them another @id"));
        }
        for (kind, name) in named(policy) {
            let known: Vec<&str> = match kind.as_str() {
                "Tool" => tools.iter().map(|tool| tool.name.as_str()).collect(),
                "Api" => {
                    let found = finding.lists.iter().map(|list| list.api.as_str());
                    tools.iter().map(|tool| tool.api.as_str()).chain(found).collect()
                }
                "Operation" if !finding.lists.is_empty() => {
                    finding.operations.iter().map(|one| one.operation.name.as_str()).collect()
                }
                _ => continue,
            };
            if known.contains(&name.as_str()) {
                continue;
            }
            let thing = match kind.as_str() {
                "Tool" => "tool",
                "Operation" => "operation that could be found",
                _ => "API with tools",
            };
            let message = format!("`{id}` names {kind}::{name:?}, and there is no such {thing}");
            let help = closest(&name, known).map(|near| format!("did you mean {kind}::{near:?}?"));
            problems.push(Problem { help, ..Problem::error(site(policy), message) });
        }
    }
}

/// The entities that a policy names, in its scope and conditions.
fn named(policy: &Ruled) -> BTreeSet<(String, String)> {
    let mut all = policy.reads.entities.clone();
    let scope = match policy.policy.resource_constraint() {
        ResourceConstraint::Eq(uid)
        | ResourceConstraint::In(uid)
        | ResourceConstraint::IsIn(_, uid) => Some(uid),
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
    };
    all.extend(scope.map(|uid| (uid.type_name().to_string(), uid.id().unescaped().to_owned())));
    all
}

/// The groups that a policy names, in its scope and conditions.
pub(super) fn groups(policy: &Ruled) -> BTreeSet<String> {
    let scope = match policy.policy.principal_constraint() {
        PrincipalConstraint::Eq(uid)
        | PrincipalConstraint::In(uid)
        | PrincipalConstraint::IsIn(_, uid) => Some(uid),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
    };
    let scope = scope.filter(|uid| Type::Group.is(uid.type_name()));
    let read =
        policy.reads.entities.iter().filter(|(kind, _)| Type::named(kind) == Some(Type::Group));
    read.map(|(_, name)| name.clone())
        .chain(scope.map(|uid| uid.id().unescaped().to_owned()))
        .collect()
}

/// A policy that is about no tool does nothing, and a `forbid` that does nothing was not meant so.
pub(super) fn about_nothing(
    written: &[Arc<Ruled>],
    tools: &[ToolDef],
    finding: Finding<'_>,
    problems: &mut Vec<Problem>,
) {
    let is = |uid: &EntityUid, name: &str| {
        Type::Action.is(uid.type_name()) && uid.id().unescaped() == name
    };
    for policy in written {
        let id = policy.id();
        let known = problems.iter().any(|problem| {
            problem.severity == Severity::Error
                && policy.site.as_ref().is_some_and(|site| {
                    problem.site.source == site.source
                        && site.span.start <= problem.site.span.start
                        && problem.site.span.end <= site.span.end
                })
        });
        // Where nothing may be found, what is said of finding waits for its time.
        let finds = if finding.lists.is_empty() {
            names_discover(policy)
        } else {
            finding.operations.iter().any(|one| finds_it(policy, &one.operation))
        };
        if known || finds || tools.iter().any(|tool| applies(policy, tool)) {
            continue;
        }
        if names_discover(policy) {
            let message = format!("`{id}` is about no operation that could be found");
            let help = "only APIs with `discover` have such: `resource` is an `Operation` of one";
            problems.push(Problem::error(site(policy), message).help(help));
            continue;
        }
        let problem = Problem::error(site(policy), format!("`{id}` is about no tool"));
        problems.push(match policy.policy.action_constraint() {
            ActionConstraint::Eq(uid) if is(&uid, CALL) => {
                problem.help("every tool's action is in `call`: write `action in Action::\"call\"`")
            }
            _ => problem.help("action and resource of its scope do not meet in any tool"),
        });
    }
}

/// What policies see of the arguments of each tool.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) tools: &'a [ToolDef],
    pub(super) kinds: &'a [Kind],
    pub(super) left_out: &'a [Vec<LeftOut>],
}

/// Has Cedar check each policy against the types of the tools that it may be about. That an argument
/// is not there is no error to Cedar where a policy asks whether it is: that is ours to find.
pub(super) fn types(
    written: &[Arc<Ruled>],
    schema: &Schema,
    seen: Seen<'_>,
    local: bool,
    problems: &mut Vec<Problem>,
) {
    let tools = seen.tools;
    let mut set = PolicySet::new();
    let mut by_id: BTreeMap<&str, &Ruled> = BTreeMap::new();
    for policy in written {
        // One with a name that is taken was reported.
        if set.add(policy.policy.clone()).is_ok() {
            by_id.insert(policy.id(), policy);
        }
    }
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let mut told = BTreeSet::new();
    let (mut refused, mut told_of) = (BTreeSet::new(), BTreeSet::new());
    for error in result.validation_errors() {
        let id: &str = error.policy_id().as_ref();
        let Some(policy) = by_id.get(id) else { continue };
        refused.insert(id.to_owned());
        let at = place(policy, span_of(error));
        if !told.insert((at.source, at.span.start, at.span.end)) {
            continue;
        }
        let message = words(&error.to_string(), id);
        let mended = mend(policy, seen, local);
        let help = mended.or_else(|| error.help().map(|help| help.to_string()));
        problems.push(Problem { help, ..Problem::error(at, message) });
    }
    for policy in written.iter().filter(|policy| !refused.contains(policy.id())) {
        if let Some((message, help)) = unknown(policy, seen) {
            problems.push(Problem { help, ..Problem::error(site(policy), message) });
            told_of.insert(policy.id());
        }
    }
    for warning in result.validation_warnings() {
        let id: &str = warning.policy_id().as_ref();
        let Some(policy) = by_id.get(id).filter(|_| !told_of.contains(id)) else { continue };
        // That it is about no tool is told by itself.
        if !tools.iter().any(|tool| applies(policy, tool)) {
            continue;
        }
        let at = place(policy, span_of(warning));
        let message = words(&warning.to_string(), id);
        // It asks whether an argument is there that policies never see: what it is to forbid or to
        // allow would never be so, and that cannot be meant.
        if let Some(help) = lost(policy, seen) {
            told_of.insert(id);
            problems.push(Problem { help: Some(help), ..Problem::error(at, message) });
            continue;
        }
        let help = warning.help().map(|help| help.to_string());
        let severity = Severity::Warning;
        problems.push(Problem { severity, help, ..Problem::error(at, message) });
    }
    told_of.extend(refused.iter().map(String::as_str));
    let listed = |index: &usize| tools[*index].found.is_none();
    for policy in written.iter().filter(|policy| !told_of.contains(policy.id())) {
        let of_tools = about(policy, tools).into_iter().filter(listed);
        if let Some(help) = lost_in(policy, of_tools, seen) {
            let message = format!(
                "`{}` denies each call that brings an argument which it cannot see",
                policy.id()
            );
            let (severity, help) = (Severity::Warning, Some(help));
            problems.push(Problem { severity, help, ..Problem::error(site(policy), message) });
        }
    }
}

/// That a policy asks for an argument which none of its tools has, and which name was probably meant.
fn unknown(policy: &Ruled, seen: Seen<'_>) -> Option<(String, Option<String>)> {
    let about = about(policy, seen.tools);
    let has = |path: &[String]| {
        about.iter().any(|index| {
            let is_lost = |lost: &LeftOut| path.starts_with(&lost.path);
            seen.kinds[*index].at(path).is_some() || seen.left_out[*index].iter().any(is_lost)
        })
    };
    let paths = policy.reads.values.iter().chain(&policy.reads.presence);
    let arguments =
        paths.filter_map(|path| path.split_first().filter(|(first, _)| *first == "arguments"));
    let mut missing = arguments.filter_map(|(_, path)| {
        let length = (1..=path.len()).find(|length| !has(&path[..*length]))?;
        path[..length].split_last()
    });
    let (name, above) = missing.next().filter(|_| !about.is_empty())?;
    let beside: BTreeSet<&str> = about
        .iter()
        .filter_map(|index| match seen.kinds[*index].at(above) {
            Some(Kind::Record(members)) => Some(members.keys().map(String::as_str)),
            _ => None,
        })
        .flatten()
        .collect();
    let path = pointer(&above.iter().chain([name]).cloned().collect::<Vec<_>>());
    let message = format!(
        "`{}` asks for the argument `{path}`, and no tool that it is about has one",
        policy.id()
    );
    let help = closest(name, beside).map(|near| format!("did you mean `{near}`?"));
    Some((message, help))
}

/// Cedar's place in the file, or the policy's.
fn place(policy: &Ruled, span: Option<std::ops::Range<usize>>) -> Site {
    let own = site(policy);
    match span {
        Some(span) if own.span.start <= span.start && span.end <= own.span.end => {
            Site { span, ..own }
        }
        _ => own,
    }
}

/// Cedar's message, which begins with the policy's name.
fn words(message: &str, id: &str) -> String {
    let rest = message.strip_prefix(&format!("for policy `{id}`, ")).unwrap_or(message);
    format!("`{id}`: {rest}")
}

/// What we know better than Cedar about why a policy's types are wrong.
fn mend(policy: &Ruled, seen: Seen<'_>, local: bool) -> Option<String> {
    let tools = seen.tools;
    let paths = || policy.reads.values.iter().chain(&policy.reads.presence);
    let is_local =
        |path: &Vec<String>| matches!(path.as_slice(), [t, l, ..] if t == "time" && l == "local");
    if !local && paths().any(is_local) {
        return Some("local time needs a zone: set `zone` in [safety]".to_owned());
    }
    if let Some(lost) = lost(policy, seen) {
        return Some(lost);
    }
    let about = about(policy, tools);
    let first = about.first().filter(|_| about.len() > 1 && policy.reads.touches("arguments"))?;
    Some(format!(
        "it is about {} tools, which do not all have this argument: name one, as in `action == {}`, or ask first, as in `context.arguments has …`",
        about.len(),
        action_text(&tools[*first].name)
    ))
}

/// The tools that a policy may be about.
fn about(policy: &Ruled, tools: &[ToolDef]) -> Vec<usize> {
    (0..tools.len()).filter(|index| applies(policy, &tools[*index])).collect()
}

/// That a policy reads an argument which policies do not see.
fn lost(policy: &Ruled, seen: Seen<'_>) -> Option<String> {
    lost_in(policy, about(policy, seen.tools).into_iter(), seen)
}

/// The same of an argument of these tools.
fn lost_in(
    policy: &Ruled,
    of_tools: impl Iterator<Item = usize>,
    seen: Seen<'_>,
) -> Option<String> {
    let Seen { tools, left_out, .. } = seen;
    let mut all = of_tools.flat_map(|index| left_out[index].iter().map(move |lost| (index, lost)));
    let (index, lost) = all.find(|(_, lost)| {
        policy.reads.values.iter().chain(&policy.reads.presence).any(|path| {
            path.split_first()
                .is_some_and(|(first, rest)| first == "arguments" && rest.starts_with(&lost.path))
        })
    })?;
    let place = if lost.path.is_empty() {
        "each argument".to_owned()
    } else {
        format!("`{}`", pointer(&lost.path))
    };
    Some(format!(
        "{place} of `{}` is left out of policies: {}; a limit in tools.toml can bound it",
        tools[index].name, lost.reason
    ))
}

#[cfg(test)]
mod tests;
