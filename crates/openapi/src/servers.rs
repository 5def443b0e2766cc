//! Base URLs: the operation's servers, else the path's, else the document's; variables take the
//! values that the caller gives them, else their defaults, and relative ones resolve against
//! where the document that they stand in came from (OpenAPI 3.1.1 §4.8.5; Swagger 2.0 `schemes`,
//! `host`, `basePath`).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use url::Url;

use crate::document::{Document, Flavour, Pointer, Warnings, scalar_text, text_line};

/// How many servers are read: every operation has its own copy of their URLs.
const MAX_SERVERS: usize = 64;

/// Values for variables, and which of them some server has.
#[derive(Debug)]
pub(crate) struct Variables<'a> {
    given: &'a BTreeMap<String, String>,
    used: BTreeSet<&'a str>,
}

impl<'a> Variables<'a> {
    pub(crate) fn new(given: &'a BTreeMap<String, String>) -> Self {
        Self { given, used: BTreeSet::new() }
    }

    fn value(&mut self, name: &str) -> Option<&'a str> {
        let (name, value) = self.given.get_key_value(name)?;
        self.used.insert(name);
        Some(value)
    }

    /// Tells of values that no server asked for: they are misspelt, or of another version.
    pub(crate) fn tell_unused(&self, warnings: &mut Warnings) {
        for name in self.given.keys().filter(|name| !self.used.contains(name.as_str())) {
            warnings.add(
                &Pointer::root().child("servers"),
                format!("no server has the variable `{name}` for which a value is given"),
            );
        }
    }
}

/// The base URLs of an operation. `levels` are operation and path item, nearest first.
pub(crate) fn servers<'a>(
    document: &'a Document,
    mut levels: impl Iterator<Item = (&'a Pointer, &'a Value)>,
    variables: &mut Variables<'_>,
    warnings: &mut Warnings,
) -> Vec<String> {
    let source_of = |at: &Pointer| {
        document.library.location(at).filter(|url| matches!(url.scheme(), "http" | "https"))
    };
    let root = Pointer::root();
    let mut urls = Vec::new();
    if document.flavour == Flavour::Swagger2 {
        let operation = levels.next().map_or(&Value::Null, |(_, operation)| operation);
        let source = source_of(&root);
        for url in swagger2(document, operation, source) {
            urls.extend(absolute(&root, &url, source, warnings));
        }
    } else {
        let said = |at: &Pointer, owner: &'a Value| {
            let list = owner.get("servers")?.as_array().filter(|list| !list.is_empty())?;
            Some((at.child("servers"), Cow::Borrowed(list)))
        };
        let list = levels
            .find_map(|(at, owner)| said(at, owner))
            .or_else(|| said(&root, &document.root))
            // "the default value would be a Server Object with a url value of /"
            .unwrap_or_else(|| (root.child("servers"), Cow::Owned(vec![json!({"url": "/"})])));
        let source = source_of(&list.0);
        for (index, server) in list.1.iter().take(MAX_SERVERS).enumerate() {
            let at = list.0.item(index);
            if let Some(url) = substituted(&at, server, variables, warnings) {
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

/// A server's URL with its variables' values in it.
fn substituted(
    at: &Pointer,
    server: &Value,
    variables: &mut Variables<'_>,
    warnings: &mut Warnings,
) -> Option<String> {
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
        let known: Vec<String> = variable
            .and_then(|variable| variable.get("enum")?.as_array())
            .map(|values| values.iter().filter_map(scalar_text).collect())
            .unwrap_or_default();
        let default = || variable.and_then(|variable| scalar_text(variable.get("default")?));
        let given = variables.value(name);
        let Some(value) = given.map(str::to_owned).or_else(default).or(known.first().cloned())
        else {
            warnings.add(
                at,
                format!(
                    "the variable `{{{}}}` has no default; the server is left out",
                    text_line(name)
                ),
            );
            return None;
        };
        if !known.is_empty() && !known.contains(&value) {
            let shown: String = text_line(&value).chars().take(100).collect();
            warnings.add(
                &at.child("variables").child(name),
                format!("`{shown}` is none of the values of the variable; used all the same"),
            );
        }
        url.push_str(before);
        url.push_str(&value);
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
