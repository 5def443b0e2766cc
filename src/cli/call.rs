//! `tollbridge call`: one call through every layer, as an agent's call would go.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use tollbridge_operation::Trace;

use super::as_whom::AsWhom;
use super::{Exit, context};
use crate::agent::{self, ToolView, wire};
use crate::config::Config;
use crate::gateway::{
    CallRequest, CallWatch, Caller, DryDecision, DryRunError, Failure, Gateway, Offer, Refused,
    Reply, Secrets,
};
use crate::tools::Tool;

/// Arguments of `call`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The tool, or the id of an operation that `search` finds.
    tool: String,
    /// Arguments: `key=value` is read by the tool's schema, `key:=json` is JSON.
    #[arg(value_name = "KEY=VALUE")]
    arguments: Vec<String>,
    /// All arguments as one JSON object, or `-` for standard input.
    #[arg(long, value_name = "JSON")]
    #[expect(clippy::struct_field_names, reason = "it is the flag's name")]
    args: Option<String>,
    /// Print the MCP result as JSON.
    #[arg(long)]
    json: bool,
    /// Print the decision and the request that it would send, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// With `--dry-run`: tell every policy that was considered, and the values that decided.
    #[arg(long, requires = "dry_run")]
    why: bool,
    #[command(flatten)]
    whom: AsWhom,
    /// The held call that was approved.
    #[arg(long, value_name = "ID")]
    approval: Option<String>,
}

pub(super) async fn run(args: Args, config: &Path) -> Exit {
    // A rehearsal shows no secret and sends none, so it can do without them.
    let secrets = if args.dry_run { Secrets::Verify } else { Secrets::Resolve };
    let (gateway, config) = match context::load(config, secrets) {
        Ok(loaded) => match context::gateway(loaded).await {
            Ok(opened) => opened,
            Err(exit) => return exit,
        },
        Err(exit) => return exit,
    };
    let exit = carry_out(&args, &gateway, &config).await.unwrap_or_else(|exit| exit);
    gateway.close().await;
    exit
}

async fn carry_out(args: &Args, gateway: &Gateway, config: &Config) -> Result<Exit, Exit> {
    let caller = args.whom.caller(config);
    let offer = gateway.offer(&caller);
    let toolbox = gateway.toolbox();
    let id = args.tool.contains('/').then(|| toolbox.view(&caller)).flatten();
    let name = id.as_ref().and_then(|view| view.called_by(&args.tool)).unwrap_or(&args.tool);
    let listed = offer.tools.iter().find(|tool| tool.name.as_str() == name);
    let found = toolbox.find(name, &caller).map(|exposed| &exposed.tool);
    let tool = listed.or(found);
    let arguments = arguments(args, tool).map_err(|message| {
        eprintln!("error: {message}");
        Exit::Usage
    })?;
    let request = CallRequest {
        tool: name.to_owned(),
        arguments,
        approval: args.approval.clone(),
        trace: trace(),
        ..CallRequest::default()
    };
    let tool = tool.map(|tool| agent::view(tool));
    if args.dry_run {
        return dry_run(args, &caller, &request, gateway, &offer).await;
    }
    let watch = CallWatch::default();
    let cancel = watch.cancel.clone();
    let call = gateway.call(caller, request, watch);
    tokio::pin!(call);
    // The first Ctrl-C cancels the call, and its end is still recorded and shown.
    let answer = tokio::select! {
        answer = &mut call => answer,
        _ = tokio::signal::ctrl_c() => {
            cancel.cancel();
            call.await
        }
    };
    match answer {
        Ok(reply) => {
            let exit = match &reply.result {
                Ok(_) => Exit::Done,
                Err(failure) => Exit::of_failure(failure, reply.meta.attempts),
            };
            if args.json {
                super::print_json(&agent::result::to_json(
                    reply,
                    tool.as_ref(),
                    &config.server.name,
                ));
            } else {
                show(reply, tool.as_ref(), &config.server.name);
            }
            Ok(exit)
        }
        Err(Refused::UnknownTool { tool, .. }) => {
            unknown(&tool, &offer);
            Err(Exit::Denied)
        }
        Err(error @ Refused::Unrecorded) => {
            eprintln!("error: {error}");
            Err(Exit::Failed)
        }
    }
}

fn show(reply: Reply, tool: Option<&ToolView>, server: &str) {
    let meta = reply.meta.clone();
    match &reply.result {
        Err(failure) => tell(failure),
        Ok(_) => {
            let result = agent::result::to_json(reply, tool, server);
            match result.get("structuredContent") {
                Some(value) => super::print_json(value),
                None => super::print_json(&result["content"]),
            }
            if let Some(drift) = result.pointer("/_meta/tollbridge~1drift") {
                eprintln!("warning: the answer leaves its description: {drift}");
            }
        }
    }
    eprintln!("call {} · {} attempts · {} ms", meta.id, meta.attempts, meta.upstream_ms);
    context::next(&format!("tollbridge trace show {}", meta.id));
}

fn tell(failure: &Failure) {
    eprintln!("error[{}]: {}", failure.code.as_str(), failure.message);
    for violation in &failure.violations {
        let suggestion =
            violation.suggestion.as_deref().map(|s| format!(" ({s})")).unwrap_or_default();
        eprintln!("  {}: expected {}{suggestion}", violation.pointer, violation.expected);
    }
    if let Some(hold) = &failure.hold {
        eprintln!("  held as {} until {}", hold.id, hold.expires);
    }
    if let Some(upstream) = &failure.upstream {
        eprintln!("  upstream: {}", upstream.body);
    }
    if let Some(seconds) = failure.retry_after_s {
        eprintln!("  retry after {seconds} s");
    }
    eprintln!("  help: {}", failure.next_step);
}

fn unknown(tool: &str, offer: &Offer) {
    eprintln!("error: unknown tool `{tool}`");
    let near = offer
        .tools
        .iter()
        .map(|known| known.name.as_str())
        .max_by(|a, b| strsim::jaro_winkler(a, tool).total_cmp(&strsim::jaro_winkler(b, tool)))
        .filter(|name| strsim::jaro_winkler(name, tool) > 0.75);
    match near {
        Some(name) => eprintln!("  help: did you mean `{name}`?"),
        None => eprintln!("  help: `tollbridge tools` lists what there is"),
    }
}

/// The trace of whatever runs this command (OpenTelemetry, "Environment Variables as Context
/// Propagation Carriers").
fn trace() -> Option<Arc<Trace>> {
    let parent = std::env::var("TRACEPARENT").ok()?;
    let state = std::env::var("TRACESTATE").ok();
    Trace::read(&parent, state.as_deref()).map(Arc::new)
}

async fn dry_run(
    args: &Args,
    caller: &Caller,
    request: &CallRequest,
    gateway: &Gateway,
    offer: &Offer,
) -> Result<Exit, Exit> {
    match gateway.dry_run(caller, request).await {
        Ok(run) => {
            let exit = match run.decision.effect {
                "allow" => Exit::Done,
                "hold" => Exit::Held,
                _ => Exit::Denied,
            };
            if args.why && !args.json {
                super::print(&told(&run.decision));
            } else {
                super::print_json(&serde_json::to_value(&run).unwrap_or_default());
            }
            Ok(exit)
        }
        Err(DryRunError::UnknownTool(tool)) => {
            unknown(&tool, offer);
            Err(Exit::Denied)
        }
        Err(DryRunError::Failed(failure)) => {
            tell(&failure);
            Err(Exit::of_failure(&failure, 0))
        }
        Err(DryRunError::Store(error)) => Err(context::failed(&error)),
    }
}

/// A decision with the policies that were considered, for people.
fn told(decision: &DryDecision) -> String {
    let DryDecision { effect, rules, reason, considered } = decision;
    let mut text = format!("{effect} by {}\n", super::clean(&rules.join(", "), 600));
    if let Some(reason) = reason {
        text += "reason: ";
        text += &super::clean(reason, 600);
        text.push('\n');
    }
    text + "considered:\n" + &super::why::lines(considered)
}

/// All arguments of the command line as one object.
fn arguments(args: &Args, tool: Option<&Arc<Tool>>) -> Result<Map<String, Value>, String> {
    let mut arguments = args.args.as_deref().map_or(Ok(Map::new()), object_argument)?;
    let schema = tool.map(|tool| Value::Object(tool.input.to_map()));
    for pair in &args.arguments {
        let (name, value) = argument(pair, schema.as_ref())?;
        if arguments.insert(name.clone(), value).is_some() {
            return Err(format!("the argument `{name}` is given twice"));
        }
    }
    Ok(arguments)
}

/// The object that `--args` gives, in words or, for `-`, over standard input.
pub(super) fn object_argument(args: &str) -> Result<Map<String, Value>, String> {
    if args != "-" {
        return object(args);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read standard input: {error}"))?;
    object(&text)
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    wire::unambiguous(text).map_err(|reason| format!("--args: {reason}"))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("--args must be a JSON object".to_owned()),
        Err(error) => Err(format!("--args is no JSON: {error}")),
    }
}

/// One `key=value` or `key:=json`.
pub(super) fn argument(pair: &str, schema: Option<&Value>) -> Result<(String, Value), String> {
    let (name, text) = pair
        .split_once('=')
        .ok_or_else(|| format!("`{pair}` is neither key=value nor key:=json"))?;
    if let Some(name) = name.strip_suffix(':') {
        let wrong = |reason: String| format!("the value of `{name}`: {reason}");
        wire::unambiguous(text).map_err(wrong)?;
        let value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        return Ok((name.to_owned(), value));
    }
    let property = schema.and_then(|schema| schema.get("properties")?.get(name));
    let value = match property {
        Some(property) if !takes_strings(property, schema, 0) => {
            if text.starts_with(['{', '[']) {
                wire::unambiguous(text)
                    .map_err(|reason| format!("the value of `{name}`: {reason}"))?;
            }
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
        }
        _ => Value::from(text),
    };
    Ok((name.to_owned(), value))
}

/// Whether a string could fit the schema. An open schema takes one.
fn takes_strings(schema: &Value, root: Option<&Value>, depth: u8) -> bool {
    if depth > 8 {
        return true;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|pointer| root?.pointer(pointer));
        return target.is_none_or(|target| takes_strings(target, root, depth + 1));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().any(Value::is_string);
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(word).and_then(Value::as_array) {
            return branches.iter().any(|branch| takes_strings(branch, root, depth + 1));
        }
    }
    match schema.get("type") {
        Some(Value::String(name)) => name == "string",
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_read_by_the_schema_of_its_argument() {
        let schema = json!({
            "properties": {
                "id": {"type": "string"},
                "limit": {"type": "integer"},
                "body": {"$ref": "#/$defs/Body"},
                "any": {},
                "maybe": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "state": {"enum": [1, 2]},
            },
            "$defs": {"Body": {"type": "object"}},
        });
        for (pair, value) in [
            ("id=5", json!("5")),
            ("limit=5", json!(5)),
            ("limit=five", json!("five")),
            ("body={\"a\":1}", json!({"a": 1})),
            ("any=5", json!("5")),
            ("any:=5", json!(5)),
            ("maybe=5", json!("5")),
            ("state=2", json!(2)),
            ("unknown=true", json!("true")),
            ("id=a=b", json!("a=b")),
        ] {
            assert_eq!(argument(pair, Some(&schema)).expect(pair).1, value, "{pair}");
        }
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        assert!(argument("id", None).is_err());
        assert!(argument("id:={", None).is_err());
        assert!(argument("id:={\"a\":1,\"a\":2}", None).is_err());
        assert!(object("{\"a\":1,\"\\u0061\":2}").is_err());
    }
}
