//! `tollbridge fault-upstream`: an API on loopback that fails as it is told, for trying out what
//! becomes of calls.

use std::io;
use std::path::PathBuf;

use serde_json::json;

use super::Exit;
use crate::demo::faults::{AUTHORITY, Door, FaultUpstream, Script};

/// Arguments of `fault-upstream`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// More faults, or others of the same names, in TOML.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// The port of plain HTTP; the others are free ones.
    #[arg(long, value_name = "PORT", default_value_t = 8790)]
    port: u16,
    /// Write the certificate of the authority that the `tls` port's is signed by.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// List the faults, and end.
    #[arg(long)]
    list: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Exit {
    let script = match script(&args) {
        Ok(script) => script,
        Err(error) => {
            eprintln!("error: {error}");
            return Exit::Usage;
        }
    };
    if args.list {
        list(&script, args.json);
        return Exit::Done;
    }
    match serve(&args, script).await {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Failed
        }
    }
}

fn script(args: &Args) -> Result<Script, String> {
    let built_in = Script::built_in();
    let Some(path) = &args.script else { return Ok(built_in) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let script =
        Script::read(&text).map_err(|error| format!("{} is no script: {error}", path.display()))?;
    Ok(built_in.with(script))
}

fn list(script: &Script, as_json: bool) {
    if as_json {
        let faults: Vec<_> = script
            .iter()
            .map(|(name, fault)| json!({"name": name, "about": fault.about}))
            .collect();
        let doors: Vec<_> = Door::ALL
            .iter()
            .map(|door| json!({"name": door.name(), "about": door.about()}))
            .collect();
        return super::print_json(&json!({"faults": faults, "doors": doors}));
    }
    for (name, fault) in script.iter() {
        super::print(&format!("{name:24} {}\n", fault.about));
    }
}

async fn serve(args: &Args, script: Script) -> Result<(), String> {
    if let Some(path) = &args.ca {
        std::fs::write(path, AUTHORITY)
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    let taken = |error: io::Error| format!("port {} of loopback: {error}", args.port);
    let upstream = FaultUpstream::start(script, &Door::ALL, args.port).await.map_err(taken)?;
    if args.json {
        let doors: Vec<_> = upstream
            .doors()
            .map(|(door, url)| json!({"name": door.name(), "url": url, "about": door.about()}))
            .collect();
        super::print_json(&json!({"doors": doors}));
    } else {
        for (door, url) in upstream.doors() {
            super::print(&format!("{:14} {url:26} {}\n", door.name(), door.about()));
        }
        let plain = upstream.port(Door::Plain).unwrap_or_default();
        super::print(&format!(
            "\nbase_url = \"http://127.0.0.1:{plain}/fault/NAME\" meets the fault NAME (--list), \
             what came is at http://127.0.0.1:{plain}/-/seen\n"
        ));
    }
    super::serve::until_stopped().await;
    Ok(())
}
