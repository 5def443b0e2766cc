//! `tollbridge approve`: a person decides on held calls.

use std::fmt::Write as _;
use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Exit;
use super::context::{self, Access};
use crate::audit::Time;
use crate::gateway::{self, OperateError};
use crate::store::{HoldRow, Store};

/// Arguments of `approve`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
    /// The held call to approve: `approve ID` is `approve yes ID`.
    id: Option<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Clone, Default, clap::Args)]
struct Options {
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who decides; by default `operator:USER`.
    #[arg(long = "as", value_name = "IDENTITY")]
    by: Option<String>,
    /// The store, where the configuration cannot be read: `sqlite:FILE`.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List the calls that wait.
    Ls(Options),
    /// Show one.
    Show {
        /// Which one.
        id: String,
        #[command(flatten)]
        options: Options,
    },
    /// Let its repeat through, once.
    Yes {
        /// Which one.
        id: String,
        #[command(flatten)]
        options: Options,
    },
    /// Refuse it.
    No {
        /// Which one.
        id: String,
        #[command(flatten)]
        options: Options,
    },
}

pub(super) async fn run(args: Args, config: &Path) -> Exit {
    let act = match (args.act, args.id) {
        (Some(act), _) => act,
        (None, Some(id)) => Act::Yes { id, options: args.options },
        (None, None) => Act::Ls(args.options),
    };
    let (access, options) = match &act {
        Act::Ls(options) | Act::Show { options, .. } => (Access::Read, options.clone()),
        Act::Yes { options, .. } | Act::No { options, .. } => (Access::Write, options.clone()),
    };
    let store = match context::operators_store(config, options.store.as_deref(), access).await {
        Ok(store) => store,
        Err(exit) => return exit,
    };
    let done = carry_out(act, &options, &store).await;
    store.close().await;
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                OperateError::NoSuchHold(_) => Exit::Usage,
                _ => Exit::Failed,
            }
        }
    }
}

async fn carry_out(act: Act, options: &Options, store: &Store) -> Result<(), OperateError> {
    let by = options.by.clone().unwrap_or_else(context::operator);
    match act {
        Act::Ls(_) => {
            let rows = gateway::held(store).await?;
            if options.json {
                super::print_json(&json!({"holds": rows.iter().map(form).collect::<Vec<_>>()}));
            } else if rows.is_empty() {
                eprintln!("no call waits for approval");
            } else {
                for row in &rows {
                    super::print(&format!(
                        "{}  {}  {}  {}  until {}\n",
                        row.id,
                        super::clean(&row.identity, 40),
                        row.tool,
                        super::clean(&row.arguments, 400),
                        Time(row.expires)
                    ));
                }
                context::next(&format!("tollbridge approve {}", rows[0].id));
            }
        }
        Act::Show { id, .. } => {
            let row = store.hold(&id).await?.ok_or(OperateError::NoSuchHold(id))?;
            if options.json {
                super::print_json(&form(&row));
            } else {
                super::print(&story(&row));
            }
        }
        Act::Yes { id, .. } => {
            let row = gateway::approve(store, &id, &by, options.reason.clone()).await?;
            tell(options, store, &row).await?;
            eprintln!(
                "approved {id}: the next identical call of `{}` by `{}` goes on, once",
                row.tool, row.identity
            );
        }
        Act::No { id, .. } => {
            let row = gateway::reject(store, &id, &by, options.reason.clone()).await?;
            tell(options, store, &row).await?;
            eprintln!("rejected {id}");
        }
    }
    Ok(())
}

async fn tell(options: &Options, store: &Store, row: &HoldRow) -> Result<(), OperateError> {
    if options.json
        && let Some(row) = store.hold(&row.id).await?
    {
        super::print_json(&form(&row));
    }
    Ok(())
}

fn form(row: &HoldRow) -> Value {
    json!({
        "id": row.id,
        "call": row.call,
        "identity": row.identity,
        "tool": row.tool,
        "arguments": serde_json::from_str::<Value>(&row.arguments).unwrap_or(Value::Null),
        "rule": row.rule,
        "price": row.price,
        "placed": Time(row.placed),
        "expires": Time(row.expires),
        "state": row.state,
        "decided_by": row.decided_by,
        "decided": row.decided.map(Time),
        "reason": row.reason,
    })
}

fn story(row: &HoldRow) -> String {
    let mut text = format!(
        "{}\n  who        {}\n  tool       {}\n  arguments  {}\n  rule       {}\n  placed     {}\n  expires    {}\n",
        row.id,
        super::clean(&row.identity, 256),
        row.tool,
        // Whole: a person must not approve what they could not see.
        super::clean(&row.arguments, usize::MAX - 1),
        row.rule,
        Time(row.placed),
        Time(row.expires),
    );
    if let Some(price) = &row.price {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  price      {price}");
    }
    if let Some(by) = &row.decided_by {
        let reason = row.reason.as_deref().unwrap_or("no reason given");
        let _ = writeln!(text, "  decided    {} by {by}: {reason}", row.state.as_str());
    }
    text
}
