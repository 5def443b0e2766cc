//! An errand of the bridge's own: one question to a server that the configuration names, and its
//! bounded answer.
//!
//! Where it goes is guarded as calls are (`resolve`), no redirect is followed, and an answer that
//! is too long or late is none.

use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use tokio::time::timeout;
use url::Url;

use super::resolve::Guard;
use super::{client, tls};
use crate::secret::Secret;

/// How long an errand may take.
const LONGEST: Duration = Duration::from_secs(10);

/// What runs errands.
#[derive(Debug, Clone)]
pub struct Courier {
    client: reqwest::Client,
}

impl Courier {
    /// One that has asked nobody yet. The error says what is wrong with the connection.
    pub fn new() -> Result<Self, String> {
        let client = client::build(LONGEST, tls::system()?, Guard::new(None)?, None)?;
        Ok(Self { client })
    }

    /// Gets a JSON document: its status, and at most `most` bytes. The error is in words.
    pub async fn get(&self, url: Url, most: usize) -> Result<(StatusCode, Vec<u8>), String> {
        exchange(self.client.get(url), most).await
    }

    /// Posts a form with a proof of who asks, and gets a JSON document.
    pub async fn post(
        &self,
        url: Url,
        authorization: &Secret,
        form: String,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let mut proof = HeaderValue::from_str(authorization.expose())
            .map_err(|_| "who we are to the server cannot be said in a header".to_owned())?;
        proof.set_sensitive(true);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = self.client.post(url).header(AUTHORIZATION, proof).header(CONTENT_TYPE, kind);
        exchange(request.body(form), most).await
    }
}

async fn exchange(
    request: reqwest::RequestBuilder,
    most: usize,
) -> Result<(StatusCode, Vec<u8>), String> {
    let json = HeaderValue::from_static("application/json");
    // Short documents, which are read as they come.
    let plain = HeaderValue::from_static("identity");
    let request = request.header(ACCEPT, json).header(ACCEPT_ENCODING, plain);
    let answered = answered(request, most);
    let late = |_| format!("the server was silent for {} s", LONGEST.as_secs());
    timeout(LONGEST, answered).await.map_err(late)?
}

async fn answered(
    request: reqwest::RequestBuilder,
    most: usize,
) -> Result<(StatusCode, Vec<u8>), String> {
    let unreachable = |_| "the server cannot be reached".to_owned();
    let mut answer = request.send().await.map_err(unreachable)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > most {
            return Err("the server's answer is too long".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((answer.status(), bytes))
}
