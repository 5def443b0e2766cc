//! `tollbridge check`: validates configuration and descriptions, offline.

mod logins;

use std::path::Path;

use serde_json::json;

use super::{Exit, context};
use crate::config::{self, Config, Diagnostics};
use crate::gateway::{Compiled, Secrets, compile};
use crate::tools::TOKENIZER;

/// Clients slow down, or drop tools, above so many.
const MANY_TOOLS: usize = 40;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, path: &Path) -> Exit {
    let (diagnostics, compiled) = match check(path) {
        Ok((mut diagnostics, config, compiled)) => {
            logins::check(&config, &compiled.toolbox, &mut diagnostics).await;
            (diagnostics, Some(compiled))
        }
        Err(diagnostics) => (diagnostics, None),
    };
    let tools = compiled.as_ref().map_or(&[][..], |compiled| compiled.toolbox.exposed());
    let tokens: u32 = tools.iter().map(|exposed| exposed.tool.tokens()).sum();
    let exit = if compiled.is_some() { Exit::Done } else { Exit::Usage };
    if args.json {
        let mut report = diagnostics.to_json();
        report["ok"] = compiled.is_some().into();
        report["tools"] = tools.len().into();
        report["tokens"] = tokens.into();
        report["tokenizer"] = TOKENIZER.into();
        report["apis"] = compiled
            .iter()
            .flat_map(|compiled| compiled.catalog.apis())
            .map(|(name, api)| {
                json!({
                    "name": name.as_str(),
                    "format": api.format,
                    "operations": api.operations.len(),
                    "skipped": api.skipped.len(),
                })
            })
            .collect();
        super::print_json(&report);
        return exit;
    }
    context::report(&diagnostics);
    let Some(compiled) = &compiled else { return exit };
    for (name, api) in compiled.catalog.apis() {
        super::print(&format!(
            "{name}: {} ({}), {} operations, {} skipped\n",
            api.title,
            api.format,
            api.operations.len() + api.skipped.len(),
            api.skipped.len()
        ));
    }
    super::print(&format!(
        "{} tools, {tokens} tokens in the tool list ({TOKENIZER})\n",
        tools.len()
    ));
    context::next("tollbridge tools");
    exit
}

fn check(path: &Path) -> Result<(Diagnostics, Config, Compiled), Diagnostics> {
    let (config, mut warnings) = config::load(path)?;
    let mut compiled = compile(&config, Secrets::Verify)?;
    warnings.extend(std::mem::take(&mut compiled.warnings));
    // What a server leaves for the first call of each tool, and of what may be found.
    for exposed in compiled.toolbox.all() {
        if let Err(reason) = exposed.tool.prepare() {
            let message =
                format!("`{}`: its arguments cannot be judged: {reason}", exposed.tool.name);
            warnings.push(config::Diagnostic::error(
                config::codes::ARGUMENT_RULE,
                &config.file,
                message,
            ));
        }
    }
    if warnings.has_errors() {
        return Err(warnings);
    }
    let tools = compiled.toolbox.exposed().len();
    if tools > MANY_TOOLS {
        warnings.push(config::Diagnostic::warning(
            config::codes::MANY_TOOLS,
            &config.file,
            format!("{tools} tools are more than the {MANY_TOOLS} that clients handle well"),
        ));
    }
    Ok((warnings, config, compiled))
}
