//! An authorization server on loopback that checks what it gets: clients and their proofs, PKCE,
//! assertions, refresh tokens that are good for one use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A form's or a query's members.
pub(crate) type Form = BTreeMap<String, String>;

/// What the server does where it could do several things.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    /// For how long tokens are good, in seconds.
    pub(crate) lifetime: u64,
    /// The secret of the client `bridge`; `None`: it is a public client, or signs.
    pub(crate) secret: Option<&'static str>,
    /// The public key by which assertions are verified.
    pub(crate) key: Option<Vec<u8>>,
    /// How often a device's code is pending before a person consents.
    pub(crate) pending: u32,
    /// What it says of itself in redirects instead of the truth.
    pub(crate) iss: Option<&'static str>,
}

impl Default for Manners {
    fn default() -> Self {
        Self { lifetime: 3600, secret: Some("cl13nt-s3cr3t"), key: None, pending: 0, iss: None }
    }
}

/// The server. It ends with this value.
pub(crate) struct Authority {
    address: SocketAddr,
    inner: Arc<Inner>,
    _server: JoinSet<()>,
}

struct Inner {
    issuer: String,
    manners: Manners,
    state: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// Forms that came to the token endpoint, in order.
    asked: Vec<Form>,
    /// The codes that were given, with the challenge and the redirect of each.
    codes: BTreeMap<String, (String, String)>,
    /// The refresh tokens that are good; one that comes again ends them all.
    refresh: BTreeSet<String>,
    used: BTreeSet<String>,
    /// The names of assertions that came.
    seen: BTreeSet<String>,
    number: u32,
    pending: u32,
}

/// A key that signs, in PEM, and its public half.
pub(crate) fn key_pair() -> (String, Vec<u8>) {
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).expect("a key");
    let text = STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    (pem, key.public_key().as_ref().to_vec())
}

impl Authority {
    pub(crate) async fn new(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let pending = manners.pending;
        let inner = Arc::new(Inner {
            issuer: format!("http://{address}/tenant"),
            manners,
            state: Mutex::new(Told { pending, ..Told::default() }),
        });
        let app = Router::new()
            .route("/.well-known/oauth-authorization-server/tenant", get(metadata))
            .route("/authorize", get(authorize))
            .route("/device", post(device))
            .route("/token", post(token))
            .route("/revoke", post(revoke))
            .with_state(Arc::clone(&inner));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Self { address, inner, _server: server }
    }

    pub(crate) fn issuer(&self) -> String {
        self.inner.issuer.clone()
    }

    pub(crate) fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// The forms that came to the token endpoint, in order.
    pub(crate) fn asked(&self) -> Vec<Form> {
        self.inner.told().asked.clone()
    }

    /// The grants that were asked for, in order.
    pub(crate) fn grants(&self) -> Vec<String> {
        let grant = |form: Form| form.get("grant_type").cloned().unwrap_or_default();
        self.asked().into_iter().map(grant).collect()
    }

    /// How many refresh tokens are good.
    pub(crate) fn renewable(&self) -> usize {
        self.inner.told().refresh.len()
    }

    /// Has this refresh token good, as if it had been given before.
    pub(crate) fn knows(&self, refresh: &str) {
        self.inner.told().refresh.insert(refresh.to_owned());
    }
}

impl Inner {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.state.lock().expect("a lock")
    }

    /// Whether the client proves that it is `bridge`.
    fn is_client(&self, headers: &HeaderMap, form: &Form) -> bool {
        let said = |name: &str| form.get(name).map(String::as_str);
        match (self.manners.secret, &self.manners.key) {
            (Some(secret), _) => {
                let basic = format!("Basic {}", STANDARD.encode(format!("bridge:{secret}")));
                headers.get("authorization").is_some_and(|value| *value == *basic)
                    || (said("client_id"), said("client_secret")) == (Some("bridge"), Some(secret))
            }
            (None, Some(_)) if form.contains_key("client_assertion") => {
                said("client_assertion_type")
                    == Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                    && self.subject(said("client_assertion")).as_deref() == Some("bridge")
            }
            _ => said("client_id") == Some("bridge"),
        }
    }

    /// Whom a good assertion is about: it is signed, for us, of now, and did not come before.
    fn subject(&self, assertion: Option<&str>) -> Option<String> {
        let (signed, signature) = assertion?.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.manners.key.as_ref()?);
        public.verify(signed.as_bytes(), &signature).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let is_now = claims["iat"].as_u64()? <= now && now < claims["exp"].as_u64()?;
        let audiences = [self.issuer.clone(), self.issuer.replace("/tenant", "/token")];
        let is_ours = audiences.iter().any(|audience| claims["aud"] == **audience);
        let is_new = self.told().seen.insert(claims["jti"].as_str()?.to_owned());
        let is_good = is_now && is_ours && is_new && claims["iss"] == "bridge";
        is_good.then_some(claims["sub"].as_str()?.to_owned())
    }

    fn issue(&self, whose: &str, renewable: bool, scope: Option<&String>) -> Response {
        let mut told = self.told();
        told.number += 1;
        let number = told.number;
        let mut answer = json!({
            "access_token": format!("t0ken-{whose}-{number}"),
            "token_type": "Bearer",
            "expires_in": self.manners.lifetime,
        });
        if renewable {
            let refresh = format!("r3fresh-{whose}-{number}");
            told.refresh.insert(refresh.clone());
            answer["refresh_token"] = refresh.into();
        }
        if let Some(scope) = scope {
            answer["scope"] = scope.as_str().into();
        }
        Json(answer).into_response()
    }
}

fn members(text: &str) -> Form {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn refused(code: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response()
}

async fn metadata(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let at = |path: &str| inner.issuer.replace("/tenant", path);
    Json(json!({
        "issuer": inner.issuer,
        "token_endpoint": at("/token"),
        "authorization_endpoint": at("/authorize"),
        "device_authorization_endpoint": at("/device"),
        "revocation_endpoint": at("/revoke"),
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": ["read", "offline_access"],
    }))
}

/// A person who consents to everything.
async fn authorize(State(inner): State<Arc<Inner>>, uri: Uri) -> Response {
    let asked = members(uri.query().unwrap_or_default());
    let said = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let is_fine = said("response_type") == "code"
        && said("client_id") == "bridge"
        && said("code_challenge_method") == "S256"
        && said("redirect_uri").starts_with("http://127.0.0.1:");
    if !is_fine {
        return refused("invalid_request");
    }
    let code = {
        let mut told = inner.told();
        let code = format!("c0de-{}", told.codes.len());
        told.codes.insert(code.clone(), (said("code_challenge"), said("redirect_uri")));
        code
    };
    let mut back = url::Url::parse(&said("redirect_uri")).expect("a URL");
    let iss = inner.manners.iss.map_or_else(|| inner.issuer.clone(), str::to_owned);
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &said("state"))
        .append_pair("iss", &iss);
    (StatusCode::FOUND, [(LOCATION, back.to_string())]).into_response()
}

async fn device(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: String) -> Response {
    let form = members(&body);
    if !inner.is_client(&headers, &form) || !form.contains_key("client_id") {
        return refused("invalid_client");
    }
    Json(json!({
        "device_code": "d3vice",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://id.example.com/device",
        "expires_in": 60,
        "interval": 0,
    }))
    .into_response()
}

/// RFC 7009 §2.2: what is not known is as good as given back.
async fn revoke(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: String) -> Response {
    let form = members(&body);
    if !inner.is_client(&headers, &form) {
        return refused("invalid_client");
    }
    inner.told().refresh.remove(form.get("token").map(String::as_str).unwrap_or_default());
    StatusCode::OK.into_response()
}

async fn token(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: String) -> Response {
    let form = members(&body);
    inner.told().asked.push(form.clone());
    if !inner.is_client(&headers, &form) {
        return refused("invalid_client");
    }
    let said = |name: &str| form.get(name).map(String::as_str);
    let grant = said("grant_type").unwrap_or_default();
    match grant.rsplit(':').next().unwrap_or_default() {
        "client_credentials" => inner.issue("client", false, form.get("scope")),
        "refresh_token" => {
            let refresh = said("refresh_token").unwrap_or_default().to_owned();
            let is_good = {
                let mut told = inner.told();
                if told.used.contains(&refresh) {
                    // Whoever has it has stolen it, or was stolen from.
                    told.refresh.clear();
                }
                told.used.insert(refresh.clone());
                told.refresh.remove(&refresh)
            };
            if is_good { inner.issue("renewed", true, None) } else { refused("invalid_grant") }
        }
        "authorization_code" => {
            let known = inner.told().codes.remove(said("code").unwrap_or_default());
            let verifier = said("code_verifier").unwrap_or_default();
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
            let redirect = said("redirect_uri").unwrap_or_default().to_owned();
            if verifier.len() < 43 || known != Some((challenge, redirect)) {
                return refused("invalid_grant");
            }
            inner.issue("login", true, Some(&"read offline_access".to_owned()))
        }
        "device_code" => {
            {
                let mut told = inner.told();
                if told.pending > 0 {
                    told.pending -= 1;
                    return refused("authorization_pending");
                }
            }
            if said("device_code") == Some("d3vice") {
                inner.issue("device", true, None)
            } else {
                refused("expired_token")
            }
        }
        "token-exchange" => {
            let is_fine =
                said("subject_token_type") == Some("urn:ietf:params:oauth:token-type:jwt");
            match inner.subject(said("subject_token")).filter(|_| is_fine) {
                Some(subject) => inner.issue(&subject, false, form.get("scope")),
                None => refused("invalid_request"),
            }
        }
        "jwt-bearer" => match inner.subject(said("assertion")) {
            Some(subject) => inner.issue(&subject, false, form.get("scope")),
            None => refused("invalid_grant"),
        },
        _ => refused("unsupported_grant_type"),
    }
}
