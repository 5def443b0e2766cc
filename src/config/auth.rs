//! How calls prove who they are to an upstream: `auth` and `credentials` of `[api.NAME]`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use tollbridge_operation::ApiKeyPlace;

use super::located::{Keyed, Located};
use super::oauth::{OAuth2, OAuthBy, OAuthClientAuth, OAuthGrant};
use super::signed::{Encoding, SessionAuth, SigV4Auth, SignatureAuth};
use super::values::{BaseUrl, HeaderText, Literal, Period, Pointer};
use crate::secret::SecretRef;

/// A credential for an upstream.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(tag = "kind", rename_all = "snake_case", deny_unknown_fields, inline)]
pub enum Auth {
    /// A value in a header, the query or a cookie.
    ApiKey {
        /// Where it goes; under `credentials` by default where the description says.
        #[schemars(rename = "in", with = "Option<ApiKeyPlaceSchema>")]
        place: Option<ApiKeyPlace>,
        /// Under which name; under `credentials` by default the description's.
        name: Option<Located<String>>,
        /// The key.
        value: Located<SecretRef>,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user, in the open or as a reference.
        username: Located<HeaderText>,
        /// The password.
        password: Located<SecretRef>,
    },
    /// A bearer token (RFC 6750).
    Bearer {
        /// The token.
        token: Located<SecretRef>,
    },
    /// HTTP Digest (RFC 7616).
    Digest {
        /// The user, in the open or as a reference.
        username: Located<HeaderText>,
        /// The password.
        password: Located<SecretRef>,
    },
    /// A `UsernameToken` in the header of each SOAP message (WS-Security).
    Wsse {
        /// The user, in the open or as a reference.
        username: Located<HeaderText>,
        /// The password.
        password: Located<SecretRef>,
        /// Whether the password is sent as a digest; by default as the description says, else
        /// as text.
        digest: Option<bool>,
        /// For how long a message says that it is valid; by default as the description says,
        /// else it does not say.
        timestamp: Option<Located<Period>>,
        /// Whether a service that knows no WS-Security must refuse the message. By default true.
        must_understand: Option<bool>,
    },
    /// A bearer token that is got, and renewed, from an authorization server (RFC 6749).
    Oauth2(Box<OAuth2>),
    /// A signature of each request, as Amazon's services want it (AWS Signature Version 4).
    Sigv4(Box<SigV4Auth>),
    /// A signature of each request (RFC 9421).
    Signature(Box<SignatureAuth>),
    /// A session that an operation of the API opens.
    Session(Box<SessionAuth>),
}

/// The JSON Schema of [`ApiKeyPlace`].
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
#[expect(dead_code, reason = "read by schemars only")]
enum ApiKeyPlaceSchema {
    Header,
    Query,
    Cookie,
}

/// Read by hand: serde's tagged enums lose the places of their members.
impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            ApiKey,
            Basic,
            Bearer,
            Wsse,
            Digest,
            Oauth2,
            Sigv4,
            Signature,
            Session,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            kind: Kind,
            #[serde(rename = "in")]
            place: Option<ApiKeyPlace>,
            name: Option<Located<String>>,
            value: Option<Located<SecretRef>>,
            username: Option<Located<HeaderText>>,
            password: Option<Located<SecretRef>>,
            token: Option<Located<SecretRef>>,
            digest: Option<bool>,
            timestamp: Option<Located<Period>>,
            must_understand: Option<bool>,
            issuer: Option<Located<BaseUrl>>,
            token_url: Option<Located<BaseUrl>>,
            authorization_url: Option<Located<BaseUrl>>,
            device_url: Option<Located<BaseUrl>>,
            grant: Option<OAuthGrant>,
            by: Option<Located<OAuthBy>>,
            client_id: Option<Located<HeaderText>>,
            client_secret: Option<Located<SecretRef>>,
            client_auth: Option<Located<OAuthClientAuth>>,
            client_key: Option<Located<SecretRef>>,
            client_key_id: Option<Located<String>>,
            assertion_key: Option<Located<SecretRef>>,
            assertion_key_id: Option<Located<String>>,
            assertion_issuer: Option<Located<String>>,
            assertion_audience: Option<Located<String>>,
            subjects: Option<Keyed<String, Located<String>>>,
            refresh_token: Option<Located<SecretRef>>,
            access_key_id: Option<Located<HeaderText>>,
            secret_access_key: Option<Located<SecretRef>>,
            session_token: Option<Located<SecretRef>>,
            region: Option<Located<String>>,
            service: Option<Located<String>>,
            secret: Option<Located<SecretRef>>,
            encoding: Option<Located<Encoding>>,
            key: Option<Located<SecretRef>>,
            key_id: Option<Located<String>>,
            components: Option<Vec<Located<String>>>,
            label: Option<Located<String>>,
            expires: Option<Located<Period>>,
            tag: Option<Located<String>>,
            login: Option<Located<String>>,
            arguments: Option<Located<Literal>>,
            at: Option<Located<Pointer>>,
            header: Option<Located<String>>,
            prefix: Option<Located<String>>,
            lifetime: Option<Located<Period>>,
            scopes: Option<Vec<Located<String>>>,
            audience: Option<Located<String>>,
            resource: Option<Located<String>>,
        }
        let members = Members::deserialize(deserializer)?;
        let missing = de::Error::missing_field;
        Ok(match members.kind {
            Kind::ApiKey => Self::ApiKey {
                place: members.place,
                name: members.name,
                value: members.value.ok_or_else(|| missing("value"))?,
            },
            Kind::Basic => Self::Basic {
                username: members.username.ok_or_else(|| missing("username"))?,
                password: members.password.ok_or_else(|| missing("password"))?,
            },
            Kind::Digest => Self::Digest {
                username: members.username.ok_or_else(|| missing("username"))?,
                password: members.password.ok_or_else(|| missing("password"))?,
            },
            Kind::Bearer => Self::Bearer { token: members.token.ok_or_else(|| missing("token"))? },
            Kind::Wsse => Self::Wsse {
                username: members.username.ok_or_else(|| missing("username"))?,
                password: members.password.ok_or_else(|| missing("password"))?,
                digest: members.digest,
                timestamp: members.timestamp,
                must_understand: members.must_understand,
            },
            Kind::Oauth2 => Self::Oauth2(Box::new(OAuth2 {
                issuer: members.issuer,
                token_url: members.token_url,
                authorization_url: members.authorization_url,
                device_url: members.device_url,
                grant: members.grant.unwrap_or_default(),
                by: members.by,
                client_id: members.client_id.ok_or_else(|| missing("client_id"))?,
                client_secret: members.client_secret,
                client_auth: members.client_auth,
                client_key: members.client_key,
                client_key_id: members.client_key_id,
                assertion_key: members.assertion_key,
                assertion_key_id: members.assertion_key_id,
                assertion_issuer: members.assertion_issuer,
                assertion_audience: members.assertion_audience,
                subjects: members.subjects,
                refresh_token: members.refresh_token,
                username: members.username,
                password: members.password,
                scopes: members.scopes,
                audience: members.audience,
                resource: members.resource,
            })),
            Kind::Sigv4 => Self::Sigv4(Box::new(SigV4Auth {
                access_key_id: members.access_key_id.ok_or_else(|| missing("access_key_id"))?,
                secret_access_key: members
                    .secret_access_key
                    .ok_or_else(|| missing("secret_access_key"))?,
                session_token: members.session_token,
                region: members.region.ok_or_else(|| missing("region"))?,
                service: members.service.ok_or_else(|| missing("service"))?,
            })),
            Kind::Signature => Self::Signature(Box::new(SignatureAuth {
                secret: members.secret,
                encoding: members.encoding,
                key: members.key,
                key_id: members.key_id.ok_or_else(|| missing("key_id"))?,
                components: members.components,
                label: members.label,
                expires: members.expires,
                tag: members.tag,
            })),
            Kind::Session => Self::Session(Box::new(SessionAuth {
                login: members.login.ok_or_else(|| missing("login"))?,
                arguments: members.arguments,
                at: members.at,
                header: members.header,
                prefix: members.prefix,
                lifetime: members.lifetime,
            })),
        })
    }
}
