//! `tollbridge approve`: a person decides on held calls.

use std::fmt::Write as _;
use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};

use super::context::{self, Access};
use super::{Exit, call};
use crate::audit::Time;
use crate::gateway::{self, Approver, OperateError, Secrets, Toolbox};
use crate::safety::edit::{self, Edit};
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
    /// Let its repeat through, once, with other arguments.
    Edit {
        /// Which one.
        id: String,
        /// Changes: `key=value` is read by the tool's schema, `key:=json` is JSON. A key is an
        /// argument's name, or a JSON pointer: `/body/amount:=5`.
        #[arg(value_name = "KEY=VALUE")]
        changes: Vec<String>,
        /// All arguments as one JSON object, or `-` for standard input.
        #[arg(long, value_name = "JSON", conflicts_with_all = ["changes", "without"])]
        args: Option<String>,
        /// An argument to leave out: its name, or a JSON pointer.
        #[arg(long, value_name = "KEY")]
        without: Vec<String>,
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
        Act::Yes { options, .. } | Act::No { options, .. } | Act::Edit { options, .. } => {
            (Access::Write, options.clone())
        }
    };
    // Changed arguments are judged by the rules as they are now. No program is run for a secret that is
    // only to be kept out of a sentence.
    let toolbox = match &act {
        Act::Edit { .. } => match context::load(config, Secrets::AtHand) {
            Ok(loaded) => Some(loaded.toolbox),
            Err(exit) => return exit,
        },
        // So is what they say, as far as the rules can be read.
        Act::Yes { .. } | Act::No { .. } if options.reason.is_some() => {
            gateway::load(config, Secrets::AtHand).ok().map(|loaded| loaded.toolbox)
        }
        _ => None,
    };
    let store = match context::operators_store(config, options.store.as_deref(), access).await {
        Ok(store) => store,
        Err(exit) => return exit,
    };
    let done = carry_out(act, &options, &store, toolbox.as_ref()).await;
    store.close().await;
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                OperateError::NoSuchHold(_)
                | OperateError::Edit { .. }
                | OperateError::AsClient(_) => Exit::Usage,
                OperateError::OwnCall { .. }
                | OperateError::AtTheClient(_)
                | OperateError::EditDenied { .. } => Exit::Denied,
                _ => Exit::Failed,
            }
        }
    }
}

async fn carry_out(
    act: Act,
    options: &Options,
    store: &Store,
    toolbox: Option<&Toolbox>,
) -> Result<(), OperateError> {
    let user = context::operator();
    let name = options.by.clone().unwrap_or_else(|| user.clone());
    let account = context::account().unwrap_or_else(|| user.clone());
    let mut by = Approver::acting(&name, &account).called(&user);
    if let Some(toolbox) = toolbox {
        by = by.under(toolbox);
    }
    match act {
        Act::Ls(_) => {
            let rows = gateway::held(store).await?;
            if options.json {
                super::print_json(
                    &json!({"holds": rows.iter().map(gateway::hold_json).collect::<Vec<_>>()}),
                );
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
                super::print_json(&gateway::hold_json(&row));
            } else {
                super::print(&story(&row));
            }
        }
        Act::Yes { id, .. } => {
            let row = gateway::approve(store, &id, by, options.reason.clone()).await?;
            tell(options, store, &row).await?;
            eprintln!(
                "approved {id}: the next identical call of `{}` by `{}` goes on, once",
                row.tool, row.identity
            );
        }
        Act::No { id, .. } => {
            let row = gateway::reject(store, &id, by, options.reason.clone()).await?;
            tell(options, store, &row).await?;
            eprintln!("rejected {id}");
        }
        Act::Edit { id, changes, args, without, .. } => {
            let found = store.hold(&id).await?;
            let row = found.ok_or_else(|| OperateError::NoSuchHold(id.clone()))?;
            let Some(toolbox) = toolbox else { return Err(OperateError::NoSuchHold(id)) };
            let wrong = |why| OperateError::Edit { id: id.clone(), why };
            let edits = edits(&row, toolbox, &changes, args.as_deref(), &without).map_err(wrong)?;
            let reason = options.reason.clone();
            let row = gateway::edit(store, toolbox, &id, &edits, by, reason).await?;
            tell(options, store, &row).await?;
            eprintln!(
                "approved {id} with changes: the next identical call of `{}` by `{}` is made with \
                 them, once, and says so",
                row.tool, row.identity
            );
        }
    }
    Ok(())
}

/// What the command line changes in a held call's arguments.
fn edits(
    row: &HoldRow,
    toolbox: &Toolbox,
    changes: &[String],
    args: Option<&str>,
    without: &[String],
) -> Result<Vec<Edit>, String> {
    if let Some(args) = args {
        return Ok(edit::between(&gateway::given(row), &call::object_argument(args)?));
    }
    let tool = toolbox.all().iter().find(|exposed| exposed.tool.name.as_str() == row.tool);
    let schema = tool.map(|exposed| Value::Object(exposed.tool.input.to_map()));
    let place = |key: &str| {
        if key.starts_with('/') {
            key.to_owned()
        } else {
            format!("/{}", key.replace('~', "~0").replace('/', "~1"))
        }
    };
    let set = changes.iter().map(|pair| {
        let (key, value) = call::argument(pair, schema.as_ref())?;
        Ok(Edit { at: place(&key), value: Some(value) })
    });
    let left_out = without.iter().map(|key| Ok(Edit { at: place(key), value: None }));
    set.chain(left_out).collect()
}

async fn tell(options: &Options, store: &Store, row: &HoldRow) -> Result<(), OperateError> {
    if options.json
        && let Some(row) = store.hold(&row.id).await?
    {
        super::print_json(&gateway::hold_json(&row));
    }
    Ok(())
}

fn story(row: &HoldRow) -> String {
    let mut text = format!(
        "{}\n  who        {}\n  tool       {}\n  request    {}\n  arguments  {}\n  rule       {}\n  placed     {}\n  expires    {}\n",
        row.id,
        super::clean(&row.identity, 256),
        row.tool,
        super::clean(&row.target, 4_000),
        // Whole: a person must not approve what they could not see.
        super::clean(&row.arguments, usize::MAX - 1),
        row.rule,
        Time(row.placed),
        Time(row.expires),
    );
    if row.given != row.arguments && !row.given.is_empty() {
        let given = super::clean(&row.given, usize::MAX - 1);
        let _ = writeln!(text, "  as given   {given}");
    }
    if let Some(stated) = &row.stated {
        let _ = writeln!(text, "  why        {}", super::clean(stated, 4_000));
    }
    if let Some(barred) = &row.barred {
        let _ = writeln!(text, "  four eyes  not by any of {}", super::clean(barred, 400));
    }
    if let Some(price) = &row.price {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  price      {price}");
    }
    if let Some(by) = &row.decided_by {
        // Who answers at an agent's client may be the agent.
        let (by, reason) = (super::clean(by, 300), row.reason.as_deref());
        let reason = super::clean(reason.unwrap_or("no reason given"), 4_000);
        let ran = row.decided_user.as_ref().map(|user| format!(" (run by {user})"));
        let ran = ran.unwrap_or_default();
        let _ = writeln!(text, "  decided    {} by {by}{ran}: {reason}", row.state.as_str());
    }
    if let Some(edits) = gateway::edits_shown(row) {
        let edits = super::clean(&edits.to_string(), usize::MAX - 1);
        let _ = writeln!(text, "  changed    {edits}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::HoldState;

    #[test]
    fn what_a_client_answers_does_nothing_to_an_operators_terminal() {
        let row = HoldRow {
            state: HoldState::Approved,
            decided_by: Some("client:bot\u{202e}".to_owned()),
            decided_user: Some("operator:root".to_owned()),
            reason: Some("fine\u{1b}[2J\nrule  none".to_owned()),
            ..HoldRow::default()
        };
        let told = story(&row);
        let line = told.lines().find(|line| line.contains("decided")).expect("a line");
        let expected = "approved by client:bot· (run by operator:root): fine·[2J·rule  none";
        assert_eq!(line.trim_start_matches("  decided    "), expected);
    }
}
