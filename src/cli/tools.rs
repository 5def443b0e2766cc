//! `tollbridge tools`: what an agent sees.

use std::path::Path;

use serde_json::{Value, json};

use super::as_whom::AsWhom;
use super::{Exit, context};
use crate::gateway::Secrets;
use crate::tools::TOKENIZER;

/// Arguments of `tools`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    whom: AsWhom,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, config: &Path) -> Exit {
    let loaded = match context::load(config, Secrets::Verify) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let caller = args.whom.caller(&loaded.config);
    let identity = &caller.identity;
    let profile = loaded.config.server.schemas;
    let offer = loaded.toolbox.offer(identity, &loaded.toolbox.groups_of(&caller));
    if args.json {
        let tools: Vec<Value> = offer
            .tools
            .iter()
            .map(|tool| {
                let mut listing = tool.view();
                listing["tokens"] = tool.tokens().into();
                listing
            })
            .collect();
        super::print_json(
            &json!({"tools": tools, "tokenizer": TOKENIZER, "schemas": profile.as_str()}),
        );
        return Exit::Done;
    }
    let width = offer.tools.iter().map(|tool| tool.name.as_str().len()).max().unwrap_or(0);
    let mut total = 0;
    for tool in &offer.tools {
        total += tool.tokens();
        let title = &tool.title;
        super::print(&format!("{:width$}  {:>6} tokens  {title}\n", tool.name, tool.tokens()));
    }
    eprintln!(
        "{} tools for `{identity}`, {total} tokens ({TOKENIZER}), {} schemas",
        offer.tools.len(),
        profile.as_str()
    );
    Exit::Done
}
