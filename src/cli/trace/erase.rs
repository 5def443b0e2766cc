//! `tollbridge trace erase`.

use std::path::Path;

use serde_json::json;

use super::{Exit, Options};
use crate::audit::{self, AuditError};
use crate::cli::{context, keeping, print_json};
use crate::store::{Store, StoreError, Whose};

/// Arguments of `trace erase`.
#[derive(Debug, clap::Args)]
#[group(id = "whose", required = true, multiple = false, args = ["id", "caller"])]
pub(super) struct Erase {
    /// The call: its id, or the beginning of it.
    id: Option<String>,
    /// Of all calls of this identity that have ended.
    #[arg(long, value_name = "I")]
    caller: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

pub(super) async fn erase(store: &Store, args: &Erase, config: &Path) -> Result<Exit, StoreError> {
    let Some(file) = store.file() else {
        eprintln!("error: a store in memory has nothing to erase");
        return Ok(Exit::Usage);
    };
    let whose = match (&args.id, &args.caller) {
        (_, Some(identity)) => Whose::Identity(identity.clone()),
        (id, None) => match audit::call(store, id.as_deref().unwrap_or_default()).await {
            Ok(Some(call)) if call.outcome.is_none() => {
                eprintln!("error: the call {} has not ended", call.id);
                return Ok(Exit::Failed);
            }
            Ok(Some(call)) => Whose::Call(call.id),
            Ok(None) => {
                eprintln!("error: there is no such call in the trail");
                return Ok(Exit::Failed);
            }
            Err(AuditError::Store(error)) => return Err(error),
            Err(error @ (AuditError::Ambiguous { .. } | AuditError::TooShort { .. })) => {
                eprintln!("error: {error}");
                return Ok(Exit::Usage);
            }
        },
    };
    let erased = match keeping::operators_signer(config, file) {
        Ok(signer) => audit::erase(store, &signer, &whose, &context::operator())
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    match erased {
        Ok(erased) => {
            if args.options.json {
                print_json(&json!({"erased": erased}));
            } else {
                eprintln!("erased the payloads of {erased} events");
            }
            Ok(Exit::Done)
        }
        Err(error) => {
            eprintln!("error: {error}");
            Ok(Exit::Failed)
        }
    }
}
