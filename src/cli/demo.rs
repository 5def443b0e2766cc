//! `tollbridge demo`: the scripted day on loopback.

use std::time::Instant;

use serde_json::json;

use super::Exit;
use crate::demo::{self, DemoError, Line, Stage};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Leave it serving afterwards, until interrupted.
    #[arg(long)]
    stay: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "stay")]
    json: bool,
}

pub(super) async fn run(args: Args) -> Exit {
    match show(&args).await {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Failed
        }
    }
}

async fn show(args: &Args) -> Result<(), DemoError> {
    let started = Instant::now();
    let stage = Stage::set().await?;
    let mut lines = Vec::new();
    let json = args.json;
    let done = demo::run(&stage, &mut |line| {
        if json {
            lines.push(line);
        } else {
            super::print(&text(&line));
        }
    })
    .await;
    if done.is_ok() {
        if json {
            super::print_json(&report(&lines));
        } else {
            super::print(&format!(
                "\nAll of it really happened, in {:.1} s, on loopback.\n",
                started.elapsed().as_secs_f64()
            ));
        }
    }
    if args.stay && done.is_ok() {
        stay(&stage).await?;
    }
    stage.strike().await;
    done
}

async fn stay(stage: &Stage) -> Result<(), DemoError> {
    let key = stage.key("support-bot").await?;
    super::print(&format!(
        "\nServing until interrupted:\n  MCP            {}\n  as support-bot Authorization: Bearer {key}\n  the orders API {}\n  the warehouse  {}\n  configuration  {}, with the secrets beside it\n",
        stage.url,
        stage.orders.base_url,
        stage.warehouse.url,
        stage.folder().join("tools.toml").display(),
    ));
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}

fn text(line: &Line) -> String {
    match line {
        Line::Part(text) => format!("\n{text}\n"),
        Line::Does(text) => format!("  > {text}\n"),
        Line::Gets(text) => format!("    {text}\n"),
        Line::Row(text) => format!("  {text}\n"),
    }
}

fn report(lines: &[Line]) -> serde_json::Value {
    let steps: Vec<_> = lines
        .iter()
        .map(|line| match line {
            Line::Part(text) => json!({"part": text}),
            Line::Does(text) => json!({"does": text}),
            Line::Gets(text) => json!({"gets": text}),
            Line::Row(text) => json!({"row": text}),
        })
        .collect();
    json!({"steps": steps})
}
