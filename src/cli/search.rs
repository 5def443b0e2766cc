//! `tollbridge search` and `tollbridge describe`: what an agent finds by discovery.
//!
//! They look at the configuration alone: nothing is called, and nothing recorded.

use std::path::Path;

use serde_json::{Value, json};

use super::as_whom::AsWhom;
use super::{Exit, clean, context};
use crate::gateway::{Loaded, Secrets, View};

/// Arguments of `search`.
#[derive(Debug, clap::Args)]
pub(super) struct SearchArgs {
    /// What is to be done, in words, with filters among them: `api:NAME`, `effect:read`,
    /// `method:GET`. Without any: which APIs there are.
    words: Vec<String>,
    /// How many results, at most 25.
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    whom: AsWhom,
}

/// Arguments of `describe`.
#[derive(Debug, clap::Args)]
pub(super) struct DescribeArgs {
    /// Ids of operations, as `search` prints them.
    #[arg(required = true, value_name = "OP")]
    operations: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    whom: AsWhom,
}

pub(super) fn search(args: &SearchArgs, config: &Path) -> Exit {
    with_view(&args.whom, config, |view| {
        let query = args.words.join(" ");
        if query.trim().is_empty() {
            return apis(args, view);
        }
        let found = view.search(&query, args.limit);
        if args.json {
            let matched = found.matched;
            super::print_json(&json!({ "results": found.hits, "matched": matched }));
        } else {
            lines(&found.text);
        }
        Exit::Done
    })
}

fn apis(args: &SearchArgs, view: &View<'_>) -> Exit {
    if args.json {
        let one = |api: tollbridge_discovery::ApiShown| json!({"name": api.name, "title": &*api.title, "operations": api.operations});
        let all: Vec<Value> = view.all_apis().map(one).collect();
        super::print_json(&json!({ "apis": all }));
    } else {
        lines(&view.apis().text);
    }
    Exit::Done
}

pub(super) fn describe(args: &DescribeArgs, config: &Path) -> Exit {
    with_view(&args.whom, config, |view| {
        let mut exit = Exit::Done;
        let mut all = Vec::new();
        for id in &args.operations {
            match view.describe(id) {
                Some(text) => all.push((id, text)),
                None => {
                    eprintln!("error: there is no operation `{}`", clean(id, 200));
                    eprintln!("  help: `tollbridge search WORDS` finds those that there are");
                    exit = Exit::Denied;
                }
            }
        }
        if args.json {
            let one = |(id, text): (&String, String)| json!({ "id": id, "text": text });
            let all: Vec<Value> = all.into_iter().map(one).collect();
            super::print_json(&json!({ "operations": all }));
        } else {
            let texts: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
            lines(&texts.join("\n\n"));
        }
        exit
    })
}

/// Looks through the eyes of a caller. Who may find nothing is told why.
fn with_view(whom: &AsWhom, config: &Path, look: impl FnOnce(&View<'_>) -> Exit) -> Exit {
    let loaded = match context::load(config, Secrets::Verify) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let Loaded { config, toolbox, .. } = &loaded;
    let caller = whom.caller(config);
    match toolbox.view(&caller) {
        Some(view) => look(&view),
        None if !config.server.discovery => {
            eprintln!("error: discovery is off");
            eprintln!("  help: set discovery = true in [server], and `discover` of an API");
            Exit::Usage
        }
        None => {
            eprintln!("error: `{}` may find nothing", caller.identity);
            eprintln!("  help: `discover` of an API says who may find its operations");
            Exit::Denied
        }
    }
}

/// Prints what strangers wrote, line by line.
fn lines(text: &str) {
    let all: Vec<String> = text.lines().map(|line| clean(line, 20_000)).collect();
    super::print(&format!("{}\n", all.join("\n")));
}
