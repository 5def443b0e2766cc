//! What is wrong with a file, where, and how it is mended; and how that is shown.
//!
//! Every room that finds something wrong with the configuration says so with a
//! [`Diagnostic`]. They are rendered here and nowhere else: for people in the style of a
//! compiler, for scripts as JSON.
//!
//! A source excerpt never shows what may be a secret in the wrong place: a [`SourceFile`]
//! knows which of its bytes to mask.

use std::fmt::{self, Write as _};
use std::io::IsTerminal;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

/// The longest piece of a line that an excerpt shows, in characters.
const EXCERPT: usize = 140;

/// A file that diagnostics point into.
#[derive(Debug)]
pub struct SourceFile {
    path: String,
    text: Arc<str>,
    masked: Vec<Range<usize>>,
    /// Where its line feeds are.
    ends: Vec<usize>,
}

impl SourceFile {
    /// Takes a file's text. Excerpts show the bytes of `masked` as asterisks.
    pub fn new(
        path: impl Into<String>,
        text: impl Into<Arc<str>>,
        masked: Vec<Range<usize>>,
    ) -> Self {
        let text = text.into();
        let ends = text.match_indices('\n').map(|(at, _)| at).collect();
        Self { path: path.into(), text, masked, ends }
    }

    /// The path, as the user gave it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let lines = self.ends.partition_point(|end| *end < before.len());
        let start = lines.checked_sub(1).map_or(0, |last| self.ends[last] + 1);
        (lines + 1, before[start..].chars().count() + 1)
    }

    /// One character as an excerpt shows it: no secrets, no terminal control.
    fn shown(&self, offset: usize, c: char) -> char {
        if self.masked.iter().any(|range| range.contains(&offset)) {
            '*'
        } else if c == '\t' {
            ' '
        } else if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            '\u{fffd}'
        } else {
            c
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can, and something about it is probably not meant.
    Warning,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// `TB` and four digits, for [`explain`](super::explain).
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// Where.
    pub file: Arc<SourceFile>,
    /// Where in it, in bytes; nowhere for the file as a whole.
    pub span: Option<Range<usize>>,
    /// What the excerpt says beside the place.
    pub label: String,
    /// How it is mended.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error about the file as a whole.
    pub fn error(code: &'static str, file: &Arc<SourceFile>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            file: Arc::clone(file),
            span: None,
            label: String::new(),
            help: None,
        }
    }

    /// A warning about the file as a whole.
    pub fn warning(code: &'static str, file: &Arc<SourceFile>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, file, message) }
    }

    /// Points at a place. An empty place at the beginning is that of a default: none.
    #[must_use]
    pub fn at(mut self, span: Range<usize>) -> Self {
        self.span = (span != (0..0)).then_some(span);
        self
    }

    /// Says something beside the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says how it is mended.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Line and column, where it points at a place.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.span.as_ref().map(|span| self.file.position(span.start))
    }

    fn render(&self, out: &mut String, style: Style) -> fmt::Result {
        let paint = style.paint();
        let strong = match self.severity {
            Severity::Error => paint.error,
            Severity::Warning => paint.warning,
        };
        let Paint { bold, dim, off, .. } = paint;
        let severity = self.severity.as_str();
        writeln!(
            out,
            "{strong}{severity}[{}]{off}{bold}: {}{off}",
            self.code,
            printable(&self.message)
        )?;
        let path = printable(self.file.path());
        let mut margin = 2;
        if let (Some(span), Some((line, column))) = (&self.span, self.position()) {
            let number = line.to_string();
            margin = number.len() + 1;
            let gutter = " ".repeat(margin);
            writeln!(out, "{dim}{gutter}-->{off} {path}:{line}:{column}")?;
            let (excerpt, before, marked) = self.excerpt(span);
            writeln!(out, "{dim}{gutter} |{off}")?;
            writeln!(out, "{dim} {number} |{off} {excerpt}")?;
            let marks = "^".repeat(marked);
            let label = printable(&self.label);
            let line = format!("{}{marks} {label}", " ".repeat(before));
            writeln!(out, "{dim}{gutter} |{off} {strong}{}{off}", line.trim_end())?;
        } else {
            writeln!(out, "{dim}  -->{off} {path}")?;
        }
        if let Some(help) = &self.help {
            let gutter = " ".repeat(margin);
            writeln!(out, "{dim}{gutter} ={off} {bold}help{off}: {}", printable(help))?;
        }
        Ok(())
    }

    /// The line of the place, how many characters stand before it, and how many it has.
    fn excerpt(&self, span: &Range<usize>) -> (String, usize, usize) {
        let text = &self.file.text;
        let start = span.start.min(text.len());
        let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |end| start + end);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let characters: Vec<(usize, char)> = line
            .char_indices()
            .map(|(at, c)| (line_start + at, self.file.shown(line_start + at, c)))
            .collect();
        let before = characters.iter().filter(|(at, _)| *at < start).count();
        let marked = characters.iter().filter(|(at, _)| span.contains(at)).count().max(1);
        let from = if characters.len() > EXCERPT { before.saturating_sub(EXCERPT / 2) } else { 0 };
        let shown = characters.iter().skip(from).take(EXCERPT).map(|(_, c)| c);
        let mut excerpt = if from > 0 { "…".to_owned() } else { String::new() };
        let shift = excerpt.chars().count();
        excerpt.extend(shown);
        if characters.len() > from + EXCERPT {
            excerpt.push('…');
        }
        let before = before - from + shift;
        (excerpt, before, marked.min(EXCERPT.saturating_sub(before).max(1)))
    }

    fn to_json(&self) -> Value {
        let position = self.position();
        json!({
            "severity": self.severity.as_str(),
            "code": self.code,
            "message": self.message,
            "file": self.file.path(),
            "line": position.map(|(line, _)| line),
            "column": position.map(|(_, column)| column),
            "help": self.help,
        })
    }
}

/// Text without terminal control characters: keys and paths are the file's own words.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What is wrong, in the order in which it was found.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Diagnostic> {
        self.0.last_mut()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether something was said under this code about this place.
    pub fn has(&self, code: &str, span: &Range<usize>) -> bool {
        self.0.iter().any(|one| one.code == code && one.span.as_ref() == Some(span))
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Puts them in the order of the file.
    pub(super) fn sort(&mut self) {
        self.0.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| span.start));
    }

    /// For people.
    pub fn render(&self, style: Style) -> String {
        let mut out = String::new();
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            diagnostic.render(&mut out, style).expect("writing to a String does not fail");
        }
        out
    }

    /// For scripts.
    pub fn to_json(&self) -> Value {
        json!({"diagnostics": self.0.iter().map(Diagnostic::to_json).collect::<Vec<_>>()})
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for Diagnostics {}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        self.0.extend(diagnostics);
    }
}

/// How text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// With ANSI colours.
    Color,
}

impl Style {
    /// What standard error can show: colours on a terminal, unless `NO_COLOR` is set
    /// (<https://no-color.org>) or the terminal is dumb.
    pub fn of_stderr() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if std::io::stderr().is_terminal() && !set("NO_COLOR") && !dumb {
            Self::Color
        } else {
            Self::Plain
        }
    }

    fn paint(self) -> Paint {
        match self {
            Self::Plain => Paint { error: "", warning: "", bold: "", dim: "", off: "" },
            Self::Color => Paint {
                error: "\u{1b}[1;31m",
                warning: "\u{1b}[1;33m",
                bold: "\u{1b}[1m",
                dim: "\u{1b}[34m",
                off: "\u{1b}[0m",
            },
        }
    }
}

struct Paint {
    error: &'static str,
    warning: &'static str,
    bold: &'static str,
    dim: &'static str,
    off: &'static str,
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        Self(diagnostics.into_iter().collect())
    }
}
