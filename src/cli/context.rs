//! What commands share: the configuration loaded, the store opened, errors printed.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use super::{Exit, keeping};
use crate::config::{self, Config, Diagnostics, Style};
use crate::gateway::{self, Gateway, Loaded, Secrets};
use crate::observe::Metrics;
use crate::store::{Durability, Store, StoreError};

/// Prints diagnostics for people.
pub(super) fn report(diagnostics: &Diagnostics) {
    eprint!("{}", diagnostics.render(Style::of_stderr()));
}

/// Loads the configuration and compiles its toolbox; warnings are printed, errors end it.
pub(super) fn load(path: &Path, secrets: Secrets) -> Result<Loaded, Exit> {
    match gateway::load(path, secrets) {
        Ok(loaded) => {
            report(&loaded.warnings);
            Ok(loaded)
        }
        Err(diagnostics) => {
            report(&diagnostics);
            Err(Exit::Usage)
        }
    }
}

/// Opens the store that the configuration names, for reading and writing.
pub(super) async fn open_store(config: &Config) -> Result<Store, Exit> {
    Store::open(&config.store_url(), gateway::durability(config))
        .await
        .map_err(|error| failed(&error))
}

/// A gateway on the configuration's store.
pub(super) async fn gateway(loaded: Loaded) -> Result<(Gateway, Config), Exit> {
    let store = open_store(&loaded.config).await?;
    if let Err(error) = crate::audit::close_orphans(&store).await {
        store.close().await;
        eprintln!("error: {error}");
        return Err(Exit::Failed);
    }
    let keeper = match keeping::keeper(&loaded.config, &store) {
        Ok(keeper) => keeper,
        Err(error) => {
            store.close().await;
            eprintln!("error: {error}");
            return Err(Exit::Failed);
        }
    };
    let gateway = Gateway::new(store, loaded.toolbox, Arc::new(Metrics::new()));
    if let Some(keeper) = keeper {
        gateway.keep_trail(keeper);
    }
    gateway.remember().await;
    Ok((gateway, loaded.config))
}

/// The store for operators' commands. They must work while the rest of the configuration
/// does not: only `[audit]` is read, or nothing where `--store` names it.
pub(super) async fn operators_store(
    path: &Path,
    named: Option<&str>,
    access: Access,
) -> Result<Store, Exit> {
    let url = match named {
        Some(url) => url.to_owned(),
        None => config::store_url(path).map_err(|diagnostics| {
            report(&diagnostics);
            eprintln!("help: name the store itself with --store sqlite:FILE");
            Exit::Usage
        })?,
    };
    let store = match access {
        Access::Read => Store::open_read_only(&url).await,
        Access::Write => Store::open(&url, Durability::Full).await,
    };
    store.map_err(|error| failed(&error))
}

/// What a command does with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Prints an error of the store.
pub(super) fn failed(error: &StoreError) -> Exit {
    eprintln!("error: {error}");
    Exit::Failed
}

/// Who acts at the command line: `operator:USER`, or whose account it is where no variable says
/// (as in containers and in jobs that are run by time).
pub(super) fn operator() -> String {
    let named = |name| std::env::var(name).ok().filter(|user| !user.is_empty());
    match named("USER").or_else(|| named("LOGNAME")) {
        Some(user) => format!("operator:{user}"),
        None => account().unwrap_or_else(|| "operator:unknown".to_owned()),
    }
}

/// The account that this process runs for, in the same words: what no variable of the environment
/// can change. `None` where the system's list of users does not have it.
pub(super) fn account() -> Option<String> {
    #[cfg(unix)]
    {
        let uid = rustix::process::getuid().as_raw().to_string();
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        // name:password:uid:… (passwd(5))
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| !name.is_empty())?;
            (fields.nth(1)? == uid).then(|| format!("operator:{name}"))
        })
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// Prints what to do next, to a person.
pub(super) fn next(hint: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("next: {hint}");
    }
}
