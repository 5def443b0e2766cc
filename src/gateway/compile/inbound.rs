//! `[server.auth]` as what verifies tokens.
//!
//! Whatever is fetched is at a URL that the configuration gives, or at its issuer's host.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;

use super::secrets::Resolved;
use crate::bridge::Courier;
use crate::config::{
    Config, Diagnostic, Diagnostics, Introspection, Issuer, Jwt, KeySetAt, Located, codes,
};
use crate::identity::{self, Algorithm, ClaimRules, Fetch, Keyring, Tokens};
use crate::secret::Secret;

/// The longest document that is read, in bytes.
const MOST: usize = 256 * 1024;

/// For how long an introspection's answer is taken for true.
const KEEP: Duration = Duration::from_secs(10);

/// What verifies the tokens of callers over HTTP; `None` where none are taken.
pub(super) fn tokens(
    config: &Config,
    resolved: &Resolved,
    found: &mut Diagnostics,
) -> Option<Arc<Tokens>> {
    let auth = config.server.auth.as_ref()?;
    if auth.jwt.is_none() && auth.introspection.is_none() {
        return None;
    }
    let courier = match Courier::new() {
        Ok(courier) => courier,
        Err(why) => {
            let message = format!("the authorization server cannot be asked: {why}");
            found.push(Diagnostic::error(codes::INBOUND, &config.file, message).at(auth.span()));
            return None;
        }
    };
    let tokens = match (&auth.jwt, &auth.introspection) {
        (Some(jwt), _) => signed(jwt, courier, &config.dir),
        (None, Some(introspection)) => asked(introspection, courier, resolved),
        (None, None) => return None,
    };
    Some(Arc::new(tokens))
}

fn signed(jwt: &Jwt, courier: Courier, dir: &Path) -> Tokens {
    let fetch: Fetch<()> = match jwt.jwks.as_deref() {
        Some(KeySetAt::File(path)) => {
            let path = dir.join(path);
            Arc::new(move |()| Box::pin(file(path.clone())))
        }
        Some(KeySetAt::Url(url)) => {
            let url = url.clone();
            Arc::new(move |()| Box::pin(document(courier.clone(), url.clone())))
        }
        None => {
            let issuer = (*jwt.issuer).clone();
            Arc::new(move |()| Box::pin(discovered(courier.clone(), issuer.clone())))
        }
    };
    Tokens::Jwt {
        keys: Keyring::new(fetch),
        rules: rules(&jwt.issuer, &jwt.audience, &jwt.identity, jwt.groups.as_ref(), &jwt.claims),
        algorithms: jwt
            .algorithms
            .iter()
            .filter_map(|one| Algorithm::named(one.as_str()))
            .collect(),
        typed: jwt.typed,
    }
}

fn asked(asked: &Introspection, courier: Courier, resolved: &Resolved) -> Tokens {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    // RFC 6749 §2.3.1: both are encoded as in a form before they are joined.
    let (id, secret) = (resolved.text(&asked.client_id), resolved.get(&asked.client_secret));
    let pair = format!("{}:{}", encode(&id), encode(secret.expose()));
    let proof = Secret::new(format!("Basic {}", STANDARD.encode(pair)));
    let url = asked.url.as_url().clone();
    let ask: Fetch<Secret> = Arc::new(move |token: Secret| {
        let (courier, url, proof) = (courier.clone(), url.clone(), proof.clone());
        Box::pin(async move {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("token", token.expose())
                .append_pair("token_type_hint", "access_token")
                .finish();
            read(courier.post(url, &proof, form, MOST).await?)
        })
    });
    let mut rules = rules(
        &asked.issuer,
        &asked.audience,
        &asked.identity,
        asked.groups.as_ref(),
        &asked.claims,
    );
    // RFC 7662 §2.2: `iss` is optional, and whoever answers is the one that was asked.
    rules.issuer_may_lack = true;
    let keep = asked.cache.as_ref().map_or(KEEP, |keep| keep.0);
    Tokens::Introspection(identity::Introspection::new(ask, rules, keep))
}

fn rules(
    issuer: &Issuer,
    audience: &str,
    identity: &str,
    groups: Option<&Located<String>>,
    claims: &[Located<String>],
) -> ClaimRules {
    ClaimRules {
        issuer: issuer.as_str().to_owned(),
        issuer_may_lack: false,
        audience: audience.to_owned(),
        identity: identity.to_owned(),
        groups: groups.map(|name| (**name).clone()),
        kept: claims.iter().map(|name| (**name).clone()).collect(),
    }
}

async fn file(path: PathBuf) -> Result<Vec<u8>, String> {
    let name = path.display().to_string();
    tokio::fs::read(path).await.map_err(|error| format!("{name} cannot be read: {error}"))
}

async fn document(courier: Courier, url: Url) -> Result<Vec<u8>, String> {
    read(courier.get(url, MOST).await?)
}

fn read((status, body): (StatusCode, Vec<u8>)) -> Result<Vec<u8>, String> {
    if status.is_success() {
        Ok(body)
    } else {
        Err(format!("the server answered {}", status.as_u16()))
    }
}

/// The keys where the issuer's metadata says that they are (RFC 8414 §3, `OpenID` Connect
/// Discovery 1.0 §4): at the issuer's own host, or nowhere.
async fn discovered(courier: Courier, issuer: Issuer) -> Result<Vec<u8>, String> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
        jwks_uri: Option<String>,
    }
    let url = issuer.as_url();
    let origin = &url[..url::Position::BeforePath];
    let path = url.path().trim_end_matches('/');
    let places = [
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ];
    let mut last = "the issuer has no metadata".to_owned();
    for place in places {
        let Ok(place) = Url::parse(&place) else { continue };
        let metadata = match document(courier.clone(), place).await {
            Ok(body) => serde_json::from_slice::<Metadata>(&body),
            Err(why) => {
                last = format!("the issuer's metadata: {why}");
                continue;
            }
        };
        let Ok(metadata) = metadata else {
            last = "the issuer's metadata cannot be read".to_owned();
            continue;
        };
        // RFC 8414 §3.3: letter by letter.
        if metadata.issuer != issuer.as_str() {
            return Err(
                "the metadata is of another issuer; `issuer` must be as it names itself".to_owned()
            );
        }
        let keys = metadata.jwks_uri.as_deref().and_then(|keys| Url::parse(keys).ok());
        let keys = keys.ok_or("the issuer's metadata names no key set")?;
        let same = keys.host_str() == url.host_str()
            && keys.port_or_known_default() == url.port_or_known_default()
            && keys.scheme() == url.scheme();
        if !same {
            let host = keys.host_str().unwrap_or_default();
            return Err(format!(
                "the issuer's keys are at {host}, another host than its own: if it is trusted, \
                 set `jwks` to {keys}"
            ));
        }
        return document(courier, keys).await;
    }
    Err(last)
}
