//! The sources of tokens: one for each credential, whatever number of servers an API has.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tollbridge_operation::{ApiName, Operation, SecurityScheme};

use super::secrets::Resolved;
use crate::bridge::{ClientAuth, Grant, OAuth, TokenSource};
use crate::config::{self, Api, Auth, Config, Diagnostic, Diagnostics, Located, OAuth2, codes};
use crate::secret::Redactor;

/// The sources that were made, by API and, under `credentials`, security scheme.
pub(super) struct Tokens<'a> {
    secrets: &'a Resolved,
    redactor: &'a Redactor,
    made: HashMap<(ApiName, Option<String>), Arc<TokenSource>>,
    /// What the tools of each API need.
    needed: HashMap<ApiName, BTreeSet<String>>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(secrets: &'a Resolved, redactor: &'a Redactor) -> Self {
        Self { secrets, redactor, made: HashMap::new(), needed: HashMap::new() }
    }

    /// The source of a credential's tokens. The error says what is wrong with its TLS.
    pub(super) fn source(
        &mut self,
        name: &ApiName,
        scheme: Option<&str>,
        api: &Api,
        oauth: &OAuth2,
    ) -> Result<Arc<TokenSource>, String> {
        let key = (name.clone(), scheme.map(str::to_owned));
        if let Some(made) = self.made.get(&key) {
            return Ok(Arc::clone(made));
        }
        let secrets = self.secrets;
        let grant = match (oauth.grant, &oauth.refresh_token, &oauth.password) {
            (config::OAuthGrant::RefreshToken, Some(token), _) => {
                Grant::RefreshToken(secrets.get(token))
            }
            (config::OAuthGrant::Password, _, Some(password)) => Grant::Password {
                username: oauth
                    .username
                    .as_ref()
                    .map(|user| secrets.text(user))
                    .unwrap_or_default(),
                password: secrets.get(password),
            },
            // What the others lack was reported with the configuration.
            _ => Grant::ClientCredentials,
        };
        let text = |text: &Option<Located<String>>| text.as_ref().map(|text| (**text).clone());
        let scopes = oauth.scopes.as_ref();
        let oauth = OAuth {
            token_url: oauth.token_url.as_url().clone(),
            client_id: secrets.text(&oauth.client_id),
            client_secret: oauth.client_secret.as_ref().map(|secret| secrets.get(secret)),
            client_auth: match oauth.client_auth {
                config::OAuthClientAuth::Basic => ClientAuth::Basic,
                config::OAuthClientAuth::Post => ClientAuth::Post,
            },
            grant,
            scopes: scopes.map(|scopes| scopes.iter().map(|scope| (**scope).clone()).collect()),
            audience: text(&oauth.audience),
            resource: text(&oauth.resource),
        };
        let tls = api.tls.as_ref().map(|tls| secrets.tls(tls)).unwrap_or_default();
        let resolver = api.resolver.as_ref().and_then(|resolver| resolver.server());
        let source = TokenSource::new(oauth, &tls, resolver, self.redactor.clone())?;
        let made = Arc::new(source);
        self.made.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// Takes note of the scopes that a tool's operation needs: a token is asked for no more.
    pub(super) fn need(&mut self, operation: &Operation) {
        let api = &operation.id.api;
        for used in operation.security.iter().flat_map(|requirement| &requirement.all_of) {
            if !matches!(
                used.scheme,
                SecurityScheme::OAuth2 { .. } | SecurityScheme::OpenIdConnect { .. }
            ) {
                continue;
            }
            self.needed.entry(api.clone()).or_default().extend(used.scopes.iter().cloned());
            for ((of, scheme), source) in &self.made {
                if of == api && scheme.as_ref().is_none_or(|scheme| *scheme == used.name) {
                    source.need(&used.scopes);
                }
            }
        }
    }

    /// Warns of scopes that no tool needs: who holds such a token can do more than it has to.
    pub(super) fn check(&self, config: &Config, found: &mut Diagnostics) {
        for (name, api) in config.apis.iter() {
            let Some(needed) = self.needed.get(&**name).filter(|needed| !needed.is_empty()) else {
                continue;
            };
            let auths = api.auth.iter().chain(api.credentials.iter().map(|(_, auth)| auth));
            let scopes = auths.filter_map(|auth| match &**auth {
                Auth::Oauth2(oauth) => oauth.scopes.as_ref(),
                _ => None,
            });
            for scope in scopes.flatten().filter(|scope| !needed.contains(scope.as_str())) {
                found.push(
                    Diagnostic::warning(
                        codes::SCOPE,
                        &config.file,
                        format!("no tool of `{name}` needs the scope `{}`", **scope),
                    )
                    .at(scope.span())
                    .help("remove it, or leave `scopes` out to ask for what the tools need"),
                );
            }
        }
    }
}
