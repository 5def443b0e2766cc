//! Path templates (OpenAPI 3.1.1 §4.8.8.2): parsed once, filled for each call.

use percent_encoding::percent_decode_str;

use super::percent;

/// A path in segments, each of fixed text and variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathTemplate {
    segments: Vec<Vec<Part>>,
    /// A query that authors wrote into the path.
    pub(super) query: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Fixed text, encoded.
    Literal(String),
    Variable(String),
}

/// A template that makes no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("expected `{{NAME}}`: the braces of the path do not pair")]
    Braces,
    #[error("the path has a `.` or `..` segment, which would lead elsewhere")]
    Dots,
}

impl PathTemplate {
    pub(crate) fn parse(template: &str) -> Result<Self, TemplateError> {
        // A fragment never goes over the wire; authors use it to tell operations apart.
        let mut depth = 0usize;
        let (mut path_end, mut query_start) = (template.len(), None);
        for (at, c) in template.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                '#' if depth == 0 => {
                    path_end = at;
                    break;
                }
                '?' if depth == 0 && query_start.is_none() => query_start = Some(at),
                _ => {}
            }
        }
        let without_fragment = &template[..path_end];
        let (path, query) = match query_start {
            Some(at) => (&without_fragment[..at], Some(&without_fragment[at + 1..])),
            None => (without_fragment, None),
        };
        if query.is_some_and(|query| query.contains(['{', '}'])) {
            return Err(TemplateError::Braces);
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let segments = segments(path).into_iter().map(parts).collect::<Result<Vec<_>, _>>()?;
        for segment in &segments {
            if let [Part::Literal(text)] = segment.as_slice()
                && is_dots(text)
            {
                return Err(TemplateError::Dots);
            }
        }
        let query = query.filter(|query| !query.is_empty()).map(percent::query_literal);
        Ok(Self { segments, query })
    }

    /// Its variables, each once.
    pub(crate) fn variables(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for part in self.segments.iter().flatten() {
            if let Part::Variable(name) = part
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        }
        names
    }

    /// Fills it with encoded values. The error names the variable whose value makes no
    /// segment.
    pub(super) fn fill<'a>(
        &'a self,
        value: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<String, &'a str> {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            let start = path.len();
            let mut variable: Option<&str> = None;
            for part in segment {
                match part {
                    Part::Literal(text) => path.push_str(text),
                    Part::Variable(name) => {
                        path.push_str(value(name).ok_or(name.as_str())?);
                        variable = Some(name);
                    }
                }
            }
            if let Some(name) = variable
                && (path.len() == start || is_dots(&path[start..]))
            {
                return Err(name);
            }
        }
        Ok(path)
    }
}

/// Splits at `/` outside of braces.
fn segments(path: &str) -> Vec<&str> {
    let (mut segments, mut start, mut depth) = (Vec::new(), 0, 0usize);
    for (at, c) in path.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => {
                segments.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    segments.push(&path[start..]);
    segments
}

fn parts(segment: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = segment;
    while let Some(open) = rest.find('{') {
        let (literal, after) = (&rest[..open], &rest[open + 1..]);
        let close = after.find('}').ok_or(TemplateError::Braces)?;
        let name = &after[..close];
        if name.is_empty() || name.contains('{') || literal.contains('}') {
            return Err(TemplateError::Braces);
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(percent::path_literal(literal)));
        }
        parts.push(Part::Variable(name.to_owned()));
        rest = &after[close + 1..];
    }
    if rest.contains('}') {
        return Err(TemplateError::Braces);
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(percent::path_literal(rest)));
    }
    Ok(parts)
}

/// Whether a segment is `.` or `..`, also in escapes, which parsers of URLs decode first
/// (RFC 3986 §6.2.2).
pub(super) fn is_dots(segment: &str) -> bool {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    decoded == "." || decoded == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_by_segment() {
        let template = PathTemplate::parse("/a b/{id}/v{x}.{y}/?q=1&r#frag").expect("a template");
        assert_eq!(template.variables(), ["id", "x", "y"]);
        assert_eq!(template.query.as_deref(), Some("q=1&r"));
        let filled = template.fill(|name| Some(if name == "id" { "1" } else { "z" }));
        assert_eq!(filled.as_deref(), Ok("/a%20b/1/vz.z/"));
    }

    #[test]
    fn a_template_that_makes_no_path_is_refused() {
        for bad in ["/{", "/a}", "/{}", "/{a{b}}"] {
            assert_eq!(PathTemplate::parse(bad), Err(TemplateError::Braces), "{bad}");
        }
        for bad in ["/a/../b", "/.", "/%2e%2E/x", "/.%2e"] {
            assert_eq!(PathTemplate::parse(bad), Err(TemplateError::Dots), "{bad}");
        }
    }

    #[test]
    fn a_segment_of_dots_is_refused_however_it_comes_about() {
        let template = PathTemplate::parse("/a/{x}{y}").expect("a template");
        assert_eq!(template.fill(|_| Some(".")), Err("y"));
        assert_eq!(template.fill(|_| Some("")), Err("y"));
    }
}
