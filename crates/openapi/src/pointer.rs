//! Places: which document, and where in it.
//!
//! RFC 6901 within a document. A place in another document than the described one is shown as
//! `schemas/pets.yaml#/Pet`, the form in which a reference names it.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

/// Which of a description's documents; 0 is the one that was named.
pub(crate) type DocumentId = usize;

/// A place in a document (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pointer {
    /// Which document, where it is not the one that was named or is seen through a scope.
    within: Option<Arc<Within>>,
    path: String,
}

/// What tells places apart that have the same path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Within {
    document: DocumentId,
    name: Arc<str>,
    scope: Scope,
}

/// The dynamic anchors of the schemas that led to a place, by name, the outermost of each (JSON
/// Schema 2020-12 core §7.1 and §8.2.3.2): a `$dynamicRef` there means other schemas than one
/// that was reached by another way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Scope(pub(crate) Vec<(String, Pointer)>);

impl Scope {
    pub(crate) fn get(&self, name: &str) -> Option<&Pointer> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, at)| at)
    }
}

impl Pointer {
    /// The root of the document that was named.
    pub(crate) fn root() -> Self {
        Self { within: None, path: String::new() }
    }

    /// The root of another document.
    pub(crate) fn root_of(document: DocumentId, name: &Arc<str>) -> Self {
        let within = Within { document, name: Arc::clone(name), scope: Scope::default() };
        Self { within: Some(Arc::new(within)), path: String::new() }
    }

    pub(crate) fn document(&self) -> DocumentId {
        self.within.as_ref().map_or(0, |within| within.document)
    }

    /// What its document is called, without folders and what says its format.
    pub(crate) fn document_stem(&self) -> &str {
        let name = self.within.as_ref().map_or("", |within| &*within.name);
        let file = name.rsplit('/').next().unwrap_or_default();
        file.split('.').next().unwrap_or_default()
    }

    /// The root of the same document.
    pub(crate) fn top(&self) -> Self {
        Self { within: self.within.clone(), path: String::new() }
    }

    pub(crate) fn scope(&self) -> Option<&Scope> {
        self.within.as_ref().map(|within| &within.scope).filter(|scope| !scope.0.is_empty())
    }

    /// The same place, seen through a scope.
    pub(crate) fn scoped(&self, scope: Scope) -> Self {
        let (document, name) = match &self.within {
            Some(within) => (within.document, Arc::clone(&within.name)),
            None if scope.0.is_empty() => return self.clone(),
            None => (0, Arc::from("")),
        };
        let within = (document != 0 || !scope.0.is_empty())
            .then(|| Arc::new(Within { document, name, scope }));
        Self { within, path: self.path.clone() }
    }

    pub(crate) fn child(&self, token: &str) -> Self {
        let mut path = String::with_capacity(self.path.len() + token.len() + 1);
        path.push_str(&self.path);
        path.push('/');
        for c in token.chars() {
            match c {
                '~' => path.push_str("~0"),
                '/' => path.push_str("~1"),
                c => path.push(c),
            }
        }
        Self { within: self.within.clone(), path }
    }

    pub(crate) fn item(&self, index: usize) -> Self {
        Self { within: self.within.clone(), path: format!("{}/{index}", self.path) }
    }

    /// The pointer that a local reference names; `None` where it is not local.
    pub(crate) fn of_reference(reference: &str) -> Option<Self> {
        Self::of_fragment(reference.strip_prefix('#')?)
    }

    /// The pointer in a URI's fragment (RFC 6901 §6); `None` where it is none.
    pub(crate) fn of_fragment(fragment: &str) -> Option<Self> {
        let decoded = percent_decode_str(fragment).decode_utf8().ok()?;
        if !(decoded.is_empty() || decoded.starts_with('/')) {
            return None;
        }
        // Decoded and encoded again, so that two spellings of a place are one.
        Some(decoded.split('/').skip(1).fold(Self::root(), |at, token| at.child(&unescape(token))))
    }

    /// The place of `inside` within this one.
    pub(crate) fn join(&self, inside: &Self) -> Self {
        Self { within: self.within.clone(), path: format!("{}{}", self.path, inside.path) }
    }

    /// Itself and what it lies in, the nearest first.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        let ends = self.path.match_indices('/').map(|(end, _)| end).rev();
        std::iter::once(self.path.len())
            .chain(ends)
            .map(|end| Self { within: self.within.clone(), path: self.path[..end].to_owned() })
    }

    /// Its tokens, unescaped.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = String> + '_ {
        self.path.split('/').skip(1).map(unescape)
    }

    /// The path within its document.
    pub(crate) fn as_str(&self) -> &str {
        &self.path
    }
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.within {
            Some(within) if within.document != 0 => write!(f, "{}#{}", within.name, self.path),
            _ => f.write_str(&self.path),
        }
    }
}

/// Where a walk through a value is. A pointer is made of it only where there is something to
/// say.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(crate) fn pointer(&self) -> Pointer {
        self.from(&Pointer::root())
    }

    /// The place, in the document of `root`.
    pub(crate) fn from(&self, root: &Pointer) -> Pointer {
        match self {
            Self::Root => root.clone(),
            Self::Member(parent, name) => parent.from(root).child(name),
            Self::Item(parent, index) => parent.from(root).item(*index),
        }
    }
}
