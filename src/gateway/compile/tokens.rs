//! The sources of tokens: one for each credential, whatever number of servers an API has.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tollbridge_operation::{ApiName, Operation, SecurityScheme};

use super::secrets::Resolved;
use crate::bridge::{
    ClientAuth, Endpoints, Grant, Login, OAuth, OnBehalf, SigningKey, SourceConfig, TokenSource,
};
use crate::config::{
    Api, Auth, BaseUrl, Config, Diagnostic, Diagnostics, Located, OAuth2, OAuthBy, OAuthClientAuth,
    OAuthGrant, codes,
};
use crate::secret::{Redactor, Secret, SecretRef};

/// What stands before an identity in the name of its own source, which is no scheme's.
pub(super) const BY_IDENTITY: &str = "by_identity.";

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

    /// The source of a credential's tokens. The error says what is wrong with its connection or
    /// its keys.
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
        let hosts: Vec<String> = api.hosts.iter().map(ToString::to_string).collect();
        let proxy = self.secrets.proxy(api);
        let config = SourceConfig {
            api: name.clone(),
            scheme: scheme.map(str::to_owned),
            oauth: self.oauth(oauth)?,
            tls: &api.tls.as_ref().map(|tls| self.secrets.tls(tls)).unwrap_or_default(),
            resolver: api.resolver.as_ref().and_then(|resolver| resolver.server()),
            proxy: proxy.as_ref(),
            hosts: &hosts,
        };
        let made = Arc::new(TokenSource::new(config, self.redactor.clone())?);
        self.made.insert(key, Arc::clone(&made));
        Ok(made)
    }

    fn oauth(&self, oauth: &OAuth2) -> Result<OAuth, String> {
        let secrets = self.secrets;
        let secret = |reference: &Option<Located<SecretRef>>| {
            reference.as_ref().map(|reference| secrets.get(reference))
        };
        let text = |text: &Option<Located<String>>| text.as_ref().map(|text| (**text).clone());
        let url = |url: &Option<Located<BaseUrl>>| url.as_ref().map(|url| url.as_url().clone());
        let client_id = secrets.text(&oauth.client_id);
        let on_behalf = || -> Result<OnBehalf, String> {
            let key = secret(&oauth.assertion_key);
            let id = text(&oauth.assertion_key_id);
            let subjects = oauth.subjects.as_ref().map(|subjects| {
                let pairs = subjects.iter();
                pairs.map(|(name, subject)| ((**name).clone(), (**subject).clone())).collect()
            });
            Ok(OnBehalf {
                key: self.key(key, id, "assertion_key")?,
                issuer: text(&oauth.assertion_issuer).unwrap_or_else(|| client_id.clone()),
                subjects,
            })
        };
        let each = oauth.by.as_ref().is_some_and(|by| **by == OAuthBy::Identity);
        // What a grant or a proof lacks was reported with the configuration.
        let empty = || Secret::new("");
        let grant = match oauth.grant {
            OAuthGrant::ClientCredentials => Grant::ClientCredentials,
            OAuthGrant::RefreshToken => {
                Grant::RefreshToken(secret(&oauth.refresh_token).unwrap_or_else(empty))
            }
            OAuthGrant::Password => Grant::Password {
                username: oauth
                    .username
                    .as_ref()
                    .map(|user| secrets.text(user))
                    .unwrap_or_default(),
                password: secret(&oauth.password).unwrap_or_else(empty),
            },
            OAuthGrant::AuthorizationCode => Grant::Login(Login { device: false, each }),
            OAuthGrant::DeviceCode => Grant::Login(Login { device: true, each }),
            OAuthGrant::TokenExchange => Grant::Exchange(on_behalf()?),
            OAuthGrant::JwtBearer => Grant::JwtBearer(on_behalf()?),
        };
        let client_auth = match oauth.client_auth() {
            OAuthClientAuth::Basic => {
                ClientAuth::Basic(secret(&oauth.client_secret).unwrap_or_else(empty))
            }
            OAuthClientAuth::Post => {
                ClientAuth::Post(secret(&oauth.client_secret).unwrap_or_else(empty))
            }
            OAuthClientAuth::PrivateKeyJwt => {
                let id = text(&oauth.client_key_id);
                ClientAuth::Assertion(self.key(secret(&oauth.client_key), id, "client_key")?)
            }
            OAuthClientAuth::Tls | OAuthClientAuth::None => ClientAuth::None,
        };
        let scopes = oauth.scopes.as_ref();
        Ok(OAuth {
            endpoints: Endpoints {
                issuer: url(&oauth.issuer),
                token: url(&oauth.token_url),
                authorization: url(&oauth.authorization_url),
                device: url(&oauth.device_url),
            },
            client_id,
            client_auth,
            grant,
            scopes: scopes.map(|scopes| scopes.iter().map(|scope| (**scope).clone()).collect()),
            audience: text(&oauth.audience),
            resource: text(&oauth.resource),
            assertion_audience: text(&oauth.assertion_audience),
        })
    }

    /// A key that signs. Where secrets are only verified there is none to be read, and any will
    /// do: nothing is signed with it.
    pub(super) fn key(
        &self,
        pem: Option<Secret>,
        id: Option<String>,
        member: &str,
    ) -> Result<Arc<SigningKey>, String> {
        let made = if self.secrets.are_real() {
            SigningKey::from_pem(&pem.unwrap_or_else(|| Secret::new("")), id)
        } else {
            SigningKey::throwaway()
        };
        made.map(Arc::new).map_err(|reason| format!("`{member}` {reason}"))
    }

    /// All sources that were made.
    pub(super) fn sources(&self) -> Vec<Arc<TokenSource>> {
        self.made.values().cloned().collect()
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
                let is_of_it = scheme
                    .as_ref()
                    .is_none_or(|scheme| *scheme == used.name || scheme.starts_with(BY_IDENTITY));
                if of == api && is_of_it {
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
            let scopes = api.auths().filter_map(|auth| match &**auth {
                Auth::Oauth2(oauth) => oauth.scopes.as_ref(),
                _ => None,
            });
            for scope in scopes.flatten().filter(|scope| !needed.contains(scope.as_str())) {
                // These are the protocol's own: they allow nothing of the API.
                if ["openid", "offline_access"].contains(&scope.as_str()) {
                    continue;
                }
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
