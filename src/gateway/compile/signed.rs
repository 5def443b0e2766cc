//! Credentials that sign requests, and those that an operation of the API gives.

use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;
use serde_json::Value;
use tollbridge_operation::{ApiName, Arguments};

use super::apis::Upstreams;
use super::enclosure::filled;
use crate::bridge::{
    MessageKey, MessageSigner, Session, SessionLogin, SessionToken, SigV4, Signer, UpstreamError,
    session_prefix,
};
use crate::config::{Auth, Encoding, Located, SessionAuth, SignatureAuth};

impl Upstreams<'_> {
    /// What signs an API's requests.
    pub(super) fn signer(&self, name: &ApiName, auth: &Auth) -> Result<Arc<Signer>, UpstreamError> {
        let secrets = self.secrets;
        let signer = match auth {
            Auth::Sigv4(sigv4) => Signer::SigV4(SigV4 {
                access_key_id: secrets.text(&sigv4.access_key_id),
                secret_access_key: secrets.get(&sigv4.secret_access_key),
                session_token: sigv4.session_token.as_ref().map(|token| secrets.get(token)),
                region: (*sigv4.region).clone(),
                service: (*sigv4.service).clone(),
            }),
            Auth::Signature(signature) => {
                let signer = self.message_signer(signature);
                let unusable = |reason| UpstreamError::Credential { api: name.clone(), reason };
                Signer::Message(signer.map_err(unusable)?)
            }
            _ => {
                let reason = "it is of a kind that signs nothing".to_owned();
                return Err(UpstreamError::Credential { api: name.clone(), reason });
            }
        };
        Ok(Arc::new(signer))
    }

    fn message_signer(&self, auth: &SignatureAuth) -> Result<MessageSigner, String> {
        let secrets = self.secrets;
        let encoding = auth.encoding.as_deref().copied().unwrap_or_default();
        let key = match (&auth.secret, encoding) {
            (Some(secret), Encoding::Base64) if secrets.are_real() => {
                MessageKey::of_base64(&secrets.get(secret))
                    .map_err(|reason| format!("`secret` {reason}"))?
            }
            (Some(secret), _) => MessageKey::Shared(secrets.get(secret)),
            (None, _) => {
                let pem = auth.key.as_ref().map(|key| secrets.get(key));
                MessageKey::Private(self.tokens.key(pem, None, "key")?)
            }
        };
        let text = |text: &Option<Located<String>>| text.as_ref().map(|text| (**text).clone());
        let components = auth.components.as_ref();
        let components =
            components.map(|all| all.iter().map(|component| (**component).clone()).collect());
        MessageSigner::new(
            key,
            &auth.key_id,
            components,
            text(&auth.label).as_deref(),
            auth.expires.as_ref().map(|period| period.0),
            text(&auth.tag).as_deref(),
        )
    }

    /// All sessions that were made.
    pub(super) fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.values().cloned().collect()
    }

    /// The sessions of an API: one for all of its upstreams.
    pub(super) fn session(
        &mut self,
        name: &ApiName,
        scheme: Option<&str>,
        auth: &SessionAuth,
    ) -> Result<Arc<Session>, UpstreamError> {
        let key = (name.clone(), scheme.map(str::to_owned));
        if let Some(made) = self.sessions.get(&key) {
            return Ok(Arc::clone(made));
        }
        let unusable = |reason: String| UpstreamError::Credential { api: name.clone(), reason };
        let operations = self.catalog.api(name).map(|api| &api.operations[..]);
        let named = |key: &str| key == auth.login.as_str();
        let operation = operations
            .unwrap_or_default()
            .iter()
            .find(|operation| named(operation.id.key.as_str()))
            .ok_or_else(|| {
                unusable(format!("its `login` names `{}`, which is no operation of it", auth.login))
            })?;
        let arguments = auth.arguments.as_ref().map(|arguments| {
            filled(&arguments.0, &|reference| self.secrets.get(reference).expose().to_owned())
        });
        let arguments = match arguments {
            Some(Value::Object(members)) => Arguments(members),
            _ => Arguments::default(),
        };
        if let Err(error) = operation.binding.encode(&arguments) {
            return Err(unusable(format!("its `login` cannot be called so: {error}")));
        }
        let header = auth.header.as_ref().and_then(|name| HeaderName::try_from(&***name).ok());
        let header = header.unwrap_or(AUTHORIZATION);
        let token = auth.at.as_ref().map(|at| SessionToken {
            pointer: at.0.clone(),
            prefix: match &auth.prefix {
                Some(prefix) => (**prefix).clone(),
                None => session_prefix(&header).to_owned(),
            },
            header,
        });
        let login = SessionLogin {
            operation: Arc::clone(operation),
            arguments,
            token,
            lifetime: auth.lifetime.as_ref().map(|period| period.0),
        };
        let made = Arc::new(Session::new(login, (**self.redactor).clone()));
        self.sessions.insert(key, Arc::clone(&made));
        Ok(made)
    }
}
