//! What can be read by its URI: operations and APIs that the caller may discover, and its own
//! calls.
//!
//! `tollbridge://operations/{id}`, `tollbridge://apis/{name}` and `tollbridge://calls/{id}`. What a
//! caller may not see is answered as what is not there.

use percent_encoding::percent_decode_str;
use rmcp::model::{Resource, ResourceContents, ResourceTemplate};

const SCHEME: &str = "tollbridge://";
const TEXT: &str = "text/plain";
const JSON: &str = "application/json";

/// The longest URI that is looked at.
const LONGEST: usize = 1_024;

/// What a URI names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An operation that may be discovered, by its id.
    Operation(String),
    /// An API that has such operations, by its name.
    Api(String),
    /// A call of the caller's own, by its id.
    Call(String),
}

/// What kind of thing a [`Place`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceKind {
    /// An operation.
    Operation,
    /// An API.
    Api,
    /// A call.
    Call,
}

impl PlaceKind {
    const ALL: [Self; 3] = [Self::Operation, Self::Api, Self::Call];

    fn folder(self) -> &'static str {
        match self {
            Self::Operation => "operations",
            Self::Api => "apis",
            Self::Call => "calls",
        }
    }

    /// The one variable of its template.
    fn variable(self) -> &'static str {
        match self {
            Self::Operation | Self::Call => "id",
            Self::Api => "name",
        }
    }

    fn template(self) -> String {
        format!("{SCHEME}{}/{{{}}}", self.folder(), self.variable())
    }

    /// The kind whose template that is, where the variable is its own.
    pub(super) fn of_template(uri: &str, variable: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.template() == uri && kind.variable() == variable)
    }

    fn place(self, name: String) -> Place {
        match self {
            Self::Operation => Place::Operation(name),
            Self::Api => Place::Api(name),
            Self::Call => Place::Call(name),
        }
    }
}

/// The place that a URI names. The slash of an operation's id may be escaped, as a template's
/// expansion does it (RFC 6570 §3.2.2), or not.
pub(super) fn place(uri: &str) -> Option<Place> {
    if uri.len() > LONGEST {
        return None;
    }
    let (folder, name) = uri.strip_prefix(SCHEME)?.split_once('/')?;
    let kind = PlaceKind::ALL.into_iter().find(|kind| kind.folder() == folder)?;
    let name = percent_decode_str(name).decode_utf8().ok()?;
    (!name.is_empty()).then(|| kind.place(name.into_owned()))
}

/// An API as a resource. Names of APIs need no escaping.
pub(super) fn of_api(name: &str, title: &str) -> Resource {
    let uri = format!("{SCHEME}{}/{name}", PlaceKind::Api.folder());
    Resource::new(uri, name)
        .with_title(if title.is_empty() { name } else { title })
        .with_description("What it is for, and its operations that you may call, one a line.")
        .with_mime_type(TEXT)
}

/// The templates of what can be read.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let about = |kind| match kind {
        PlaceKind::Operation => (
            "operation",
            "An operation that you may call: its arguments, its answer, an example.",
            TEXT,
        ),
        PlaceKind::Api => ("api", "An API, and its operations that you may call.", TEXT),
        PlaceKind::Call => {
            ("call", "A call of yours: what was decided, each attempt, and how it ended.", JSON)
        }
    };
    let template = |kind: PlaceKind| {
        let (name, description, media_type) = about(kind);
        ResourceTemplate::new(kind.template(), name)
            .with_description(description)
            .with_mime_type(media_type)
    };
    PlaceKind::ALL.into_iter().map(template).collect()
}

/// What was read, under the URI that it was asked for by.
pub(super) fn contents(uri: &str, place: &Place, text: String) -> ResourceContents {
    let media_type = if matches!(place, Place::Call(_)) { JSON } else { TEXT };
    ResourceContents::text(text, uri).with_mime_type(media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_one_place_or_none() {
        for (uri, expected) in [
            (
                "tollbridge://operations/orders/getOrder",
                Some(Place::Operation("orders/getOrder".into())),
            ),
            (
                "tollbridge://operations/orders%2FgetOrder",
                Some(Place::Operation("orders/getOrder".into())),
            ),
            (
                "tollbridge://operations/orders%2FGET%20%2Forders%2F%7Bid%7D",
                Some(Place::Operation("orders/GET /orders/{id}".into())),
            ),
            ("tollbridge://apis/orders", Some(Place::Api("orders".into()))),
            ("tollbridge://calls/01K0", Some(Place::Call("01K0".into()))),
            ("tollbridge://calls/", None),
            ("tollbridge://calls", None),
            ("tollbridge://keys/1", None),
            ("tollbridge://calls/%FF", None),
            ("file:///etc/passwd", None),
            ("TOLLBRIDGE://apis/orders", None),
            ("", None),
        ] {
            assert_eq!(place(uri), expected, "{uri}");
        }
        assert_eq!(place(&format!("tollbridge://apis/{}", "a".repeat(LONGEST))), None);
    }

    #[test]
    fn a_template_expands_to_what_is_read() {
        let all = templates();
        let templates: Vec<_> = all.iter().map(|one| one.uri_template.as_str()).collect();
        assert_eq!(
            templates,
            ["tollbridge://operations/{id}", "tollbridge://apis/{name}", "tollbridge://calls/{id}"]
        );
        let kind = PlaceKind::of_template("tollbridge://apis/{name}", "name");
        assert_eq!(kind, Some(PlaceKind::Api));
        assert_eq!(PlaceKind::of_template("tollbridge://apis/{name}", "id"), None);
    }
}
