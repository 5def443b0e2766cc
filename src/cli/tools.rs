//! `tollbridge tools`: what an agent sees.

use std::path::Path;

use serde_json::{Value, json};

use super::as_whom::AsWhom;
use super::{Exit, context};
use crate::gateway::{Offer, Secrets};
use crate::tools::{TOKENIZER, Tool, tokens};

/// Arguments of `tools`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    whom: AsWhom,
    /// Tell what the tools' descriptions and schemas cost apart, and what all operations that may be
    /// found would cost as tools.
    #[arg(long)]
    tokens: bool,
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
    let offer = loaded.toolbox.offer(&caller);
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
    if args.tokens {
        parts(&offer);
    }
    eprintln!(
        "{} tools for `{identity}`, {total} tokens ({TOKENIZER}), {} schemas",
        offer.tools.len(),
        profile.as_str()
    );
    if args.tokens
        && let Some(view) = loaded.toolbox.view(&caller)
    {
        let all = view.tools().map(Tool::tokens);
        let (count, cost) = all.fold((0_u32, 0_u64), |(n, sum), one| (n + 1, sum + u64::from(one)));
        eprintln!("{count} operations may be found; listed as tools they would cost {cost} tokens");
    }
    Exit::Done
}

/// What each tool's parts cost.
fn parts(offer: &Offer) {
    let count = |value: Option<&Value>| value.map_or(0, |value| tokens::count(&value.to_string()));
    for tool in &offer.tools {
        let view = tool.view();
        super::print(&format!(
            "{}: description {}, arguments {}, answer {}\n",
            tool.name,
            count(view.get("description")),
            count(view.get("inputSchema")),
            count(view.get("outputSchema"))
        ));
    }
}
