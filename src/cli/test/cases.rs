//! Cases of a file: a call, and what is expected to be decided on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tollbridge_operation::Identity;

use super::super::{Exit, clean, print, print_json, why};
use crate::config::Config;
use crate::gateway::{Agent, Caller, Claim, Facts, Judged, Supposed, Toolbox, Transport, judge};

/// A file is no longer than that.
const MAX_BYTES: u64 = 8 << 20;

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// What holds for each case that does not say otherwise.
    #[serde(default)]
    defaults: Call,
    case: Vec<Case>,
}

/// Who calls, how and when.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    identity: Option<String>,
    groups: Option<Vec<String>>,
    claims: Option<BTreeMap<String, Value>>,
    client: Option<String>,
    channel: Option<String>,
    time: Option<toml::Value>,
    tool: Option<String>,
}

/// A call, and what is expected.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    identity: Option<String>,
    groups: Option<Vec<String>>,
    claims: Option<BTreeMap<String, Value>>,
    client: Option<String>,
    channel: Option<String>,
    time: Option<toml::Value>,
    tool: Option<String>,
    /// A table, or a text of JSON where numbers must keep their digits.
    #[serde(default)]
    args: Value,
    expect: Expected,
    /// The rules that must say so, all of them.
    by: Option<Vec<String>>,
}

/// What a case expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
    Hold,
    /// The tool is not shown to the caller.
    Hidden,
    /// The arguments are refused.
    Invalid,
}

impl Expected {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Hold => "hold",
            Self::Hidden => "hidden",
            Self::Invalid => "invalid",
        }
    }
}

/// A case that was tried.
struct Tried {
    file: String,
    name: String,
    expected: String,
    passed: bool,
    judged: Judged,
}

pub(super) fn run(files: &[PathBuf], toolbox: &Toolbox, config: &Config, as_json: bool) -> Exit {
    let mut tried = Vec::new();
    for file in files {
        match read(file).and_then(|cases| try_all(file, cases, toolbox, config, &mut tried)) {
            Ok(()) => {}
            Err(error) => {
                eprintln!("error: {}: {error}", file.display());
                return Exit::Usage;
            }
        }
    }
    let failed = tried.iter().filter(|one| !one.passed).count();
    let passed = tried.len() - failed;
    if as_json {
        let each: Vec<Value> = tried.iter().map(to_json).collect();
        print_json(&json!({"cases": each, "passed": passed, "failed": failed}));
    } else {
        for one in &tried {
            print(&to_text(one));
        }
        print(&format!("{passed} passed, {failed} failed\n"));
    }
    if failed == 0 { Exit::Done } else { Exit::Failed }
}

fn read(file: &Path) -> Result<Cases, String> {
    let length = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if length > MAX_BYTES {
        return Err("it is longer than 8 MiB".to_owned());
    }
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    // The parser's message has line, column and key.
    toml::from_str(&text).map_err(|error| error.to_string())
}

fn try_all(
    file: &Path,
    cases: Cases,
    toolbox: &Toolbox,
    config: &Config,
    tried: &mut Vec<Tried>,
) -> Result<(), String> {
    for case in cases.case {
        let wrong = |what: String| format!("case {:?}: {what}", case.name);
        let question = question(&case, &cases.defaults, config).map_err(wrong)?;
        let judged = judge(toolbox, &question);
        let as_expected = match case.expect {
            // A tool that is not there at all was renamed, or is misspelt here: that it is not
            // listed proves nothing.
            Expected::Hidden => !judged.listed && judged.effect != Judged::UNKNOWN,
            expected => judged.effect == expected.as_str(),
        };
        let by = case.by.clone().unwrap_or_default();
        let passed = as_expected && by.iter().all(|rule| judged.rules.contains(rule));
        let expected = match by.as_slice() {
            [] => case.expect.as_str().to_owned(),
            rules => format!("{} by {}", case.expect.as_str(), rules.join(", ")),
        };
        let file = file.display().to_string();
        tried.push(Tried { file, name: case.name, expected, passed, judged });
    }
    Ok(())
}

fn question(case: &Case, defaults: &Call, config: &Config) -> Result<Supposed, String> {
    let either = |own: &Option<String>, other: &Option<String>| own.clone().or(other.clone());
    let identity = match either(&case.identity, &defaults.identity) {
        Some(name) => Identity::new(name.as_str()).map_err(|error| format!("identity: {error}"))?,
        None => (*config.server.identity).clone(),
    };
    let transport = match either(&case.channel, &defaults.channel).as_deref() {
        None | Some("http") => Transport::Http,
        Some("stdio") => Transport::Stdio,
        Some("cli") => Transport::Cli,
        Some(_) => return Err("channel: expected \"http\", \"stdio\" or \"cli\"".to_owned()),
    };
    let now = match case.time.as_ref().or(defaults.time.as_ref()) {
        None => crate::store::system_clock(),
        Some(time) => instant(time)?,
    };
    let tool = either(&case.tool, &defaults.tool).ok_or("`tool` is missing")?;
    let claims = case.claims.as_ref().or(defaults.claims.as_ref());
    let claims = claims.into_iter().flatten().map(|(name, value)| {
        let claim = claim(value).ok_or_else(|| {
            format!("claims: `{name}` is no text, whole number, true or false, or list of texts")
        });
        Ok::<_, String>((name.clone(), claim?))
    });
    let facts = Facts { claims: claims.collect::<Result<_, _>>()?, ..Facts::default() };
    let caller = Caller {
        groups: case.groups.clone().or(defaults.groups.clone()).unwrap_or_default(),
        agent: either(&case.client, &defaults.client).map(|client| agent(&client)),
        facts: Arc::new(facts),
        ..Caller::new(identity, transport)
    };
    Ok(Supposed { caller, tool, arguments: arguments(&case.args)?, reason: None, now })
}

/// A client by its name and version.
pub(super) fn agent(client: &str) -> Agent {
    let (name, version) = client.rsplit_once('/').unwrap_or((client, ""));
    Agent { name: name.to_owned(), version: version.to_owned() }
}

/// A claim as a token has it.
pub(super) fn claim(value: &Value) -> Option<Claim> {
    match value {
        Value::String(text) => Some(Claim::Text(text.clone())),
        Value::Bool(flag) => Some(Claim::Flag(*flag)),
        Value::Number(number) => number.as_i64().map(Claim::Number),
        Value::Array(list) => {
            let texts = list.iter().map(|value| value.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map(Claim::Texts)
        }
        _ => None,
    }
}

/// A time with its offset, as TOML has it or as text.
fn instant(time: &toml::Value) -> Result<i64, String> {
    let text = match time {
        toml::Value::Datetime(time) => time.to_string(),
        toml::Value::String(text) => text.clone(),
        _ => String::new(),
    };
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| "time: expected a time with its offset: 2026-11-27T10:00:00+01:00")?;
    Ok(time.as_microsecond())
}

fn arguments(args: &Value) -> Result<Map<String, Value>, String> {
    let parsed = match args {
        Value::Null => return Ok(Map::new()),
        Value::String(text) => {
            serde_json::from_str(text).map_err(|error| format!("args: no JSON: {error}"))?
        }
        other => other.clone(),
    };
    match parsed {
        Value::Object(members) => Ok(members),
        _ => Err("args: expected a table, or a JSON object as text".to_owned()),
    }
}

fn actual(judged: &Judged) -> String {
    let rules = if judged.rules.is_empty() {
        String::new()
    } else {
        format!(" by {}", judged.rules.join(", "))
    };
    let hidden = if judged.listed { "" } else { ", and the tool is hidden" };
    format!("{}{rules}{hidden}", judged.effect)
}

fn to_text(tried: &Tried) -> String {
    let Tried { file, name, expected, passed, judged } = tried;
    let name = clean(name, 200);
    if *passed {
        return format!("ok    {file}: {name}\n");
    }
    let reason = judged.reason.as_deref().unwrap_or("-");
    format!(
        "FAIL  {file}: {name}\n  expected  {}\n  was       {}\n  reason    {}\n{}",
        clean(expected, 300),
        clean(&actual(judged), 300),
        clean(reason, 300),
        why::lines(&judged.considered)
    )
}

fn to_json(tried: &Tried) -> Value {
    json!({
        "file": tried.file,
        "name": tried.name,
        "passed": tried.passed,
        "expected": tried.expected,
        "actual": tried.judged,
    })
}
