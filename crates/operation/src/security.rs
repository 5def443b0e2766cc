//! What an operation demands of its caller's credentials, as its description says.

use serde::{Deserialize, Serialize};

/// One way to be let in: all of the schemes in it together. An operation lists
/// alternatives; an alternative without schemes means that no credential is needed
/// (OpenAPI 3.1 §4.8.30, Security Requirement Object).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecurityRequirement {
    /// The schemes that must all be satisfied.
    pub all_of: Vec<SchemeUse>,
}

/// A scheme as one requirement uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemeUse {
    /// The scheme's name in the description: the key under `[api.NAME.credentials]`.
    pub name: String,
    /// What it is.
    pub scheme: SecurityScheme,
    /// The scopes that this operation needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// A security scheme of a description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SecurityScheme {
    /// A value in a header, the query or a cookie.
    ApiKey {
        /// Where it goes.
        place: ApiKeyPlace,
        /// Under which name.
        name: String,
    },
    /// HTTP authentication: `basic`, `bearer`, `digest` and so on, in lower case.
    Http {
        /// The authentication scheme (RFC 9110 §11.1).
        scheme: String,
    },
    /// OAuth 2, whose token goes as a bearer token (RFC 6750).
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// The ways to a token.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        flows: Vec<OAuthFlow>,
        /// Where the authorization server describes itself (RFC 8414).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<String>,
    },
    /// OpenID Connect, whose token goes likewise.
    OpenIdConnect {
        /// Where the provider describes itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        discovery: Option<String>,
    },
    /// A client certificate.
    MutualTls,
    /// WS-Security UsernameToken.
    UsernameToken,
    /// Something that the reader does not know, in the description's word.
    Other {
        /// The description's word for it.
        kind: String,
    },
}

/// A way to a token (RFC 6749, RFC 8628). Its URLs are the description's, as they stand there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthFlow {
    /// Which way it is.
    pub grant: Grant,
    /// Where a person gives consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_url: Option<String>,
    /// Where a device asks for a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authorization_url: Option<String>,
    /// Where tokens are given out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// Where they are renewed, if elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_url: Option<String>,
}

/// How a token is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// By a code (RFC 6749 §4.1).
    AuthorizationCode,
    /// By the client's own credentials (§4.4).
    ClientCredentials,
    /// By another device (RFC 8628).
    DeviceAuthorization,
    /// At once (§4.2).
    Implicit,
    /// By the owner's password (§4.3).
    Password,
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiKeyPlace {
    /// A request header.
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
}
