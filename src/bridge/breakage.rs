//! What broke, in our words. An error of the HTTP library would print URLs, and with them
//! keys in a query; it never leaves this file.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::oauth::NoToken;
use super::resolve::Misled;

/// What broke a request off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Breakage {
    /// The message could not be made anew.
    NoMessage,
    /// There is no token to send it with.
    NoToken(NoToken),
    /// The host's name has no address.
    Dns,
    /// The host's name leads to where it may not: why.
    Misled(String),
    /// Nobody listens.
    Refused,
    /// No connection in time.
    NotConnected,
    /// The network says that there is no way.
    Unreachable,
    /// The certificate is not trusted: why.
    NotTrusted(&'static str),
    /// No TLS session.
    Tls,
    /// No answer in time.
    TimedOut(Duration),
    /// The connection ended before the answer did.
    BrokenOff,
    /// The answer's body cannot be decompressed, or its end is missing.
    BodyBroken,
}

impl Breakage {
    /// Reads an error that came instead of an answer's head. `connected` is whether the
    /// request was handed to a connection.
    pub(super) fn of(error: &reqwest::Error, connected: bool, after: Duration) -> Self {
        if let Some(misled) = find::<Misled>(error) {
            return Self::Misled(misled.0.clone());
        }
        if error.is_dns() {
            return Self::Dns;
        }
        if let Some(tls) = find::<rustls::Error>(error) {
            return of_tls(tls);
        }
        let io = find::<io::Error>(error).map(io::Error::kind);
        match io {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                Self::Unreachable
            }
            _ if error.is_timeout() && !connected => Self::NotConnected,
            _ if error.is_timeout() => Self::TimedOut(after),
            _ => Self::BrokenOff,
        }
    }

    /// What happened, in a word: for metrics and spans (`error.type`).
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::NoMessage => "no_message",
            Self::NoToken(_) => "no_token",
            Self::Dns => "name_not_resolved",
            Self::Misled(_) => "address_refused",
            Self::Refused => "connection_refused",
            Self::NotConnected => "connection_timeout",
            Self::Unreachable => "host_unreachable",
            Self::NotTrusted(_) => "certificate_not_trusted",
            Self::Tls => "tls_failed",
            Self::TimedOut(_) => "timeout",
            Self::BrokenOff => "connection_broken",
            Self::BodyBroken => "body_broken",
        }
    }

    /// What happened, as the end of a sentence that names the API.
    pub(super) fn words(&self) -> String {
        match self {
            Self::NoMessage => "its message could not be made anew for this attempt".to_owned(),
            Self::NoToken(why) => why.words(),
            Self::Dns => "its host name cannot be resolved".to_owned(),
            Self::Misled(why) => why.clone(),
            Self::Refused => "it refuses connections".to_owned(),
            Self::NotConnected => "no connection came about in time".to_owned(),
            Self::Unreachable => "its host cannot be reached".to_owned(),
            Self::NotTrusted(why) => format!("its certificate is not trusted: {why}"),
            Self::Tls => "no TLS session came about (does it speak https on this port?)".to_owned(),
            Self::TimedOut(after) => format!("it did not answer within {}", seconds(*after)),
            Self::BrokenOff => "it broke the connection off, or spoke no HTTP".to_owned(),
            Self::BodyBroken => "its answer broke off, or is not compressed as it says".to_owned(),
        }
    }
}

/// A duration as a person says it.
pub(super) fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{} s", duration.as_secs())
    }
}

fn of_tls(error: &rustls::Error) -> Breakage {
    use rustls::CertificateError as Certificate;
    let rustls::Error::InvalidCertificate(error) = error else { return Breakage::Tls };
    Breakage::NotTrusted(match error {
        Certificate::Expired | Certificate::ExpiredContext { .. } => "it has expired",
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => "it is not valid yet",
        Certificate::Revoked => "it was revoked",
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
            "it is for another host"
        }
        Certificate::UnknownIssuer => "its issuer is not among the certificates of this machine",
        _ => "it is not valid",
    })
}

/// The first error of a kind among an error's causes. `io::Error` shows what it wraps as
/// its own inside, not as its cause.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inside.and_then(|inside| find::<E>(inside)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}
