//! The credentials that a description asks for, as the configuration writes them.

use std::fmt::Write as _;

use tollbridge_operation::{
    ApiKeyPlace, ApiName, Description, Grant, OAuthFlow, SchemeUse, SecurityScheme,
};

use super::propose::{one_line, quoted};

/// The credentials that the description asks for, as comments to be completed: where the
/// secrets are is not for an import to say.
pub(super) fn credentials(api: &ApiName, description: &Description) -> String {
    let mut schemes: Vec<&SchemeUse> = Vec::new();
    let alternatives = description.operations.iter().flat_map(|operation| &operation.security);
    for scheme in alternatives.flat_map(|alternative| &alternative.all_of) {
        if !schemes.iter().any(|known| known.name == scheme.name) {
            schemes.push(scheme);
        }
    }
    let variable = |what: &str| {
        let api = api.as_str().to_ascii_uppercase().replace('-', "_");
        quoted(&format!("env:{api}_{what}"))
    };
    let described: Vec<(&str, Option<String>)> = schemes
        .iter()
        .map(|scheme| {
            let form = match &scheme.scheme {
                SecurityScheme::ApiKey { place, name } => Some(format!(
                    "{{ kind = \"api_key\", in = \"{}\", name = {}, value = {} }}",
                    match place {
                        ApiKeyPlace::Header => "header",
                        ApiKeyPlace::Query => "query",
                        ApiKeyPlace::Cookie => "cookie",
                    },
                    quoted(name),
                    variable("KEY")
                )),
                SecurityScheme::Http { scheme } if scheme == "basic" || scheme == "digest" => {
                    Some(format!(
                        "{{ kind = \"{scheme}\", username = \"…\", password = {} }}",
                        variable("PASSWORD")
                    ))
                }
                SecurityScheme::UsernameToken => Some(format!(
                    "{{ kind = \"wsse\", username = \"…\", password = {} }}",
                    variable("PASSWORD")
                )),
                SecurityScheme::OAuth2 { flows, .. } if by_the_client(flows).is_some() => {
                    Some(format!(
                        "{{ kind = \"oauth2\", token_url = {}, client_id = \"…\", \
                         client_secret = {} }}",
                        quoted(by_the_client(flows).unwrap_or_default()),
                        variable("CLIENT_SECRET")
                    ))
                }
                // A token of OAuth 2 is sent as a bearer token (RFC 6750), whoever got it.
                SecurityScheme::OAuth2 { .. } | SecurityScheme::OpenIdConnect { .. } => {
                    Some(format!("{{ kind = \"bearer\", token = {} }}", variable("TOKEN")))
                }
                SecurityScheme::Http { scheme } if scheme == "bearer" => {
                    Some(format!("{{ kind = \"bearer\", token = {} }}", variable("TOKEN")))
                }
                _ => None,
            };
            (scheme.name.as_str(), form)
        })
        .collect();
    let mutual: Vec<String> = schemes
        .iter()
        .filter(|scheme| scheme.scheme == SecurityScheme::MutualTls)
        .map(|scheme| one_line(&quoted(&scheme.name), 100))
        .collect();
    let mut text = String::new();
    match described.as_slice() {
        [] => {}
        [(_, Some(form))] => {
            writeln!(text, "# auth   = {}", one_line(form, 400)).expect("a String takes it");
        }
        several => {
            text.push_str("# The description asks for credentials, one for each of its schemes:\n");
            writeln!(text, "# [api.{api}.credentials]").expect("a String takes it");
            for (name, form) in several {
                let name = one_line(&quoted(name), 100);
                match form {
                    Some(form) => writeln!(text, "# {name} = {}", one_line(form, 400)),
                    None if mutual.contains(&name) => writeln!(
                        text,
                        "# {name} is a client's certificate: set `tls` of [api.{api}]"
                    ),
                    None => writeln!(text, "# {name} is of a kind that this version cannot send"),
                }
                .expect("a String takes it");
            }
        }
    }
    text
}

/// Where a client gets tokens for itself, by an absolute URL: the way that needs no person.
fn by_the_client(flows: &[OAuthFlow]) -> Option<&str> {
    let flow = flows.iter().find(|flow| flow.grant == Grant::ClientCredentials)?;
    flow.token_url.as_deref().filter(|url| url.starts_with("https://"))
}
