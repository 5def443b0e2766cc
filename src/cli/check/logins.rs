//! Whether those have logged in for whom APIs are called, as far as the store tells without its
//! key: that there is a login, and what it allows.

use std::collections::BTreeSet;

use crate::bridge::{Login, LoginStanding, TokenSource};
use crate::config::{Auth, Config, Diagnostic, Diagnostics, codes};
use crate::gateway::Toolbox;
use crate::store::{Store, TokenRow};

/// Scopes that allow nothing of an API: they are the protocol's own.
const OF_THE_PROTOCOL: [&str; 2] = ["openid", "offline_access"];

/// Warns of logins that are missing, and of those that allow more, or less, than the tools need.
pub(super) async fn check(config: &Config, toolbox: &Toolbox, found: &mut Diagnostics) {
    let needed = toolbox.sources.iter().filter_map(|source| match source.login() {
        LoginStanding::Needed(login) => Some((source, login)),
        LoginStanding::NotNeeded => None,
    });
    let needed: Vec<_> = needed.collect();
    if needed.is_empty() {
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
    for (source, login) in needed {
        let of_it = |row: &&TokenRow| {
            row.api == source.api().as_str()
                && row.scheme.as_deref() == source.scheme()
                && row.grant == "login"
                && row.identity.is_some() == login.each
        };
        let rows: Vec<&TokenRow> = rows.iter().filter(of_it).collect();
        for message in wrong(source, login, &rows) {
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
    let needed: BTreeSet<String> = source.needed().into_iter().collect();
    let mut all = Vec::new();
    for row in rows {
        let Some(granted) = &row.scopes else { continue };
        let granted: BTreeSet<&str> = granted.split(' ').filter(|one| !one.is_empty()).collect();
        let whose = row.identity.as_ref().map(|whose| format!(" as `{whose}`")).unwrap_or_default();
        let quoted = |scopes: Vec<&str>| -> Option<String> {
            let scopes: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
            (!scopes.is_empty()).then(|| scopes.join(", "))
        };
        let more = granted.iter().copied();
        let more =
            more.filter(|scope| !needed.contains(*scope) && !OF_THE_PROTOCOL.contains(scope));
        // Where the description names no scopes, nobody can tell what is more.
        if !needed.is_empty()
            && let Some(more) = quoted(more.collect())
        {
            all.push(format!("the login at `{api}`{whose} allows {more}, which no tool needs"));
        }
        let less = needed.iter().map(String::as_str).filter(|scope| !granted.contains(scope));
        if let Some(less) = quoted(less.collect()) {
            all.push(format!(
                "the login at `{api}`{whose} does not allow {less}, which tools need: log in again"
            ));
        }
    }
    all
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
