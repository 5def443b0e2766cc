//! What policies demand: what we do about it, and what is told where we cannot.

use std::time::Duration;

use tollbridge_operation::{
    Arguments, Enclosure, MessageSecurity, Moment, Operation, Password, SecurityScheme,
};

use super::support::*;

const UTILITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

/// `Op` with this in its binding; `p` is WS-Policy, `sp` WS-SecurityPolicy.
fn bound(inside: &str) -> String {
    echo("", "").replace(
        r#"<binding name="B" type="t:PT">"#,
        &format!(
            r#"<binding name="B" type="t:PT" xmlns:p="http://www.w3.org/ns/ws-policy"
               xmlns:sp="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"
               xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"
               xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata">{inside}"#
        ),
    )
}

fn policy(assertions: &str) -> String {
    bound(&format!("<p:Policy>{assertions}</p:Policy>"))
}

fn told(wsdl: &str) -> Vec<String> {
    let description = description(wsdl);
    assert_eq!(description.operations.len(), 1, "a demand costs no operation");
    description.warnings.into_iter().map(|warning| warning.message).collect()
}

fn read(wsdl: &str) -> Operation {
    description(wsdl).operations.remove(0)
}

fn sent(operation: &Operation, enclosure: &Enclosure) -> String {
    let moment = Moment { now: Duration::ZERO, random: [9; 32], to: "http://s.example/soap" };
    envelope_of(&operation.binding.enclose(&Arguments::default(), enclosure, &moment).unwrap())
}

const TRANSPORT: &str = "<sp:TransportBinding><p:Policy><sp:TransportToken><p:Policy>\
    <sp:HttpsToken RequireClientCertificate='false'/></p:Policy></sp:TransportToken>\
    <sp:IncludeTimestamp/></p:Policy></sp:TransportBinding>";
const TOKEN: &str = "<sp:SignedSupportingTokens><p:Policy><sp:UsernameToken><p:Policy>\
    <sp:WssUsernameToken10/><sp:HashPassword/></p:Policy></sp:UsernameToken></p:Policy>\
    </sp:SignedSupportingTokens>";

#[test]
fn what_is_not_done_is_told_with_its_line() {
    for (assertions, what) in [
        ("<sp:AsymmetricBinding/>", "signed or encrypted messages (AsymmetricBinding)"),
        ("<sp:SymmetricBinding/>", "signed or encrypted messages (SymmetricBinding)"),
        ("<sp:SignedParts><sp:Body/></sp:SignedParts>", "signed or encrypted parts"),
        ("<sp:EncryptedParts><sp:Body/></sp:EncryptedParts>", "signed or encrypted parts"),
        ("<sp:EndorsingSupportingTokens/>", "a signature by a token"),
        (
            "<sp:SupportingTokens><p:Policy><sp:SamlToken/></p:Policy></sp:SupportingTokens>",
            "SamlToken",
        ),
        (
            "<r:RMAssertion xmlns:r='http://docs.oasis-open.org/ws-rx/wsrmp/200702'/>",
            "reliable messaging",
        ),
        (
            "<h:NtlmAuthentication xmlns:h='http://schemas.microsoft.com/ws/06/2004/policy/http'/>",
            "NTLM",
        ),
        (
            "<wsam:Addressing><p:Policy><wsam:NonAnonymousResponses/></p:Policy></wsam:Addressing>",
            "connection of the service's own",
        ),
    ] {
        let wsdl = policy(&format!("\n\n{assertions}"));
        let line = wsdl.lines().position(|line| line.contains(assertions)).unwrap() + 1;
        let told = told(&wsdl);
        let expected = format!("its policy (line {line}) demands ");
        assert!(
            told.iter().any(|t| t.starts_with(&expected) && t.contains(what)),
            "{what}: {told:?}"
        );
    }
}

#[test]
fn an_encrypted_connection_protects_what_signatures_would() {
    let parts = "<sp:SignedParts><sp:Body/></sp:SignedParts>";
    let told = told(&policy(&format!("{TRANSPORT}{parts}")));
    assert_eq!(told.len(), 1, "the address is http: {told:?}");
    assert!(told[0].contains("demands https, and its address is http"), "{told:?}");
    let https = policy(&format!("{TRANSPORT}{parts}")).replace("http://service", "https://service");
    assert_eq!(self::told(&https), Vec::<String>::new());
}

#[test]
fn the_alternative_is_taken_of_which_the_most_can_be_done() {
    let both = format!(
        "<p:ExactlyOne><p:All><sp:AsymmetricBinding/></p:All><p:All>{TOKEN}</p:All></p:ExactlyOne>"
    );
    assert_eq!(told(&policy(&both)), Vec::<String>::new());
    assert_eq!(read(&policy(&both)).security[0].all_of[0].name, "UsernameToken");
    let either = format!("<p:ExactlyOne><p:All/><p:All>{TOKEN}</p:All></p:ExactlyOne>");
    assert!(read(&policy(&either)).security.is_empty());
    let optional = "<sp:AsymmetricBinding p:Optional='true'/>";
    assert_eq!(told(&policy(optional)), Vec::<String>::new());
}

#[test]
fn a_policy_is_found_wherever_it_is_attached() {
    let named = format!(
        "<p:Policy xmlns:u='{UTILITY}' u:Id='N' xmlns:p='http://www.w3.org/ns/ws-policy'><sp:SymmetricBinding xmlns:sp='urn:sp'/></p:Policy>"
    );
    let reference = "<p:PolicyReference xmlns:p='http://www.w3.org/ns/ws-policy' URI='#N'/>";
    let base = echo("", "").replace("<binding", &format!("{named}<binding"));
    for (from, to) in [
        (
            r#"<binding name="B" type="t:PT">"#,
            format!(r#"<binding name="B" type="t:PT">{reference}"#),
        ),
        (
            r#"<s:operation soapAction="urn:t#Op"/>"#,
            format!(r#"{reference}<s:operation soapAction="urn:t#Op"/>"#),
        ),
        ("<input><s:body", format!("<input>{reference}<s:body")),
        (
            r#"<port name="P" binding="t:B">"#,
            format!(r#"<port name="P" binding="t:B">{reference}"#),
        ),
        (r#"<service name="S">"#, format!(r#"<service name="S">{reference}"#)),
        (
            r#"<portType name="PT"><operation name="Op">"#,
            format!(r#"<portType name="PT"><operation name="Op">{reference}"#),
        ),
        (r#"<message name="In">"#, format!(r#"<message name="In">{reference}"#)),
        (
            r#"<portType name="PT">"#,
            r##"<portType name="PT" p:PolicyURIs="#N" xmlns:p="http://www.w3.org/ns/ws-policy">"##
                .to_owned(),
        ),
    ] {
        assert!(base.contains(from), "{from}");
        let told = told(&base.replace(from, &to));
        assert!(told.iter().any(|told| told.contains("SymmetricBinding")), "{to}: {told:?}");
    }
    let told = told(&bound("<p:PolicyReference URI='http://x.example/policy'/>"));
    assert!(told[0].contains("`http://x.example/policy` says, which is not in"), "{told:?}");
}

#[test]
fn policies_that_refer_to_each_other_end() {
    let p = "xmlns:p='http://www.w3.org/ns/ws-policy'";
    let mut policies = String::new();
    for n in 0..40 {
        // Each refers twice to the next: without a bound that is two to the fortieth.
        let next = (n + 1) % 40;
        policies += &format!(
            "<p:Policy {p} Id='N{n}'><p:PolicyReference URI='#N{next}'/><p:PolicyReference URI='#N{next}'/></p:Policy>"
        );
    }
    let wsdl =
        bound("<p:PolicyReference URI='#N0'/>").replace("<binding", &format!("{policies}<binding"));
    assert_eq!(told(&wsdl), Vec::<String>::new());
}

#[test]
fn a_password_goes_as_its_policy_wants_where_nothing_else_is_said() {
    let operation = read(&policy(&format!("{TRANSPORT}{TOKEN}")));
    let security = MessageSecurity {
        username: "u".to_owned(),
        password: Password::Clear("p".to_owned()),
        digest: None,
        timestamp: None,
        must_understand: true,
    };
    let with = |digest| {
        let security = Some(MessageSecurity { digest, ..security.clone() });
        sent(&operation, &Enclosure { security, ..Enclosure::default() })
    };
    assert!(with(None).contains("#PasswordDigest") && with(None).contains(":Expires>"));
    assert!(with(Some(false)).contains("#PasswordText"));
}

#[test]
fn credentials_of_the_connection_are_the_schemes_that_they_are() {
    let http = |scheme: &str| SecurityScheme::Http { scheme: scheme.to_owned() };
    let within =
        |inside: &str| format!("<sp:HttpsToken><p:Policy>{inside}</p:Policy></sp:HttpsToken>");
    let microsoft = "xmlns:h='http://schemas.microsoft.com/ws/06/2004/policy/http'";
    for (assertions, scheme) in [
        (within("<sp:HttpBasicAuthentication/>"), http("basic")),
        (format!("<h:BasicAuthentication {microsoft}/>"), http("basic")),
        (within("<sp:HttpDigestAuthentication/>"), http("digest")),
        (format!("<h:DigestAuthentication {microsoft}/>"), http("digest")),
        (within("<sp:RequireClientCertificate/>"), SecurityScheme::MutualTls),
        ("<sp:HttpsToken RequireClientCertificate='true'/>".to_owned(), SecurityScheme::MutualTls),
        ("<sp:HttpsToken RequireClientCertificate='1'/>".to_owned(), SecurityScheme::MutualTls),
    ] {
        let wsdl = policy(&assertions).replace("http://service", "https://service");
        assert_eq!(told(&wsdl), Vec::<String>::new(), "{assertions}");
        let security = read(&wsdl).security;
        assert_eq!(security.len(), 1, "{assertions}");
        let schemes: Vec<_> = security[0].all_of.iter().map(|one| &one.scheme).collect();
        assert_eq!(schemes, [&scheme], "{assertions}");
    }
    assert!(read(&policy(TRANSPORT)).security.is_empty(), "it is said to be false");
}

#[test]
fn a_certificate_and_a_token_are_demanded_together() {
    let both = format!("<sp:HttpsToken RequireClientCertificate='true'/>{TOKEN}");
    let security = read(&policy(&both)).security;
    let names: Vec<_> = security[0].all_of.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((security.len(), names), (1, vec!["UsernameToken", "ClientCertificate"]));
}

fn header(envelope: &str) -> String {
    let rest = envelope.split_once("<soap:Header>").map_or("", |(_, rest)| rest);
    rest.split_once("</soap:Header>").map_or("", |(header, _)| header).to_owned()
}

#[test]
fn a_service_that_uses_addressing_gets_it() {
    for inside in [
        "<wsaw:UsingAddressing/>",
        "<p:Policy><wsaw:UsingAddressing/></p:Policy>",
        "<p:Policy><wsam:Addressing><p:Policy/></wsam:Addressing></p:Policy>",
    ] {
        let operation = read(&bound(inside));
        assert!(operation.binding.is_momentary(&Enclosure::default()), "{inside}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(lines(&header(&sent(&operation, &Enclosure::default()))), @r"
            <n1:Action>urn:t#Op</n1:Action>
            <n1:MessageID>urn:uuid:09090909-0909-4909-8909-090909090909</n1:MessageID>
            <n1:To>http://s.example/soap</n1:To>
            <n1:ReplyTo>
            <n1:Address>http://www.w3.org/2005/08/addressing/anonymous</n1:Address>
            </n1:ReplyTo>
            ");
        }
        let off = Enclosure { addressing: Some(false), ..Enclosure::default() };
        assert_eq!(header(&sent(&operation, &off)), "", "tools.toml has the last word");
    }
    let on = Enclosure { addressing: Some(true), ..Enclosure::default() };
    let plain = read(&echo("", ""));
    assert_eq!(header(&sent(&plain, &Enclosure::default())), "");
    assert!(header(&sent(&plain, &on)).contains(":Action>urn:t#Op<"));
}

#[test]
fn the_submission_of_2004_is_spoken_to_who_asks_for_it() {
    let operation = read(&bound(
        "<a:UsingAddressing xmlns:a='http://schemas.xmlsoap.org/ws/2004/08/addressing/policy'/>",
    ));
    let envelope = sent(&operation, &Enclosure::default());
    assert!(
        envelope.contains("\"http://schemas.xmlsoap.org/ws/2004/08/addressing\""),
        "{envelope}"
    );
    assert!(envelope.contains("2004/08/addressing/role/anonymous<"), "{envelope}");
}

#[test]
fn the_action_is_the_wsdls_own_the_soap_action_or_made_of_names() {
    let on = Enclosure { addressing: Some(true), ..Enclosure::default() };
    let action = |wsdl: &str| {
        let header = header(&sent(&read(wsdl), &on));
        header.split(['>', '<']).nth(2).unwrap().to_owned()
    };
    let input = r#"<input message="t:In"/>"#;
    let explicit = echo("", "").replace(
        input,
        r#"<input message="t:In" m:Action="urn:explicit" xmlns:m="http://www.w3.org/2007/05/addressing/metadata"/>"#,
    );
    assert_eq!(action(&explicit), "urn:explicit");
    assert!(header(&sent(&read(&explicit), &Enclosure::default())).contains("urn:explicit"));
    assert_eq!(action(&echo("", "")), "urn:t#Op");
    let none = echo("", "").replace(r#" soapAction="urn:t#Op""#, "");
    // The table of Metadata §4.4.4: the delimiter is `:` in URNs, and none is doubled.
    for (target, input_name, expected) in [
        ("urn:t", None, "urn:t:PT:OpRequest"),
        ("urn:t", Some("In1"), "urn:t:PT:In1"),
        ("http://e.example/s", None, "http://e.example/s/PT/OpRequest"),
        ("http://e.example/s/", Some("In1"), "http://e.example/s/PT/In1"),
    ] {
        let named =
            input_name.map(|name| input.replace("<input", &format!("<input name=\"{name}\"")));
        let wsdl = none
            .replace(input, named.as_deref().unwrap_or(input))
            .replace("urn:t\"", &format!("{target}\""));
        assert_eq!(action(&wsdl), expected);
    }
    let one_way = none.replace(r#"<output message="t:Out"/>"#, "");
    assert_eq!(action(&one_way), "urn:t:PT:Op");
    assert!(!header(&sent(&read(&one_way), &on)).contains("ReplyTo"));
}

#[test]
fn credentials_of_which_one_is_wanted_are_all_kept() {
    let http = "xmlns:h='http://schemas.microsoft.com/ws/06/2004/policy/http'";
    let basic = format!("<h:BasicAuthentication {http}/>");
    let digest = format!("<h:DigestAuthentication {http}/>");
    let of = |assertions: &str| {
        let operation = read(&policy(assertions));
        let names = |one: &tollbridge_operation::SecurityRequirement| {
            one.all_of.iter().map(|one| one.name.clone()).collect::<Vec<_>>().join(" ")
        };
        operation.security.iter().map(names).collect::<Vec<_>>()
    };
    let one_of = |branches: &[&str]| {
        let all: String = branches.iter().map(|one| format!("<p:All>{one}</p:All>")).collect();
        format!("<p:ExactlyOne>{all}</p:ExactlyOne>")
    };
    let either = one_of(&[&basic, &digest]);
    assert_eq!(of(&either), ["HttpBasicAuthentication", "HttpDigestAuthentication"]);
    let with_token = one_of(&[&basic, TOKEN]);
    assert_eq!(of(&with_token), ["HttpBasicAuthentication", "UsernameToken"]);
    // A digest is what the password of the token is sent as, and nothing to who gives none.
    assert!(!read(&policy(&with_token)).binding.is_momentary(&Enclosure::default()));
    assert_eq!(
        of(&format!("{either}{TOKEN}")),
        ["UsernameToken HttpBasicAuthentication", "UsernameToken HttpDigestAuthentication"]
    );
    // What is asked for beside them tells alternatives apart: the one of less is taken.
    let https = one_of(&[&basic, &format!("{TRANSPORT}{digest}")]);
    assert_eq!(of(&https), ["HttpBasicAuthentication"]);
    assert_eq!(of(&one_of(&["", &basic])), Vec::<String>::new());
}

#[test]
fn a_policy_of_another_document_is_told_with_its_file() {
    let whole = policy("\n<sp:AsymmetricBinding/>");
    let (head, service) = whole.split_at(whole.find("<service").unwrap());
    let open = &head[..head.find("<types>").unwrap()];
    let main = format!(r#"{open}<import namespace="urn:t" location="sub/b.wsdl"/>{service}"#);
    let other = format!("{head}</definitions>");
    let line = other.lines().position(|line| line.contains("AsymmetricBinding")).unwrap() + 1;
    let description = description_with(&main, &[("sub/b.wsdl", &other)]);
    let told = &description.warnings[0].message;
    assert!(told.starts_with(&format!("its policy (line {line} of b.wsdl) demands")), "{told}");
    // One that is referred to is told where it stands, not where the reference does.
    let named = format!(
        "<p:Policy xmlns:u='{UTILITY}' u:Id='N' xmlns:p='http://www.w3.org/ns/ws-policy'>\n\n<sp:SymmetricBinding xmlns:sp='urn:sp'/></p:Policy>"
    );
    let reference = "<p:PolicyReference xmlns:p='http://www.w3.org/ns/ws-policy' URI='#N'/>";
    let main = main.replace(
        r#"<port name="P" binding="t:B">"#,
        &format!(r#"<port name="P" binding="t:B">{reference}"#),
    );
    let other = echo("", "");
    let (other, _) = other.split_at(other.find("<service").unwrap());
    let other = format!("{}</definitions>", other.replace("<binding", &format!("{named}<binding")));
    let line = other.lines().position(|line| line.contains("SymmetricBinding")).unwrap() + 1;
    let told = description_with(&main, &[("sub/b.wsdl", &other)]).warnings.remove(0).message;
    assert!(told.starts_with(&format!("its policy (line {line} of b.wsdl) demands")), "{told}");
}
