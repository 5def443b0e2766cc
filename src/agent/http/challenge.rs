//! What a caller is told who may not call, or not yet: the challenges of RFC 6750 §3, and where
//! an authorization server is to be found (RFC 9728), as MCP's authorization specification asks.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use url::{Position, Url};

use super::access::Denied;

/// The path before which the resource's own is put (RFC 9728 §3.1).
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// This server, as a resource that tokens are for.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The URL of `/mcp` as clients know it.
    pub url: String,
    /// The authorization servers, as they name themselves.
    pub issuers: Vec<String>,
    /// What every token must allow.
    pub scopes: Vec<String>,
    /// The server's name, for people.
    pub name: String,
}

/// Makes challenges.
#[derive(Debug)]
pub(super) struct Challenges(Option<Told>);

#[derive(Debug)]
struct Told {
    resource: Resource,
    /// Where its metadata is, as clients reach it.
    metadata: String,
    /// The path of the resource, beside which the metadata is served too.
    path: String,
}

impl Challenges {
    /// `None`: no tokens are taken, and challenges name no authorization server.
    pub(super) fn new(resource: Option<Resource>) -> Self {
        Self(resource.and_then(|resource| {
            let url = Url::parse(&resource.url).ok()?;
            let path = url.path().trim_end_matches('/').to_owned();
            let metadata = format!("{}{WELL_KNOWN}{path}", &url[..Position::BeforePath]);
            Some(Told { resource, metadata, path })
        }))
    }

    /// What every token must allow.
    pub(super) fn scopes(&self) -> &[String] {
        self.0.as_ref().map_or(&[], |told| &told.resource.scopes)
    }

    /// The metadata (RFC 9728 §2), where the resource of that path has any. `more` are scopes that
    /// a client may come to need.
    pub(super) fn metadata(&self, path: &str, more: Vec<String>) -> Option<Value> {
        let Told { resource, path: own, .. } = self.0.as_ref()?;
        if !["", "/mcp", own].contains(&path.trim_end_matches('/')) {
            return None;
        }
        let mut scopes = resource.scopes.clone();
        scopes.extend(more.into_iter().filter(|scope| !resource.scopes.contains(scope)));
        let mut metadata = json!({
            "resource": resource.url,
            "authorization_servers": resource.issuers,
            "bearer_methods_supported": ["header"],
            "resource_name": resource.name,
        });
        if !scopes.is_empty() {
            metadata["scopes_supported"] = scopes.into();
        }
        Some(metadata)
    }

    /// The answer to somebody who may not call.
    pub(super) fn answer(&self, denied: Denied) -> Response {
        let unauthorized = |challenge: String, what: String| {
            let challenge = [(header::WWW_AUTHENTICATE, challenge)];
            (StatusCode::UNAUTHORIZED, challenge, what).into_response()
        };
        match denied {
            Denied::Forbidden(why) => (StatusCode::FORBIDDEN, why).into_response(),
            // RFC 6750 §3.1: no error code where no authentication was tried.
            Denied::Anonymous => {
                let what = match &self.0 {
                    None => "This server wants a key: Authorization: Bearer KEY",
                    Some(_) => "This server wants an access token: Authorization: Bearer TOKEN",
                };
                unauthorized(self.challenge(None, self.scopes()), what.to_owned())
            }
            Denied::Invalid(why) => {
                let error = Some(("invalid_token", why));
                unauthorized(self.challenge(error, self.scopes()), format!("Refused: {why}."))
            }
            Denied::Lacking(scopes) => {
                let why = "the token allows less than this needs";
                let challenge = self.challenge(Some(("insufficient_scope", why)), &scopes);
                let body = json!({
                    "error": "insufficient_scope",
                    "error_description": why,
                    "scope": scopes.join(" "),
                });
                let challenge = [(header::WWW_AUTHENTICATE, challenge)];
                (StatusCode::FORBIDDEN, challenge, Json(body)).into_response()
            }
            Denied::Unverified => {
                let later = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
                let what = "Callers cannot be verified now.";
                (StatusCode::SERVICE_UNAVAILABLE, later, what).into_response()
            }
        }
    }

    /// A challenge (RFC 6750 §3, RFC 9728 §5.1). Nothing in it needs escaping: scopes and URLs
    /// hold no quotes, and the words are our own.
    fn challenge(&self, error: Option<(&str, &str)>, scopes: &[String]) -> String {
        let mut parameters = Vec::new();
        if let Some((code, why)) = error {
            parameters.push(format!("error=\"{code}\""));
            if self.0.is_some() {
                parameters.push(format!("error_description=\"{why}\""));
            }
        }
        if let Some(told) = &self.0 {
            parameters.push(format!("resource_metadata=\"{}\"", told.metadata));
        }
        if !scopes.is_empty() {
            parameters.push(format!("scope=\"{}\"", scopes.join(" ")));
        }
        format!("Bearer {}", parameters.join(", ")).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Challenges {
        Challenges::new(Some(Resource {
            url: url.to_owned(),
            issuers: vec!["https://id.example.com/".to_owned()],
            scopes: vec!["mcp".to_owned()],
            name: "acme".to_owned(),
        }))
    }

    fn challenge(challenges: &Challenges, denied: Denied) -> (u16, String) {
        let answer = challenges.answer(denied);
        let value = answer.headers().get(header::WWW_AUTHENTICATE);
        let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        (answer.status().as_u16(), value)
    }

    #[test]
    fn a_challenge_says_where_to_log_in_and_for_what() {
        let challenges = of("https://bridge.example.com/mcp");
        let metadata = "resource_metadata=\"https://bridge.example.com/.well-known/oauth-protected-resource/mcp\"";
        assert_eq!(
            challenge(&challenges, Denied::Anonymous),
            (401, format!("Bearer {metadata}, scope=\"mcp\""))
        );
        assert_eq!(
            challenge(&challenges, Denied::Invalid("the token has expired")),
            (
                401,
                format!(
                    "Bearer error=\"invalid_token\", error_description=\"the token has expired\", \
                     {metadata}, scope=\"mcp\""
                )
            )
        );
        let lacking = vec!["mcp".to_owned(), "orders:write".to_owned()];
        let (status, value) = challenge(&challenges, Denied::Lacking(lacking));
        assert_eq!(status, 403);
        assert!(value.starts_with("Bearer error=\"insufficient_scope\""), "{value}");
        assert!(value.ends_with("scope=\"mcp orders:write\""), "{value}");
    }

    #[test]
    fn without_tokens_a_challenge_is_bare() {
        let challenges = Challenges::new(None);
        assert_eq!(challenge(&challenges, Denied::Anonymous), (401, "Bearer".to_owned()));
        assert_eq!(
            challenge(&challenges, Denied::Invalid("x")),
            (401, "Bearer error=\"invalid_token\"".to_owned())
        );
        assert_eq!(challenges.metadata("", Vec::new()), None);
    }

    #[test]
    fn metadata_is_of_this_resource_alone() {
        let challenges = of("https://example.com/team/a/mcp");
        let more = || vec!["orders:write".to_owned(), "mcp".to_owned()];
        for path in ["", "/", "/mcp", "/team/a/mcp"] {
            let metadata = challenges.metadata(path, more()).expect(path);
            assert_eq!(metadata["resource"], "https://example.com/team/a/mcp");
            assert_eq!(metadata["authorization_servers"], json!(["https://id.example.com/"]));
            assert_eq!(metadata["scopes_supported"], json!(["mcp", "orders:write"]));
        }
        assert_eq!(challenges.metadata("/other", more()), None);
    }
}
