//! `tollbridge login`: a person consents once, and the bridge may call an API for them.
//!
//! In a browser the code comes back to this machine: to a listener on loopback that lives for one
//! login (RFC 8252 §7.3). On another device a person types a code. No token is printed; what is
//! kept is kept sealed, as all tokens are.

mod browser;
mod listener;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use tollbridge_operation::{ApiName, Identity};

use super::{Exit, context};
use crate::bridge::{Login, LoginError, LoginStanding, TokenSource};
use crate::config::Period;
use crate::gateway::Secrets;

/// Arguments of `login`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The API.
    api: ApiName,
    /// The security scheme, where the API has a credential for each.
    #[arg(long)]
    scheme: Option<String>,
    /// Whose login it is, where each identity has its own.
    #[arg(long = "as", value_name = "IDENTITY")]
    identity: Option<Identity>,
    #[command(flatten)]
    way: Way,
    /// How long to wait for the consent.
    #[arg(long, default_value = "5m")]
    timeout: Period,
    /// Forget the login instead.
    #[arg(long, conflicts_with_all = ["device", "port", "no_browser"])]
    forget: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How the person consents.
#[derive(Debug, clap::Args)]
struct Way {
    /// Consent on another device: for a machine without a browser.
    #[arg(long)]
    device: bool,
    /// Open no browser: show the URL alone.
    #[arg(long, conflicts_with = "device")]
    no_browser: bool,
    /// The port on 127.0.0.1 that the browser is sent to, for servers that want to know it before.
    #[arg(long, default_value_t = 0, conflicts_with = "device")]
    port: u16,
}

pub(super) async fn run(args: Args, config: &Path) -> Exit {
    let loaded = match context::load(config, Secrets::Resolve) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let (gateway, _) = match context::gateway(loaded).await {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let exit = match chosen(&args, &gateway.toolbox().sources) {
        Ok((source, login)) => match carry_out(&args, &source, login).await {
            Ok(ended) => {
                report(&args, &ended);
                Exit::Done
            }
            Err(error) => {
                eprintln!("error: {}: {error}", args.api);
                match error {
                    LoginError::NotNeeded | LoginError::Whose(_) => Exit::Usage,
                    _ => Exit::Failed,
                }
            }
        },
        Err(message) => {
            eprintln!("error: {message}");
            Exit::Usage
        }
    };
    gateway.close().await;
    exit
}

/// The credential that a person logs in for.
fn chosen(args: &Args, sources: &[Arc<TokenSource>]) -> Result<(Arc<TokenSource>, Login), String> {
    let api = &args.api;
    let asked = |source: &&Arc<TokenSource>| {
        source.api() == api
            && args.scheme.as_deref().is_none_or(|scheme| source.scheme() == Some(scheme))
    };
    let all = sources.iter().filter(asked).filter_map(|source| match source.login() {
        LoginStanding::Needed(login) => Some((Arc::clone(source), login)),
        LoginStanding::NotNeeded => None,
    });
    let all: Vec<_> = all.collect();
    match all.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(format!(
            "`{api}` has no credential that a person logs in for; set one with kind = \"oauth2\" \
             and grant = \"authorization_code\" or \"device_code\""
        )),
        several => {
            let schemes: Vec<_> =
                several.iter().filter_map(|(source, _)| source.scheme()).collect();
            Err(format!("say for which one with --scheme: {}", schemes.join(", ")))
        }
    }
}

/// How a login or its end came out.
enum Ended {
    /// Somebody is logged in, with these scopes where the server says.
    In(Option<String>),
    /// The login is forgotten; whether the server took it back.
    Out(bool),
}

async fn carry_out(args: &Args, source: &TokenSource, login: Login) -> Result<Ended, LoginError> {
    let whose = args.identity.as_ref();
    source.may_log_in(whose)?;
    let limit = args.timeout.0;
    if args.forget {
        return source.log_out(whose).await.map(Ended::Out);
    }
    let scopes = if args.way.device || login.device {
        on_device(source, whose, limit).await
    } else {
        in_browser(args, source, whose, limit).await
    };
    scopes.map(Ended::In)
}

async fn in_browser(
    args: &Args,
    source: &TokenSource,
    whose: Option<&Identity>,
    limit: Duration,
) -> Result<Option<String>, LoginError> {
    let failed =
        |error: std::io::Error| LoginError::Server(format!("cannot listen on 127.0.0.1: {error}"));
    let listener = listener::Listener::bind(args.way.port).await.map_err(failed)?;
    let browser = Arc::new(source.begin_in_browser(&listener.redirect).await?);
    let shown = if !args.way.no_browser && browser::is_at_hand() && browser::open(&browser.url) {
        "a browser is opened; log in there. If none comes, open this on this machine:"
    } else {
        "open this in a browser on this machine, and log in:"
    };
    eprintln!("{shown}\n\n  {}\n", browser.url);
    let came = timeout(limit, listener.query(Arc::clone(&browser))).await;
    let query = came.map_err(|_| LoginError::TooLate)?.ok_or(LoginError::TooLate)?;
    source.end_in_browser(&browser, &query, whose).await
}

async fn on_device(
    source: &TokenSource,
    whose: Option<&Identity>,
    limit: Duration,
) -> Result<Option<String>, LoginError> {
    let device = source.begin_on_device().await?;
    // What a server says goes to a terminal.
    let clean = |text: &str| super::clean(text, 2_000);
    eprintln!("open {} on any device, and type the code\n", clean(&device.url));
    eprintln!("  {}\n", clean(&device.user_code));
    if let Some(complete) = &device.complete {
        eprintln!("or open {}", clean(complete));
    }
    let ended = timeout(limit, source.end_on_device(device, whose)).await;
    ended.map_err(|_| LoginError::TooLate)?
}

fn report(args: &Args, ended: &Ended) {
    let (scopes, revoked) = match ended {
        Ended::In(scopes) => (scopes.as_deref(), None),
        Ended::Out(revoked) => (None, Some(*revoked)),
    };
    let whose = args.identity.as_ref().map(Identity::as_str);
    if args.json {
        super::print_json(&json!({
            "api": args.api.as_str(),
            "scheme": args.scheme,
            "identity": whose,
            "logged_in": !args.forget,
            "revoked": revoked,
            "scopes": scopes.map(|scopes| scopes.split(' ').collect::<Vec<_>>()),
        }));
        return;
    }
    let whose = whose.map(|whose| format!(" as `{whose}`")).unwrap_or_default();
    match revoked {
        Some(true) => eprintln!("the login at `{}`{whose} is forgotten, and ended there", args.api),
        Some(false) => eprintln!(
            "the login at `{}`{whose} is forgotten here; the server did not end it: it says of no way \
             to, or gave no answer that counts",
            args.api
        ),
        None => eprintln!("logged in at `{}`{whose}", args.api),
    }
}
