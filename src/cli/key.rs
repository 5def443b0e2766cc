//! `tollbridge key`: inbound API keys. A key is printed once, when it is made; the store
//! keeps its hash.

use clap::Subcommand;
use serde_json::json;
use std::path::Path;
use tollbridge_operation::Identity;

use super::Exit;
use super::context::{self, Access};
use crate::audit::Time;
use crate::config::Period;
use crate::gateway::{self, OperateError};
use crate::identity::NewKey;
use crate::store::Store;

/// Arguments of `key`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// The store, where the configuration cannot be read: `sqlite:FILE`.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make a key for an identity and print it, once.
    New {
        /// Whom it stands for.
        identity: Identity,
        /// When it ends: `30d`, `12h`.
        #[arg(long)]
        expires: Option<Period>,
        /// For deciding on held calls at `/approvals`, and for nothing else.
        #[arg(long)]
        approver: bool,
        #[command(flatten)]
        options: Options,
    },
    /// List the keys. The keys themselves are not kept.
    Ls(Options),
    /// Refuse a key from now on.
    Revoke {
        /// The key's id.
        id: String,
        #[command(flatten)]
        options: Options,
    },
}

pub(super) async fn run(args: Args, config: &Path) -> Exit {
    let (options, access) = match &args.act {
        Act::New { options, .. } | Act::Revoke { options, .. } => (options.clone(), Access::Write),
        Act::Ls(options) => (options.clone(), Access::Read),
    };
    let store = match context::operators_store(config, options.store.as_deref(), access).await {
        Ok(store) => store,
        Err(exit) => return exit,
    };
    let done = carry_out(args.act, options.json, &store).await;
    store.close().await;
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Failed
        }
    }
}

async fn carry_out(act: Act, json: bool, store: &Store) -> Result<(), OperateError> {
    let by = context::operator();
    match act {
        Act::New { identity, expires, approver, .. } => {
            let now = store.now();
            let ends = expires.map(|after| {
                now.saturating_add(i64::try_from(after.0.as_micros()).unwrap_or(i64::MAX))
            });
            let key = NewKey::generate(&identity, ends, now)?;
            let key = if approver { key.for_approvals() } else { key };
            let (id, text) = (key.row.id.clone(), key.key.expose().to_owned());
            gateway::add_key(store, key.row, &by).await?;
            if json {
                let mut made = json!({
                    "id": id,
                    "key": text,
                    "identity": identity.as_str(),
                    "expires": ends.map(Time),
                });
                if approver {
                    made["approver"] = true.into();
                }
                super::print_json(&made);
            } else {
                super::print(&format!("{text}\n"));
                eprintln!("key {id} for `{identity}`; it is not shown again");
            }
        }
        Act::Ls(_) => {
            let keys = store.keys().await?;
            if json {
                let rows: Vec<_> = keys
                    .iter()
                    .map(|key| {
                        json!({
                            "id": key.id,
                            "identity": key.identity,
                            "created": Time(key.created),
                            "expires": key.expires.map(Time),
                            "revoked": key.revoked.map(Time),
                            "approver": key.approver,
                        })
                    })
                    .collect();
                super::print_json(&json!({"keys": rows}));
                return Ok(());
            }
            let now = store.now();
            for key in &keys {
                let state = match (key.revoked, key.expires) {
                    (Some(at), _) => format!("revoked {}", Time(at)),
                    (None, Some(at)) if at <= now => format!("expired {}", Time(at)),
                    (None, Some(at)) => format!("until {}", Time(at)),
                    (None, None) => "without end".to_owned(),
                };
                let kind = if key.approver { "  approver" } else { "" };
                super::print(&format!("{}  {}  {state}{kind}\n", key.id, key.identity));
            }
            if keys.is_empty() {
                eprintln!("no keys; `tollbridge key new IDENTITY` makes one");
            }
        }
        Act::Revoke { id, .. } => {
            gateway::revoke_key(store, &id, &by).await?;
            if json {
                super::print_json(&json!({"id": id, "revoked": true}));
            } else {
                eprintln!("revoked {id}");
            }
        }
    }
    Ok(())
}
