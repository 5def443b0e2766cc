use std::ffi::OsString;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn redactor(secret: &str) -> Redactor {
    Redactor::new([&Secret::new(secret)])
}

#[test]
fn a_secret_is_found_in_a_json_pointer() {
    let redactor = redactor("a/b~c/d");
    for text in ["/body/a~1b~0c~1d", "#/body/a~1b%7E0c~1d", r"/body/a~1b\u007e0c~1d/0"] {
        let clean = redactor.text(text);
        assert!(clean.contains(REDACTED) && clean.contains("/body/"), "{clean}");
    }
}

#[test]
fn a_reference_survives_being_printed() {
    for text in ["env:API_KEY", "file:keys/api", "cred:api-key", "exec:vault read 'a b'"] {
        let reference: SecretRef = text.parse().expect("a reference");
        assert_eq!(reference.to_string(), text);
    }
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    for literal in
        ["hunter2-hunter2", "Bearer hunter2", "", "https://u:hunter2@host", "ENV:hunter2"]
    {
        let error = literal.parse::<SecretRef>().expect_err("a literal");
        assert_eq!(error, SecretError::Literal);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[test]
fn a_reference_without_a_usable_name_is_refused() {
    for text in [
        "env:",
        "env:A=B",
        "file:",
        "cred:",
        "cred:..",
        "cred:a/b",
        "exec:",
        "exec: ",
        "exec:'a",
        "keyring:x",
    ] {
        let error = text.parse::<SecretRef>().expect_err(text);
        assert!(matches!(error, SecretError::BadName { .. }), "{text}");
    }
}

#[test]
fn a_secret_comes_from_where_its_reference_says() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("key"), "from-file\n").expect("a file");
    let environment = |name: &str| match name {
        "KEY" => Some(OsString::from("from-env")),
        "CREDENTIALS_DIRECTORY" => Some(folder.path().into()),
        _ => None,
    };
    for (text, value) in [
        ("env:KEY", "from-env"),
        ("file:key", "from-file"),
        ("cred:key", "from-file"),
        ("exec:cat key", "from-file"),
    ] {
        let reference: SecretRef = text.parse().expect("a reference");
        let secret = reference.resolve_in(folder.path(), environment).expect(text);
        assert_eq!(secret.expose(), value, "{text}");
    }
}

#[test]
fn a_secret_that_is_missing_empty_or_no_text_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("empty"), "\r\n").expect("a file");
    std::fs::write(folder.path().join("bytes"), [0xff]).expect("a file");
    std::fs::write(folder.path().join("large"), "x".repeat(70_000)).expect("a file");
    let fails = |text: &str| {
        let reference: SecretRef = text.parse().expect("a reference");
        reference.resolve_in(folder.path(), |_| None).expect_err(text)
    };
    assert!(matches!(fails("env:KEY"), SecretError::Missing { .. }));
    assert!(matches!(fails("cred:key"), SecretError::Missing { .. }));
    assert!(matches!(fails("file:absent"), SecretError::Missing { .. }));
    assert!(matches!(fails("file:empty"), SecretError::Empty { .. }));
    assert!(matches!(fails("file:bytes"), SecretError::NotText { .. }));
    assert!(matches!(fails("file:large"), SecretError::NotText { .. }));
}

#[test]
fn the_process_environment_is_where_resolve_looks() {
    let reference = SecretRef::Env("CARGO_MANIFEST_DIR".into());
    assert!(reference.resolve(Path::new(".")).is_ok());
}

#[test]
fn a_secret_does_not_print() {
    let secret = Secret::new("hunter2");
    assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
    assert_eq!(format!("{:?}", redactor("hunter2")), "Redactor(…)");
}

#[test]
fn a_redactor_without_secrets_changes_nothing() {
    let text = "a%2Fb\\n&amp;";
    assert_eq!(Redactor::default().text(text), text);
    assert_eq!(redactor("").text(text), text);
    assert!(!Redactor::default().bytes_contain(b"a"));
}

#[test]
fn every_spelling_of_a_secret_is_found() {
    let secret = "p@ss/w\"örd &1";
    let redactor = redactor(secret);
    for text in [
        "p@ss/w\"örd &1",
        "p%40ss%2Fw%22%C3%B6rd%20%261",
        "p%40ss%2fw%22%c3%b6rd%20%261",
        "p@ss/w%22%C3%b6rd%20&1",
        "%70%40%73%73%2f%77%22%c3%b6%72%64%20%26%31",
        "p%40ss%2Fw%22%C3%B6rd+%261",
        "p%2540ss%252Fw%2522%25C3%25B6rd%2520%25261",
        "p@ss/w\\\"örd &1",
        "p@ss\\/w\\u0022\\u00F6rd \\u00261",
        "p@ss/w\\\\\\\"örd &1",
        "p@ss/w&quot;&#xf6;rd &amp;1",
        "cEBzcy93IsO2cmQgJjE",
        "704073732f7722c3b67264202631",
        "704073732F7722C3B67264202631",
    ] {
        let clean = redactor.text(&format!("<é{text}é>")).into_owned();
        assert_eq!(clean, "<é[redacted]é>", "{text}");
        assert!(redactor.bytes_contain(text.as_bytes()), "{text}");
    }
}

#[test]
fn hex_is_found_in_any_case() {
    let redactor = redactor("jklmnoz");
    for text in ["6a6B6c6D6e6F7a", "6A6b6C6d6E6f7A", "6a6b6c6d6e6f7A"] {
        assert_eq!(redactor.text(&format!("<{text}>")), "<[redacted]>");
        assert!(redactor.bytes_contain(text.as_bytes()));
    }
    assert_eq!(redactor.text("JKLMNOZ"), "JKLMNOZ");
}

/// A text broken into lines.
fn broken(text: &str, width: usize, line_break: &str) -> String {
    let lines: Vec<&str> =
        (0..text.len()).step_by(width).map(|at| &text[at..text.len().min(at + width)]).collect();
    lines.join(line_break)
}

#[test]
fn base64_and_hex_are_found_over_line_breaks() {
    let secret = "s3cr3t-of-some-length";
    let redactor = redactor(secret);
    let long = format!("{}{secret}{}", "x".repeat(40), "y".repeat(40));
    for line_break in ["\n", "\r\n", "\r", "\n  ", "\\r\\n", "&#13;&#10;", "%0D%0A", "\\\\n"] {
        for width in [60, 64, 76] {
            for whole in [STANDARD.encode(&long), hex::encode(&long)] {
                let text = broken(&whole, width, line_break);
                assert!(redactor.bytes_contain(text.as_bytes()), "{width} {line_break:?}");
                let clean = redactor.text(&text);
                assert!(clean.contains(REDACTED), "{clean}");
                assert!(!redactor.bytes_contain(clean.as_bytes()), "{clean}");
                assert!(clean.starts_with(&whole[..50]), "{clean}");
                assert!(clean.ends_with(&whole[whole.len() - 4..]), "{clean}");
            }
        }
    }
}

#[test]
fn words_on_two_lines_are_no_secret() {
    assert_eq!(redactor("onetwo").text("one\ntwo"), "one\ntwo");
}

#[test]
fn escaped_characters_above_the_basic_plane_are_found() {
    assert_eq!(redactor("key😀").text("key\\ud83d\\ude00!"), "[redacted]!");
    assert_eq!(redactor("key😀").text("key\\ud83d!\\ud83d"), "key\\ud83d!\\ud83d");
}

#[test]
fn text_that_only_looks_escaped_stands_for_itself() {
    let text = "100% \\u12 %zz &; &nothing; \\";
    assert_eq!(redactor("a%41b").text(text), text);
    assert_eq!(redactor("a%41b").text("x a%41b"), "x [redacted]");
}

#[test]
fn a_secret_with_a_percent_sign_is_found_in_a_url_that_left_it_alone() {
    assert_eq!(redactor("a%41bécd").text("?k=a%41b%C3%A9cd"), "?k=[redacted]");
}

#[test]
fn a_short_secret_is_found_as_it_is_only() {
    assert_eq!(redactor("abc").text("abc YWJj 616263"), "[redacted] YWJj 616263");
}

#[test]
fn secrets_that_overlap_leave_nothing_of_either() {
    let redactor = Redactor::new([&Secret::new("abcdef"), &Secret::new("defghi")]);
    assert_eq!(redactor.text("<abcdefghi>"), "<[redacted]>");
}

#[test]
fn what_stands_for_a_secret_is_never_one() {
    assert_eq!(redactor("redacted").text("<redacted>"), "<***>");
    assert_eq!(redactor("a").text("banana"), "b***n***n***");
}

#[test]
fn basic_credentials_are_known_encoded() {
    let password = Secret::new("pw");
    let redactor = Redactor::with_pairs([], [("aladdin", &password)]);
    let sent = STANDARD.encode("aladdin:pw");
    assert_eq!(redactor.text(&format!("Basic {sent}")), "Basic [redacted]==");
}

#[test]
fn a_json_value_is_redacted_at_every_depth() {
    let mut value: Value = serde_json::from_str(
        r#"{"a": ["x 12345678", {"12345678": 12345678, "12345678 ": 1}], "n": 912345678.0, "m": 1234567, "b": true}"#,
    )
    .expect("JSON");
    redactor("12345678").value(&mut value);
    assert_eq!(
        value,
        json!({"a": ["x [redacted]", {"[redacted]": "[redacted]", "[redacted] ": 1}],
            "n": "[redacted]", "m": 1_234_567, "b": true})
    );
}

#[test]
fn member_names_that_become_equal_are_all_kept() {
    let mut value = json!({"secret1": 1, "secret2": 2});
    Redactor::new([&Secret::new("secret1"), &Secret::new("secret2")]).value(&mut value);
    assert_eq!(value, json!({"[redacted]": 1, "[redacted]_2": 2}));
}

#[test]
fn a_short_secret_takes_only_the_number_that_it_spells() {
    let mut value = json!([7, 77]);
    redactor("7").value(&mut value);
    assert_eq!(value, json!(["[redacted]", 77]));
}

#[test]
fn inbound_keys_are_masked_by_shape() {
    let key = format!("tb_a1b2_{}", "x-_9".repeat(11));
    for (text, masked) in [
        (format!("Bearer {key}, {key}"), "Bearer tb_a1b2_[redacted], tb_a1b2_[redacted]"),
        (format!("tb_tb_{key}é"), "tb_tb_[redacted]é"),
        ("tb_a1b2_short tb__ tb_".to_owned(), "tb_a1b2_short tb__ tb_"),
    ] {
        assert_eq!(mask_keys(&text), masked);
        assert_eq!(Redactor::default().text(&text), masked);
        assert_eq!(redactor("unrelated").text(&text), masked);
    }
}

/// What most encoders leave alone (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a lenient encoder escapes: no more than what its own decoder would misread.
const LENIENT: &AsciiSet = &CONTROLS.add(b'%').add(b' ');

fn percent_everything(text: &str, upper: bool) -> String {
    let digit = |byte: u8| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
    text.bytes().map(digit).collect()
}

/// Every encoding of a secret between what an upstream may put around it.
fn encodings(before: &str, secret: &str, after: &str) -> Vec<String> {
    let whole = format!("{before}{secret}{after}");
    let json = serde_json::to_string(&whole).expect("a string");
    vec![
        whole.clone(),
        json.clone(),
        serde_json::to_string(&json).expect("a string"),
        utf8_percent_encode(&whole, UNRESERVED).to_string(),
        utf8_percent_encode(&whole, NON_ALPHANUMERIC).to_string().to_lowercase(),
        utf8_percent_encode(&whole, LENIENT).to_string(),
        percent_everything(&whole, true),
        percent_everything(&whole, false),
        url::form_urlencoded::byte_serialize(whole.as_bytes()).collect(),
        hex::encode(&whole),
        hex::encode_upper(&whole),
        STANDARD.encode(&whole),
        URL_SAFE.encode(&whole),
        broken(&STANDARD.encode(&whole), 4, "\r\n"),
        broken(&hex::encode(&whole), 6, "\n"),
    ]
}

proptest! {
    #[test]
    fn no_encoding_of_a_secret_leaks(
        secret in "[ -~é😀]{4,24}",
        before in "[ -~é]{0,9}",
        after in "[ -~é]{0,9}",
    ) {
        // The lower-cased encoding is none of an upper-case letter.
        let redactor = redactor(&secret);
        for (i, text) in encodings(&before, &secret, &after).iter().enumerate() {
            if i == 4 && secret.bytes().any(|b| b.is_ascii_uppercase()) {
                continue;
            }
            prop_assert!(redactor.bytes_contain(text.as_bytes()), "{i}: {text}");
            let clean = redactor.text(text);
            prop_assert!(!redactor.bytes_contain(clean.as_bytes()), "{i}: {text} → {clean}");
        }
    }

    #[test]
    fn redaction_never_panics_and_leaves_other_text(secret in "\\PC{1,12}", text in "\\PC{0,60}|[%&\\\\+u0-9a-f;#x]{0,60}") {
        let redactor = redactor(&secret);
        let clean = redactor.text(&text);
        if !redactor.bytes_contain(text.as_bytes()) {
            prop_assert_eq!(&*clean, &*text);
        }
    }
}

#[test]
fn what_is_learned_is_redacted_beside_what_was_known() {
    let redactor = Redactor::growing([&Secret::new("known-from-the-start")], []);
    let clone = redactor.clone();
    let text = "known-from-the-start issued-later-on";
    assert_eq!(clone.text(text), format!("{REDACTED} issued-later-on"));
    assert!(redactor.learn(&Secret::new("issued-later-on")));
    assert_eq!(clone.text(text), format!("{REDACTED} {REDACTED}"));
    assert!(!Redactor::new([]).learn(&Secret::new("issued-later-on")));
}

fn detecting(instead: Instead) -> Redactor {
    let detectors = Detectors { secrets: true, cards: true, ibans: true, emails: true };
    Redactor::default().with_rules(Rules { detectors, instead })
}

#[test]
fn what_is_told_by_its_form_is_found_as_a_url_spells_it_and_has_the_same_hash() {
    let mask = detecting(Instead::Mask);
    for (text, clean) in [
        ("https://x/q?m=ann%40shop.example&n=1", "https://x/q?m=[redacted]&n=1"),
        ("/mail/ann%2Bx%40shop.example", "/mail/[redacted]"),
        ("?card=4111+1111+1111+1111", "?card=[redacted]"),
        ("?card=4111%201111%201111%201111&", "?card=[redacted]&"),
        ("ann+x@shop.example", "[redacted]"),
        ("100% of a+b, and %zz", "100% of a+b, and %zz"),
    ] {
        assert_eq!(mask.text(text), clean);
        let json = json!({ "url": text }).to_string();
        assert_eq!(mask.leaves_json(&json), text == clean, "{text}");
    }
    // Each of them alone, too.
    let alone =
        |detectors| Redactor::default().with_rules(Rules { detectors, instead: Instead::Mask });
    let emails = alone(Detectors { emails: true, ..Detectors::default() });
    assert_eq!(emails.text("?m=ann%2Bx@shop.example"), "?m=[redacted]");
    assert_eq!(emails.text("?m=ann%40shop.example+x"), "?m=[redacted]+x");
    let secrets = alone(Detectors { secrets: true, ..Detectors::default() });
    let key = format!("-----BEGIN+{0}-----%0AMIIB%0A-----END+{0}-----", "PRIVATE+KEY");
    assert_eq!(secrets.text(&format!("k={key}&x")), "k=[redacted]&x");
    let hook = format!("whsec{}{}", "_", "ab%2B".repeat(8));
    assert_eq!(secrets.text(&format!("k={hook}&x")), "k=[redacted]&x");
    let hash = detecting(Instead::hash(&Secret::new("key")));
    assert_eq!(hash.text("ann%40shop.example"), hash.text("ann@shop.example"));
    assert_ne!(hash.text("bob%40shop.example"), hash.text("ann@shop.example"));
}

#[test]
fn bytes_that_are_no_text_hide_nothing_beside_them() {
    let mask = detecting(Instead::Mask);
    assert_eq!(mask.text("%ff%fe ann%40shop.example é%C3"), "%ff%fe [redacted] é%C3");
    assert_eq!(mask.text("%c3ann%40shop.example"), "%c3[redacted]");
}

#[test]
fn what_is_told_by_its_form_is_found_however_deep_it_stands() {
    let deep = |text: &str| (0..500).fold(json!(text), |inner, _| json!([inner]));
    let mut value = deep("ann@shop.example");
    detecting(Instead::Mask).value(&mut value);
    assert_eq!(value, deep("[redacted]"));
}
