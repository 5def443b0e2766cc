//! `tollbridge stop` and `resume`: the kill switch. It works without a server, and a
//! running one obeys it from its next commit on.

use std::path::Path;

use serde_json::json;

use super::Exit;
use super::context::{self, Access};
use crate::config;
use crate::gateway::{self, Secrets, scope_text};
use crate::store::{StopScope, Store};

/// Arguments of `stop` and `resume`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only calls of this API.
    #[arg(long, conflicts_with_all = ["tool", "identity"])]
    api: Option<String>,
    /// Only calls of this tool.
    #[arg(long, conflicts_with = "identity")]
    tool: Option<String>,
    /// Only calls of this identity.
    #[arg(long)]
    identity: Option<String>,
    /// The store, where the configuration cannot be read: `sqlite:FILE`.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Print what is stopped now as JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    fn scope(&self) -> StopScope {
        match (&self.api, &self.tool, &self.identity) {
            (Some(api), _, _) => StopScope::Api(api.clone()),
            (_, Some(tool), _) => StopScope::Tool(tool.clone()),
            (_, _, Some(identity)) => StopScope::Identity(identity.clone()),
            _ => StopScope::All,
        }
    }
}

pub(super) async fn stop(args: Args, config: &Path) -> Exit {
    turn(args, config, Turn::Off).await.unwrap_or_else(|exit| exit)
}

pub(super) async fn resume(args: Args, config: &Path) -> Exit {
    turn(args, config, Turn::On).await.unwrap_or_else(|exit| exit)
}

/// Which way the calls are switched.
#[derive(Clone, Copy)]
enum Turn {
    Off,
    On,
}

async fn turn(args: Args, config: &Path, turn: Turn) -> Result<Exit, Exit> {
    let store = context::operators_store(config, args.store.as_deref(), Access::Write).await?;
    let by = context::operator();
    let scope = args.scope();
    let done = match turn {
        Turn::Off => gateway::stop(&store, scope.clone(), &by).await,
        Turn::On => gateway::resume(&store, scope.clone(), &by).await,
    };
    if let Err(error) = done {
        eprintln!("error: {error}");
        return Err(Exit::Failed);
    }
    if let (Turn::Off, Some(unknown)) = (turn, unknown(&scope, config)) {
        eprintln!("warning: {unknown}");
    }
    let shown = show(&args, &store, &scope, turn).await;
    store.close().await;
    shown
}

/// What looks misspelled. The switch is turned all the same: the configuration may be about
/// to change, or be wrong.
fn unknown(scope: &StopScope, path: &Path) -> Option<String> {
    let (config, _) = config::load(path).ok()?;
    match scope {
        StopScope::Api(name) if config.apis.iter().all(|(api, _)| api.as_str() != name) => {
            Some(format!("{} has no API `{name}`", path.display()))
        }
        StopScope::Tool(name) => {
            let loaded = gateway::load(path, Secrets::Verify).ok()?;
            let tools = loaded.toolbox.all();
            tools
                .iter()
                .all(|exposed| exposed.tool.name.as_str() != name)
                .then(|| format!("{} has no tool `{name}`", path.display()))
        }
        _ => None,
    }
}

async fn show(args: &Args, store: &Store, scope: &StopScope, turn: Turn) -> Result<Exit, Exit> {
    let stopped: Vec<String> = gateway::switches(store)
        .await
        .map_err(|error| context::failed(&error))?
        .iter()
        .map(scope_text)
        .collect();
    if args.json {
        super::print_json(&json!({"stopped": stopped}));
        return Ok(Exit::Done);
    }
    match turn {
        Turn::Off => eprintln!("stopped {}", scope_text(scope)),
        Turn::On => eprintln!("resumed {}", scope_text(scope)),
    }
    if stopped.is_empty() {
        eprintln!("nothing is stopped now");
    } else {
        eprintln!("stopped now: {}", stopped.join(", "));
    }
    Ok(Exit::Done)
}
