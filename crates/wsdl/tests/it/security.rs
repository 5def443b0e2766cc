//! WS-Security: what stands in the header, and what the moment has to do with it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tollbridge_operation::{Arguments, Enclosure, MessageSecurity, Moment, Password};

use super::support::*;

const NOW: Duration = Duration::from_millis(1_764_000_000_250);

fn security(digest: Option<bool>, timestamp: Option<u64>) -> Enclosure {
    let security = MessageSecurity {
        username: "acme<&".to_owned(),
        password: Password::Clear("p<&>".to_owned()),
        digest,
        timestamp: timestamp.map(Duration::from_secs),
        must_understand: true,
    };
    Enclosure { security: Some(security), ..Enclosure::default() }
}

fn envelope(enclosure: &Enclosure, random: u8, version: Version) -> String {
    let wsdl = match version {
        Version::V1_1 => echo("", ""),
        Version::V1_2 => echo("", "").replace("/wsdl/soap/", "/wsdl/soap12/"),
    };
    let moment = Moment { now: NOW, random: [random; 32], to: "http://s.example/" };
    let binding = &operation(&wsdl).binding;
    assert_eq!(binding.check(enclosure), Ok(()));
    envelope_of(&binding.enclose(&Arguments::default(), enclosure, &moment).unwrap())
}

#[test]
fn a_password_as_text_stands_there_with_its_user_alone() {
    insta::assert_snapshot!(lines(&envelope(&security(None, None), 7, Version::V1_1)));
}

#[test]
fn a_digest_has_its_nonce_and_time_and_the_message_its_validity() {
    let envelope = envelope(&security(Some(true), Some(300)), 7, Version::V1_2);
    insta::assert_snapshot!(lines(&envelope));
    assert!(!envelope.contains("p&lt;"));
}

#[test]
fn another_moment_is_another_nonce_and_digest() {
    let with = security(Some(true), None);
    let part = |random, start: &str| {
        let envelope = envelope(&with, random, Version::V1_1);
        let rest = envelope.split_once(start).unwrap().1;
        rest.split(['>', '<']).nth(1).unwrap().to_owned()
    };
    assert_eq!(STANDARD.decode(part(7, ":Nonce ")).unwrap(), [7; 16]);
    assert_ne!(part(7, "#PasswordDigest\""), part(8, "#PasswordDigest\""));
    let binding = operation(&echo("", "")).binding;
    assert!(binding.is_momentary(&with));
    assert!(binding.is_momentary(&security(None, Some(5))));
    assert!(!binding.is_momentary(&security(None, None)));
    assert!(!binding.is_momentary(&Enclosure::default()));
}

#[test]
fn what_is_shown_holds_neither_password_nor_digest() {
    for digest in [None, Some(true)] {
        let shown = envelope(&security(digest, None).shown("[redacted]"), 7, Version::V1_1);
        assert!(shown.contains(">[redacted]</n1:Password>"), "{shown}");
        assert!(!shown.contains("p&lt;"), "{shown}");
    }
    assert!(!format!("{:?}", security(None, None)).contains("p<&>"));
}

#[test]
fn a_user_that_xml_cannot_hold_is_refused() {
    let mut with = security(None, None);
    with.security.as_mut().unwrap().username = "a\u{0}".to_owned();
    let error = operation(&echo("", "")).binding.check(&with).unwrap_err();
    assert_eq!(error.pointer, "/security/username");
}
