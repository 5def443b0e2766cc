//! WS-Security, and HTTP's own credentials for SOAP services.

use super::*;
use crate::support::{caller, code, request, value};

const WSSE: &str = "auth = { kind = \"wsse\", username = \"acme\", password = \"file:session\", \
                    digest = true, timestamp = \"5m\" }";

fn part<'e>(envelope: &'e str, name: &str) -> &'e str {
    let at = envelope.find(&format!(":{name}")).unwrap_or_else(|| panic!("{name}: {envelope}"));
    envelope[at..].split(['>', '<']).nth(1).unwrap()
}

#[tokio::test]
async fn each_attempt_has_a_nonce_and_a_time_of_its_own() {
    let upstream = Upstream::new([soap(503, ""), seven()]).await;
    let bridge = bridge(&upstream, &wsdl(), WSSE).await;
    value(&bridge.call("get_stock", ARTICLE).await);
    let seen = upstream.seen();
    let [first, second] = seen.as_slice() else { panic!("{seen:?}") };
    for name in ["Nonce", "Password", "Created"] {
        assert_ne!(part(&first.body, name), part(&second.body, name), "{name}");
    }
    assert_eq!(part(&first.body, "Username>"), "acme");
    assert!(first.body.contains(":Security soap:mustUnderstand=\"1\">"), "{}", first.body);
    assert!(first.body.contains("#PasswordDigest"));
    assert!(!first.body.contains("w4rehouse"), "a digest does not hold its password");
    assert!(first.header("authorization").is_none());
}

#[tokio::test]
async fn a_password_as_text_is_on_the_wire_and_nowhere_else() {
    let echo = envelope(
        "<w:GetStockResponse><w:quantity>1</w:quantity>\
         <w:remark>w4rehouse-k3y&lt;&amp;&gt;</w:remark></w:GetStockResponse>",
    );
    let upstream = Upstream::new([soap(200, &echo)]).await;
    let keys = "auth = { kind = \"wsse\", username = \"acme\", password = \"file:session\", \
                must_understand = false }";
    let bridge = bridge(&upstream, &wsdl(), keys).await;
    let reply = bridge.call("get_stock", ARTICLE).await;
    let body = upstream.seen().pop().unwrap().body;
    assert!(body.contains("#PasswordText\">w4rehouse-k3y&lt;&amp;&gt;<"), "{body}");
    assert!(!body.contains("mustUnderstand"), "{body}");
    let rehearsed = bridge.gateway.dry_run(&caller("bot"), &request("get_stock", ARTICLE)).await;
    let told = format!("{reply:?} {rehearsed:?} {:?}", bridge.gateway.toolbox());
    assert!(told.contains("#PasswordText\\\">[redacted]<"), "{told}");
    assert!(!told.contains("w4rehouse"), "{told}");
}

#[tokio::test]
async fn a_message_with_credentials_in_it_follows_no_redirect_to_another_origin() {
    let other = Upstream::new([seven()]).await;
    let away = soap(307, "").header("location", &format!("{}/soap", other.url()));
    let upstream = Upstream::new([away]).await;
    let host = other.url().replace("http://", "");
    let keys = format!("redirects = \"follow\"\nhosts = [\"{host}\"]\n{WSSE}");
    let guarded = bridge(&upstream, &wsdl(), &keys).await;
    assert_eq!(code(&guarded.call("get_stock", ARTICLE).await), "upstream_error");
    assert_eq!(other.count(), 0);
    let plain = bridge(&upstream, &wsdl(), &keys.replace(WSSE, "")).await;
    value(&plain.call("get_stock", ARTICLE).await);
    assert_eq!(other.count(), 1);
}

#[tokio::test]
async fn basic_and_bearer_credentials_are_http_s_own_for_soap_too() {
    for (auth, header) in [
        ("kind = \"basic\", username = \"acme\", password = \"file:session\"", "Basic "),
        ("kind = \"bearer\", token = \"file:session\"", "Bearer w4rehouse-k3y<&>"),
    ] {
        let upstream = Upstream::new([seven()]).await;
        let bridge = bridge(&upstream, &wsdl(), &format!("auth = {{ {auth} }}")).await;
        value(&bridge.call("get_stock", ARTICLE).await);
        let seen = upstream.seen().pop().unwrap();
        assert!(seen.header("authorization").unwrap().starts_with(header));
        assert!(!seen.body.contains("Security"), "{}", seen.body);
    }
}

#[test]
fn wsse_is_for_soap_services_alone() {
    let folder = Folder::with_shop(
        "[api.shop]\nspec = \"shop.json\"\nbase_url = \"http://127.0.0.1:9\"\nauth = { kind = \
         \"wsse\", username = \"u\", password = \"file:session\" }\n\n[[tool]]\napi = \"shop\"\n\
         operation = \"getItem\"\n",
    );
    folder.write("session", SECRET);
    let wrong = gateway::load(&folder.file("tools.toml"), Secrets::Resolve).unwrap_err();
    let wrong = wrong.render(Style::Plain);
    assert!(wrong.contains("TB0313") && wrong.contains("a SOAP service"), "{wrong}");
}

#[test]
fn what_is_wrong_with_a_credential_is_told_at_its_place() {
    for (auth, code) in [
        ("kind = \"wsse\", username = \"u\", password = \"s3cr3t\"", "TB0106"),
        ("kind = \"wsse\", username = \"u\"", "TB0103"),
        (
            "kind = \"wsse\", username = \"u\", password = \"file:session\", digest = \"yes\"",
            "TB0104",
        ),
        (
            "kind = \"wsse\", username = \"u\", password = \"file:session\", timestamp = \"0s\"",
            "TB0208",
        ),
        (
            "kind = \"wsse\", username = \"u\", password = \"file:session\", timestamp = true",
            "TB0104",
        ),
        ("kind = \"wsse\", username = \"u\", password = \"file:session\", nonce = \"x\"", "TB0101"),
    ] {
        let found = refused(&wsdl(), &format!("auth = {{ {auth} }}"));
        assert!(found.contains(code) && found.contains("tools.toml:7"), "{auth}: {found}");
        assert!(!found.contains("s3cr3t"), "{found}");
    }
}

/// What `check` warns of for the warehouse with this policy and these keys of its API.
fn warned(assertion: &str, api: &str) -> String {
    let policy = format!(
        "<binding name=\"Soap\" type=\"w:Stock\"><p:Policy \
         xmlns:p=\"http://www.w3.org/ns/ws-policy\" \
         xmlns:sp=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702\"><sp:HttpsToken>\
         <p:Policy>{assertion}</p:Policy></sp:HttpsToken></p:Policy>"
    );
    let wsdl = wsdl().replace("<binding name=\"Soap\" type=\"w:Stock\">", &policy);
    let folder = folder(&config("https://127.0.0.1:9", api), &wsdl);
    let loaded = gateway::load(&folder.file("tools.toml"), Secrets::Verify)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(Style::Plain)));
    loaded.warnings.render(Style::Plain)
}

#[test]
fn a_credential_that_a_policy_demands_is_missed_where_none_like_it_is_given() {
    let password = "username = \"acme\", password = \"file:session\"";
    let digest = format!("auth = {{ kind = \"digest\", {password} }}");
    let wsse = format!("auth = {{ kind = \"wsse\", {password} }}");
    let (by_digest, by_certificate) =
        ("<sp:HttpDigestAuthentication/>", "<sp:RequireClientCertificate/>");
    for (assertion, given, mend) in [
        (by_digest, "", Some("set auth")),
        (by_digest, &digest, None),
        (by_certificate, "", Some("its certificate is that of `tls`")),
        (by_certificate, &wsse, Some("set tls = { cert")),
    ] {
        let warned = warned(assertion, given);
        assert_eq!(warned.contains("TB0313"), mend.is_some(), "{assertion} {given}: {warned}");
        assert!(warned.contains(mend.unwrap_or_default()), "{assertion} {given}: {warned}");
        assert!(!warned.contains("is not done"), "{assertion} {given}: {warned}");
    }
}
