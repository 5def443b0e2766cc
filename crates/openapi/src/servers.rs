//! Base URLs: the operation's servers, else the path's, else the document's; variables take
//! their defaults, and relative ones resolve against where the document came from
//! (OpenAPI 3.1.1 §4.8.5; Swagger 2.0 `schemes`, `host`, `basePath`).

use std::borrow::Cow;

use serde_json::{Value, json};
use url::Url;

use crate::document::{Document, Flavour, Pointer, Warnings, scalar_text, text_line};

/// How many servers are read: every operation has its own copy of their URLs.
const MAX_SERVERS: usize = 64;

/// The base URLs of an operation. `levels` are operation and path item, nearest first.
pub(crate) fn servers(
    document: &Document,
    levels: [(&Pointer, &Value); 2],
    source: Option<&Url>,
    warnings: &mut Warnings,
) -> Vec<String> {
    let source = source.filter(|url| matches!(url.scheme(), "http" | "https"));
    let root = Pointer::root();
    let mut urls = Vec::new();
    if document.flavour == Flavour::Swagger2 {
        let (_, operation) = levels[0];
        for url in swagger2(document, operation, source) {
            urls.extend(absolute(&root, &url, source, warnings));
        }
    } else {
        let list = levels
            .into_iter()
            .chain([(&root, &document.root)])
            .find_map(|(at, owner)| {
                let list = owner.get("servers")?.as_array().filter(|list| !list.is_empty())?;
                Some((at.child("servers"), Cow::Borrowed(list)))
            })
            // "the default value would be a Server Object with a url value of /"
            .unwrap_or_else(|| (root.child("servers"), Cow::Owned(vec![json!({"url": "/"})])));
        for (index, server) in list.1.iter().take(MAX_SERVERS).enumerate() {
            let at = list.0.item(index);
            if let Some(url) = substituted(&at, server, warnings) {
                urls.extend(absolute(&at, &url, source, warnings));
            }
        }
    }
    let mut unique: Vec<String> = Vec::new();
    for url in urls {
        if !url.is_empty() && !unique.contains(&url) {
            unique.push(url);
        }
    }
    unique
}

fn swagger2(document: &Document, operation: &Value, source: Option<&Url>) -> Vec<String> {
    let text = |name: &str| document.root.get(name).and_then(Value::as_str).map(str::trim);
    let base = text("basePath").unwrap_or("/");
    let base = if base.starts_with('/') { base.to_owned() } else { format!("/{base}") };
    let schemes: Vec<&str> = operation
        .get("schemes")
        .or_else(|| document.root.get("schemes"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|scheme| matches!(*scheme, "http" | "https"))
        .collect();
    let Some(host) = text("host").filter(|host| !host.is_empty()) else { return vec![base] };
    if schemes.is_empty() {
        // "If the schemes is not included, the default scheme to be used is the one used to
        // access the Swagger definition itself."
        return vec![format!("{}://{host}{base}", source.map_or("https", Url::scheme))];
    }
    schemes.into_iter().map(|scheme| format!("{scheme}://{host}{base}")).collect()
}

/// A server's URL with its variables' defaults in it.
fn substituted(at: &Pointer, server: &Value, warnings: &mut Warnings) -> Option<String> {
    let Some(template) = server.get("url").and_then(Value::as_str) else {
        warnings.add(at, "expected a server with a `url`; left out");
        return None;
    };
    let mut url = String::new();
    let mut rest = template.trim();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return unusable(at, template, warnings);
        };
        let variable = server.get("variables").and_then(|all| all.get(name));
        let default = variable.and_then(|variable| {
            variable.get("default").or_else(|| variable.get("enum")?.get(0)).and_then(scalar_text)
        });
        let Some(default) = default else {
            warnings.add(
                at,
                format!(
                    "the variable `{{{}}}` has no default; the server is left out",
                    text_line(name)
                ),
            );
            return None;
        };
        url.push_str(before);
        url.push_str(&default);
        rest = after;
    }
    url.push_str(rest);
    Some(url)
}

/// A base URL without query, fragment, credentials and the `/` at its end. A relative one
/// without a source stays as it is.
fn absolute(
    at: &Pointer,
    written: &str,
    source: Option<&Url>,
    warnings: &mut Warnings,
) -> Option<String> {
    let parsed = match (Url::parse(written), source) {
        (Ok(url), _) => url,
        (Err(url::ParseError::RelativeUrlWithoutBase), Some(source)) => {
            match source.join(written) {
                Ok(url) => url,
                Err(_) => return unusable(at, written, warnings),
            }
        }
        (Err(url::ParseError::RelativeUrlWithoutBase), None) => {
            let path = written.split(['?', '#']).next().unwrap_or_default();
            if path.starts_with("//") || path.chars().any(char::is_control) {
                return unusable(at, written, warnings);
            }
            return Some(path.trim_end_matches('/').to_owned());
        }
        (Err(_), _) => return unusable(at, written, warnings),
    };
    if !matches!(parsed.scheme(), "http" | "https") {
        return unusable(at, written, warnings);
    }
    let mut url = parsed;
    url.set_query(None);
    url.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() {
        warnings.add(at, "credentials do not belong into a server's URL; left out");
        // Both fail only for URLs without a host, and http has one.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

fn unusable(at: &Pointer, written: &str, warnings: &mut Warnings) -> Option<String> {
    let shown: String = text_line(written).chars().take(200).collect();
    warnings.add(at, format!("`{shown}` is no http or https URL; the server is left out"));
    None
}
