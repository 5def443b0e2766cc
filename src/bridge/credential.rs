//! Which credential an operation gets, and how it looks in a request.
//!
//! A credential that is configured for an API goes with every operation. Credentials by
//! scheme go as the description asks: the first alternative whose schemes are all there
//! (`OpenAPI` 3.1 §4.8.30). Nothing is guessed: where none is complete, nothing is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tollbridge_operation::{
    ApiKeyPlace, Identity, MessageSecurity, Operation, Password, SchemeUse, SecurityRequirement,
    SecurityScheme,
};

use super::digest::Digest;
use super::oauth::TokenSource;
use super::session::Session;
use super::sign::Signer;
use crate::secret::Secret;

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What an API's operations are authenticated with.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    None,
    /// One credential, whatever the description says.
    ForAll(Credential),
    /// One for each caller, whatever the description says.
    ByIdentity {
        /// Those of their own, by the names of identities.
        own: BTreeMap<String, Credential>,
        /// What all others have; nothing: they cannot call.
        others: Option<Credential>,
    },
    /// One for each security scheme of the description, by its name there.
    ByScheme(BTreeMap<String, Credential>),
}

impl Credentials {
    /// Whether callers are told apart by them.
    pub(super) fn are_by_identity(&self) -> bool {
        let differs = |credential: &Credential| match credential {
            Credential::OAuth(source) => source.is_by_identity(),
            _ => false,
        };
        match self {
            Self::None => false,
            Self::ForAll(credential) => differs(credential),
            Self::ByScheme(by_name) => by_name.values().any(differs),
            Self::ByIdentity { .. } => true,
        }
    }

    /// The credential that goes with every operation: of callers with their own, one of them
    /// stands for all.
    pub(super) fn for_most(&self) -> Option<&Credential> {
        match self {
            Self::ForAll(credential) => Some(credential),
            Self::ByIdentity { own, others } => others.as_ref().or_else(|| own.values().next()),
            Self::None | Self::ByScheme(_) => None,
        }
    }
}

/// Where a credential for all of an API comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// An operation of the description asks for it.
    Declared,
    /// None does: whoever set it knows of the API what its description does not say.
    Added,
}

/// A credential, its secret resolved.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An API key.
    ApiKey {
        /// Where it goes; `None` is where the description's scheme says.
        at: Option<ApiKeyAt>,
        /// The key.
        value: Secret,
    },
    /// HTTP basic authentication (RFC 7617).
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token (RFC 6750 §2.1).
    Bearer {
        /// The token.
        token: Secret,
    },
    /// A `UsernameToken` in the message itself (OASIS WSS `UsernameToken` Profile 1.1.1).
    Wsse {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
        /// Whether it is sent as a digest; `None`: as the description says, else as text.
        digest: Option<bool>,
        /// How long a message is valid; `None`: as the description says, else unsaid.
        timestamp: Option<Duration>,
        /// Whether a service that knows no WS-Security must refuse the message.
        must_understand: bool,
    },
    /// HTTP digest authentication (RFC 7616).
    Digest(Arc<Digest>),
    /// A bearer token that is asked for when it is needed (RFC 6749).
    OAuth(Arc<TokenSource>),
    /// A session that a declared operation opens.
    Session(Arc<Session>),
    /// A signature of each request.
    Signed(Arc<Signer>),
}

/// Where an API key goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyAt {
    /// In what.
    pub place: ApiKeyPlace,
    /// Under which name.
    pub name: String,
}

/// What credentials add to a request.
#[derive(Debug, Default)]
pub(super) struct Additions {
    /// Headers; their values are marked as sensitive.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Parts of the query, encoded: name and value.
    pub(super) query: Vec<(String, String)>,
    /// Cookies, encoded: name and value.
    pub(super) cookies: Vec<(String, String)>,
    /// What goes into the message itself.
    pub(super) security: Option<MessageSecurity>,
    /// What can be added only once the server has asked for it.
    pub(super) digest: Option<Arc<Digest>>,
    /// Where the token comes from that is added just before sending.
    pub(super) token: Option<Arc<TokenSource>>,
    /// The session that is opened before sending.
    pub(super) session: Option<Arc<Session>>,
    /// What signs the request last of all.
    pub(super) signer: Option<Arc<Signer>>,
}

/// What there is for the schemes of a description.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    /// The credentials, by the names of their schemes.
    pub(super) by_name: &'a BTreeMap<String, Credential>,
    /// Whether connections present a certificate.
    pub(super) has_certificate: bool,
}

/// Why an operation cannot be authenticated.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unauthenticated {
    /// These schemes have no credential that fits them.
    Missing(Vec<String>),
    /// A credential cannot be put into a request: what is wrong, in words, without its value.
    Unusable(&'static str),
    /// This caller has none, and there is none for all.
    Nobody,
}

/// What the operation's request gets.
pub(super) fn additions(
    credentials: &Credentials,
    has_certificate: bool,
    operation: &Operation,
    identity: &Identity,
) -> Result<Additions, Unauthenticated> {
    let mut additions = Additions::default();
    match credentials {
        Credentials::None => {}
        Credentials::ForAll(credential) => additions.add(credential, None)?,
        Credentials::ByIdentity { own, others } => {
            let theirs = own.get(identity.as_str()).or(others.as_ref());
            additions.add(theirs.ok_or(Unauthenticated::Nobody)?, None)?;
        }
        Credentials::ByScheme(by_name) => {
            let given = Given { by_name, has_certificate };
            let missing = missing(given, operation);
            if !missing.is_empty() {
                return Err(Unauthenticated::Missing(missing));
            }
            for (scheme, credential) in chosen(given, operation).unwrap_or_default() {
                if let Fitting::Credential(credential) = credential {
                    additions.add(credential, Some(&scheme.scheme))?;
                }
            }
        }
    }
    Ok(additions)
}

/// The schemes without which the operation cannot be called: none where it can, else those
/// of the alternative that lacks the fewest.
pub(super) fn missing(given: Given<'_>, operation: &Operation) -> Vec<String> {
    operation
        .security
        .iter()
        .map(|requirement| {
            let lacks = |scheme: &&SchemeUse| fitting(given, scheme).is_none();
            requirement.all_of.iter().filter(lacks).map(|scheme| scheme.name.clone()).collect()
        })
        .min_by_key(Vec::len)
        .unwrap_or_default()
}

/// The same where one credential goes with every call: it stands for the schemes that it can be.
pub(super) fn missing_beside(
    credential: &Credential,
    has_certificate: bool,
    operation: &Operation,
) -> Vec<String> {
    let is_there = |scheme: &SecurityScheme| match scheme {
        SecurityScheme::MutualTls => has_certificate,
        scheme => stands_for(credential, scheme),
    };
    operation
        .security
        .iter()
        .map(|requirement| {
            let lacks = |used: &&SchemeUse| !is_there(&used.scheme);
            requirement.all_of.iter().filter(lacks).map(|used| used.name.clone()).collect()
        })
        .min_by_key(Vec::len)
        .unwrap_or_default()
}

/// Whether a credential, where it goes, is what a scheme asks for.
pub(super) fn stands_for(credential: &Credential, scheme: &SecurityScheme) -> bool {
    // A value of the header `Authorization`, as an API key of that place or as what makes one.
    let is_authorization =
        |place: ApiKeyPlace, name: &str| place == ApiKeyPlace::Header && AUTHORIZATION == *name;
    match (credential, scheme) {
        (Credential::ApiKey { at: Some(at), .. }, SecurityScheme::ApiKey { place, name }) => {
            let same = match place {
                ApiKeyPlace::Header => at.name.eq_ignore_ascii_case(name),
                ApiKeyPlace::Query | ApiKeyPlace::Cookie => at.name == *name,
            };
            at.place == *place && same
        }
        (Credential::ApiKey { at: Some(at), .. }, SecurityScheme::Http { .. })
        | (
            Credential::ApiKey { at: Some(at), .. },
            SecurityScheme::OAuth2 { .. } | SecurityScheme::OpenIdConnect { .. },
        ) => is_authorization(at.place, &at.name.to_ascii_lowercase()),
        (
            Credential::Basic { .. }
            | Credential::Bearer { .. }
            | Credential::Digest(_)
            | Credential::OAuth(_),
            SecurityScheme::ApiKey { place, name },
        ) => is_authorization(*place, &name.to_ascii_lowercase()),
        (Credential::Basic { .. }, SecurityScheme::Http { scheme }) => scheme == "basic",
        (Credential::Bearer { .. } | Credential::OAuth(_), SecurityScheme::Http { scheme }) => {
            scheme == "bearer"
        }
        (Credential::Digest(_), SecurityScheme::Http { scheme }) => scheme == "digest",
        (
            Credential::Bearer { .. } | Credential::OAuth(_),
            SecurityScheme::OAuth2 { .. } | SecurityScheme::OpenIdConnect { .. },
        )
        | (Credential::Wsse { .. }, SecurityScheme::UsernameToken)
        // A session and a signature are schemes that `OpenAPI` has no kind for: they are in the
        // place of whatever it says of headers and cookies.
        | (
            Credential::Session(_),
            SecurityScheme::ApiKey { .. } | SecurityScheme::Http { .. },
        )
        | (
            Credential::Signed(_),
            SecurityScheme::ApiKey { place: ApiKeyPlace::Header, .. }
            | SecurityScheme::Http { .. },
        )
        // Nobody can tell what it asks for.
        | (_, SecurityScheme::Other { .. }) => true,
        _ => false,
    }
}

/// The certificates that the operation cannot be called without, by the names of their schemes:
/// none where an alternative wants none.
pub(super) fn certificates(operation: &Operation) -> Vec<String> {
    let of_one = |requirement: &SecurityRequirement| -> Vec<String> {
        let schemes = requirement.all_of.iter();
        schemes
            .filter(|used| used.scheme == SecurityScheme::MutualTls)
            .map(|used| used.name.clone())
            .collect()
    };
    operation.security.iter().map(of_one).min_by_key(Vec::len).unwrap_or_default()
}

/// The first alternative that is complete and asks for something. An alternative that asks
/// for nothing makes the others optional; a credential that is there is used all the same.
fn chosen<'a>(
    given: Given<'a>,
    operation: &'a Operation,
) -> Option<Vec<(&'a SchemeUse, Fitting<'a>)>> {
    operation.security.iter().filter(|requirement| !requirement.all_of.is_empty()).find_map(
        |requirement| {
            let schemes = requirement.all_of.iter();
            schemes.map(|scheme| Some((scheme, fitting(given, scheme)?))).collect()
        },
    )
}

/// What satisfies a scheme.
enum Fitting<'a> {
    Credential(&'a Credential),
    /// The connection does.
    Certificate,
}

/// The credential for a scheme, if it is of the scheme's kind.
fn fitting<'a>(given: Given<'a>, scheme: &SchemeUse) -> Option<Fitting<'a>> {
    if given.has_certificate && scheme.scheme == SecurityScheme::MutualTls {
        return Some(Fitting::Certificate);
    }
    let credential = given.by_name.get(&scheme.name)?;
    let fits = match (&scheme.scheme, credential) {
        (SecurityScheme::Http { scheme }, Credential::Basic { .. }) => scheme == "basic",
        (SecurityScheme::Http { scheme }, Credential::Bearer { .. } | Credential::OAuth(_)) => {
            scheme == "bearer"
        }
        (SecurityScheme::Http { scheme }, Credential::Digest(_)) => scheme == "digest",
        (SecurityScheme::OAuth2 { .. } | SecurityScheme::OpenIdConnect { .. }, Credential::Bearer { .. } | Credential::OAuth(_))
        | (SecurityScheme::ApiKey { .. }, Credential::ApiKey { .. })
        | (SecurityScheme::UsernameToken, Credential::Wsse { .. })
        | (
            SecurityScheme::ApiKey { .. } | SecurityScheme::Http { .. } | SecurityScheme::Other { .. },
            Credential::Session(_) | Credential::Signed(_),
        )
        // A key at a place of the user's choice stands in for a scheme that we do not speak.
        | (_, Credential::ApiKey { at: Some(_), .. }) => true,
        _ => false,
    };
    fits.then_some(Fitting::Credential(credential))
}

impl Additions {
    fn add(
        &mut self,
        credential: &Credential,
        scheme: Option<&SecurityScheme>,
    ) -> Result<(), Unauthenticated> {
        match credential {
            Credential::ApiKey { at, value } => {
                let (place, name) = match (at, scheme) {
                    (Some(at), _) => (at.place, at.name.as_str()),
                    (None, Some(SecurityScheme::ApiKey { place, name })) => (*place, name.as_str()),
                    (None, _) => {
                        return Err(Unauthenticated::Unusable("an API key has no place to go"));
                    }
                };
                self.add_key(place, name, value)
            }
            Credential::Basic { username, password } => {
                let pair = format!("{username}:{}", password.expose());
                self.add_header(AUTHORIZATION, &format!("Basic {}", STANDARD.encode(pair)))
            }
            Credential::Bearer { token } => {
                self.add_header(AUTHORIZATION, &format!("Bearer {}", token.expose()))
            }
            Credential::Wsse { username, password, digest, timestamp, must_understand } => {
                self.security = Some(MessageSecurity {
                    username: username.clone(),
                    password: Password::Clear(password.expose().to_owned()),
                    digest: *digest,
                    timestamp: *timestamp,
                    must_understand: *must_understand,
                });
                Ok(())
            }
            Credential::Digest(digest) => {
                self.digest = Some(Arc::clone(digest));
                Ok(())
            }
            Credential::OAuth(source) => {
                self.token = Some(Arc::clone(source));
                Ok(())
            }
            Credential::Session(session) => {
                self.session = Some(Arc::clone(session));
                Ok(())
            }
            Credential::Signed(signer) => {
                self.signer = Some(Arc::clone(signer));
                Ok(())
            }
        }
    }

    fn add_key(
        &mut self,
        place: ApiKeyPlace,
        name: &str,
        value: &Secret,
    ) -> Result<(), Unauthenticated> {
        match place {
            ApiKeyPlace::Header => {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                    Unauthenticated::Unusable("an API key's header has no valid name")
                })?;
                self.add_header(name, value.expose())
            }
            ApiKeyPlace::Query => {
                self.query.push((encoded(name), encoded(value.expose())));
                Ok(())
            }
            ApiKeyPlace::Cookie => {
                let value = value.expose();
                if !is_cookie_value(value) {
                    let reason = "a secret has characters that a cookie cannot carry";
                    return Err(Unauthenticated::Unusable(reason));
                }
                self.cookies.push((encoded(name), value.to_owned()));
                Ok(())
            }
        }
    }

    fn add_header(&mut self, name: HeaderName, value: &str) -> Result<(), Unauthenticated> {
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            Unauthenticated::Unusable("a secret has characters that a header cannot carry")
        })?;
        value.set_sensitive(true);
        self.headers.push((name, value));
        Ok(())
    }
}

/// RFC 6265 §4.1.1. A cookie is sent as it was given out, with whatever encoding it has already.
fn is_cookie_value(value: &str) -> bool {
    let within = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let is_octet = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    within.unwrap_or(value).bytes().all(is_octet)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Whether a credential could be put into some request. Asked once, when an upstream is made.
pub(super) fn check(credential: &Credential, needs_place: bool) -> Result<(), &'static str> {
    match credential {
        Credential::ApiKey { at: None, .. } if needs_place => {
            return Err("an API key for the whole API needs `in` and `name`");
        }
        // Where it goes is known with the operation.
        Credential::ApiKey { at: None, .. } => return Ok(()),
        // RFC 7617 §2: the first colon ends the user.
        Credential::Basic { username, .. } if username.contains(':') => {
            return Err("the username of basic authentication cannot contain `:`");
        }
        _ => {}
    }
    match Additions::default().add(credential, None) {
        Ok(()) => Ok(()),
        Err(Unauthenticated::Unusable(reason)) => Err(reason),
        Err(Unauthenticated::Missing(_) | Unauthenticated::Nobody) => {
            Err("a credential is missing")
        }
    }
}
