//! Whether those have logged in for whom APIs are called, as far as the store tells without its
//! key: that there is a login, and what it allows.

use std::collections::BTreeSet;

use crate::bridge::{Login, LoginStanding, TokenSource};
use crate::config::{Auth, Config, Diagnostic, Diagnostics, codes};
use crate::gateway::Toolbox;
use crate::store::{Store, TokenRow};

/// Scopes that allow nothing of an API: they are the protocol's own.
const OF_THE_PROTOCOL: [&str; 2] = ["openid", "offline_access"];

/// Warns of logins that are missing, of those that allow more, or less, than the tools need, and
/// of other kept tokens that allow more.
pub(super) async fn check(config: &Config, toolbox: &Toolbox, found: &mut Diagnostics) {
    if toolbox.sources.is_empty() {
        return;
    }
    // There is no store before the first call.
    let rows = match Store::open_read_only(&config.store_url()).await {
        Ok(store) => {
            let rows = store.tokens().await.unwrap_or_default();
            store.close().await;
            rows
        }
        Err(_) => Vec::new(),
    };
    for source in &toolbox.sources {
        let of_it = |row: &&TokenRow| {
            row.api == source.api().as_str() && row.scheme.as_deref() == source.scheme()
        };
        let rows = rows.iter().filter(of_it);
        let wrong = match source.login() {
            LoginStanding::Needed(login) => {
                let whose = |row: &&TokenRow| row.identity.is_some() == login.each;
                wrong(
                    source,
                    login,
                    &rows.filter(|row| row.grant == "login").filter(whose).collect::<Vec<_>>(),
                )
            }
            LoginStanding::NotNeeded => rows
                .filter(|row| row.grant != "login")
                .filter_map(|row| more(source, row))
                .collect(),
        };
        for message in wrong {
            found.push(at(config, source, message));
        }
    }
}

fn wrong(source: &TokenSource, login: Login, rows: &[&TokenRow]) -> Vec<String> {
    let api = source.api();
    let scheme = source.scheme().map(|scheme| format!(" --scheme {scheme}")).unwrap_or_default();
    if rows.is_empty() {
        let whose = if login.each { " --as IDENTITY" } else { "" };
        return vec![format!(
            "nobody has logged in at `{api}`: run `tollbridge login {api}{scheme}{whose}`"
        )];
    }
    let mut all = Vec::new();
    for row in rows {
        all.extend(more(source, row));
        let Some(granted) = granted(row) else { continue };
        let needed = source.needed();
        let less = needed.iter().map(String::as_str).filter(|scope| !granted.contains(scope));
        if let Some(less) = quoted(less) {
            all.push(format!(
                "the login at `{api}`{} does not allow {less}, which tools need: log in again",
                whose(row)
            ));
        }
    }
    all
}

/// What a token allows that no tool needs. Where the description names no scopes, nobody can tell.
fn more(source: &TokenSource, row: &TokenRow) -> Option<String> {
    let needed: BTreeSet<String> = source.needed().into_iter().collect();
    let granted = granted(row).filter(|_| !needed.is_empty())?;
    let more = granted.iter().copied();
    let more = more.filter(|scope| !needed.contains(*scope) && !OF_THE_PROTOCOL.contains(scope));
    let what = if row.grant == "login" { "login at" } else { "token of" };
    let (api, more) = (source.api(), quoted(more)?);
    Some(format!("the {what} `{api}`{} allows {more}, which no tool needs", whose(row)))
}

/// What a token allows, where that was said.
fn granted(row: &TokenRow) -> Option<BTreeSet<&str>> {
    let scopes = row.scopes.as_deref()?;
    Some(scopes.split(' ').filter(|scope| !scope.is_empty()).collect())
}

fn whose(row: &TokenRow) -> String {
    row.identity.as_ref().map(|whose| format!(" as `{whose}`")).unwrap_or_default()
}

fn quoted<'s>(scopes: impl Iterator<Item = &'s str>) -> Option<String> {
    let scopes: Vec<String> = scopes.map(|scope| format!("`{scope}`")).collect();
    (!scopes.is_empty()).then(|| scopes.join(", "))
}

fn at(config: &Config, source: &TokenSource, message: String) -> Diagnostic {
    let diagnostic = Diagnostic::warning(codes::LOGIN, &config.file, message);
    let auth = config.apis.get(source.api()).and_then(|api| match source.scheme() {
        None => api.auth.as_ref(),
        Some(scheme) => {
            api.credentials.iter().find(|(name, _)| name.as_str() == scheme).map(|(_, auth)| auth)
        }
    });
    match auth {
        Some(auth) if matches!(**auth, Auth::Oauth2(_)) => diagnostic.at(auth.span()),
        _ => diagnostic,
    }
}
