//! What policies and limits say of a call that nobody makes: for policy tests, and for deciding
//! recorded calls anew. Nothing is sent, recorded or taken up.

use serde_json::{Map, Value};

use super::changed::is_masked;
use super::considered::rows;
use super::request::Caller;
use super::toolbox::Toolbox;
use crate::audit::ConsideredRow;
use crate::safety::{Asked, Consideration, Pursuit, Verdict, police};

/// A call that could be made.
#[derive(Debug, Clone)]
pub struct Supposed {
    /// Who would call, and how it would come in.
    pub caller: Caller,
    /// The tool.
    pub tool: String,
    /// The arguments, as an agent would give them.
    pub arguments: Map<String, Value>,
    /// Why, where that is known apart from them.
    pub reason: Option<String>,
    /// Microseconds since the Unix epoch.
    pub now: i64,
}

/// What would be decided, budgets, windows and the kill switch aside.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Judged {
    /// `allow`, `deny`, `hold`; `invalid` where the arguments would be refused before, and
    /// `unknown` where there is no such tool.
    pub effect: &'static str,
    /// Whether the caller would be shown the tool. Where it would not, the call is one of an
    /// unknown tool for it, whatever is decided.
    pub listed: bool,
    /// The rules that would say so.
    pub rules: Vec<String>,
    /// Why, where it is not allowed.
    pub reason: Option<String>,
    /// The policies that were considered.
    pub considered: Vec<ConsideredRow>,
    /// Whether it might be otherwise: it depends on an argument that is not there, but a mark in its
    /// place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
}

impl Judged {
    /// The effect where there is no such tool.
    pub const UNKNOWN: &'static str = "unknown";

    fn without_rules(effect: &'static str, listed: bool, reason: String) -> Self {
        let (rules, considered) = (Vec::new(), Vec::new());
        Self { effect, listed, rules, reason: Some(reason), considered, unsure: false }
    }
}

/// Judges a call by the toolbox's policies and its tool's limits.
pub fn judge(toolbox: &Toolbox, question: &Supposed) -> Judged {
    let named = |name: &str| toolbox.all().iter().position(|e| e.tool.name.as_str() == name);
    let Some(place) = named(&question.tool) else {
        let reason = format!("there is no tool `{}`", question.tool);
        return Judged::without_rules(Judged::UNKNOWN, false, reason);
    };
    let exposed = &toolbox.all()[place];
    let seen = toolbox.seen(&question.caller);
    let listed = seen.policies.may_see(place);
    let mut given = question.arguments.clone();
    let hidden = given.values().any(is_masked);
    let unreasoned = exposed.tool.reason().and_then(|rule| {
        let said = rule.take(&mut given).or_else(|| question.reason.clone().map(Value::String));
        rule.check(said.as_ref())
    });
    let judged = match unreasoned {
        Some(unreasoned) => Err(vec![unreasoned]),
        None => exposed.tool.arguments(&given),
    };
    let arguments = match judged {
        Ok(arguments) => arguments,
        Err(violations) => {
            let each = violations.iter().map(|v| format!("{} must be {}", v.pointer, v.expected));
            let reason = each.collect::<Vec<_>>().join("; ");
            return Judged { unsure: hidden, ..Judged::without_rules("invalid", listed, reason) };
        }
    };
    let broken = exposed.tool.check_limits(&arguments);
    let limited = hidden && exposed.tool.limits_read(&arguments, is_masked);
    let shown = exposed.tool.shown_arguments(&arguments);
    let client = question.caller.agent.as_ref().map(ToString::to_string);
    let asked = Asked {
        arguments: &shown,
        client: client.as_deref(),
        channel: question.caller.transport.as_str(),
        now: question.now,
    };
    let policed = police(&seen.policies, place, &asked, Pursuit::New);
    let considered = rows(policed.considered());
    let broken_rules =
        || broken.iter().map(|limit| format!("{}.{}", exposed.tool.name, limit.rule)).collect();
    let (effect, rules, reason) = match (policed.verdict(), broken.first()) {
        (Verdict::Deny { rules, reason }, _) => ("deny", rules.clone(), Some(reason.clone())),
        (_, Some(first)) => {
            let reason = format!("{} must be {}", first.pointer, first.message);
            ("deny", broken_rules(), Some(reason))
        }
        (Verdict::Allow { rules }, None) => ("allow", rules.clone(), None),
        (Verdict::Hold { rules, .. }, None) => ("hold", rules.clone(), None),
    };
    let reads_mark =
        |one: &Consideration<'_>| one.values().any(|(_, value)| value.is_some_and(is_masked));
    let considered_all = policed.considered();
    // Whatever stood there: what denies it does not look at it.
    let certain = effect == "deny"
        && considered_all
            .iter()
            .any(|one| rules.iter().any(|rule| rule == one.rule) && !reads_mark(&one));
    let unsure =
        hidden && !certain && (limited || considered_all.iter().any(|one| reads_mark(&one)));
    Judged { effect, listed, rules, reason, considered, unsure }
}
