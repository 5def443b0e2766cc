//! Reading an answer that comes in pages: where its rows are, what is asked for next, and
//! when that ends.
//!
//! The rule is the configuration's, since descriptions do not say how an API pages. A
//! [`Reading`] takes one page after the other and says what comes next; whoever drives it
//! makes the requests. It never asks for more than its bounds allow, and says at the end
//! what was left unread and how to go on.

mod argument;

use std::fmt::Write as _;

use serde_json::{Map, Value};
use tollbridge_operation::Arguments;
use url::Url;

use super::pointer::ArgumentPointer;

/// How an operation's answers come in pages.
#[derive(Debug, Clone, PartialEq)]
pub struct PageRule {
    /// How the next page is asked for.
    pub kind: PageKind,
    /// Where the rows are in an answer: a JSON pointer. By default the answer itself where it
    /// is a list, or its only member that is one.
    pub rows: Option<String>,
    /// Where an answer says whether there is more: a JSON pointer to true or false.
    pub more: Option<String>,
    /// Where an answer says how many rows there are in all: a JSON pointer to a number.
    pub total: Option<String>,
    /// The most pages of one call.
    pub max_pages: u32,
    /// From how many rows on no further page is asked for.
    pub max_rows: u32,
}

impl PageRule {
    /// The argument that asks for a page.
    pub fn argument(&self) -> Option<&ArgumentPointer> {
        match &self.kind {
            PageKind::Cursor { argument, .. }
            | PageKind::Number { argument, .. }
            | PageKind::Offset { argument } => Some(argument),
            PageKind::Link | PageKind::Url { .. } => None,
        }
    }
}

/// How the next page is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum PageKind {
    /// With a word that the answer gives.
    Cursor {
        /// The argument that takes it.
        argument: ArgumentPointer,
        /// Where the answer has it: a JSON pointer.
        next: String,
    },
    /// By its number.
    Number {
        /// The argument that takes it.
        argument: ArgumentPointer,
        /// The first page's.
        start: u64,
    },
    /// By how many rows come before it.
    Offset {
        /// The argument that takes it.
        argument: ArgumentPointer,
    },
    /// At the URL in the header `Link` with `rel="next"` (RFC 8288).
    Link,
    /// At the URL in the answer.
    Url {
        /// Where the answer has it: a JSON pointer.
        next: String,
    },
}

/// What is asked for next.
#[derive(Debug, Clone, PartialEq)]
pub enum Following {
    /// The same operation with these arguments.
    Arguments(Arguments),
    /// This URL, as the upstream wrote it.
    Url(String),
}

/// Why no further page was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// There is none.
    LastPage,
    /// So many pages are read in one call.
    MaxPages,
    /// So many rows are there.
    MaxRows,
    /// So many bytes were read.
    MaxBytes,
    /// A limit on the argument that asks for pages.
    Limit,
    /// The upstream points to the page that was just read.
    Repeats,
    /// The next page could not be read.
    Failed,
}

/// What was read, told beside the answer.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PagesRead {
    /// How many pages.
    pub pages: u32,
    /// How many rows they had.
    pub rows: usize,
    /// Whether there is, or may be, more.
    pub more: bool,
    /// Why no further page was read.
    pub ended: Ended,
    /// What failed, where something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The arguments that ask for the next page, where an agent can give them.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub next: Map<String, Value>,
}

impl PagesRead {
    /// The same for a model.
    pub fn note(&self) -> Option<String> {
        if !self.more {
            return None;
        }
        let why = match self.ended {
            Ended::LastPage => "that is all",
            Ended::MaxPages | Ended::MaxRows | Ended::MaxBytes | Ended::Limit => {
                "no more are read in one call"
            }
            Ended::Repeats => "the API points to the page that was just read",
            Ended::Failed => "the next page could not be read",
        };
        let mut note =
            format!("This is not all: {} rows of {} pages; {why}.", self.rows, self.pages);
        if let Some(reason) = &self.reason {
            write!(note, " ({reason})").expect("a String takes it");
        }
        if !self.next.is_empty() {
            let next = Value::Object(self.next.clone());
            let how = "call again with";
            write!(note, " To go on, {how} {next} beside the same arguments.")
                .expect("a String takes it");
        }
        Some(note)
    }
}

/// Pages on their way into one answer.
#[derive(Debug)]
pub struct Reading<'r> {
    rule: &'r PageRule,
    arguments: Arguments,
    /// The last page without its rows.
    page: Value,
    /// Where the rows stand in it.
    place: Option<String>,
    rows: Vec<Value>,
    pages: u32,
    ended: Ended,
    reason: Option<String>,
    following: Option<Following>,
    /// How many rows come before the first page.
    before: u64,
}

impl<'r> Reading<'r> {
    /// Nothing was read yet of what these arguments ask for.
    pub fn new(rule: &'r PageRule, arguments: Arguments) -> Self {
        let before = match &rule.kind {
            PageKind::Offset { argument } => argument::number(&arguments, argument).unwrap_or(0),
            _ => 0,
        };
        Self {
            rule,
            arguments,
            page: Value::Null,
            place: None,
            rows: Vec::new(),
            pages: 0,
            ended: Ended::LastPage,
            reason: None,
            following: None,
            before,
        }
    }

    /// Takes a page and says what to ask for next; `None` where the reading ends. `link` is
    /// the URL of the header `Link` with `rel="next"`.
    pub fn take(&mut self, mut page: Value, link: Option<&str>) -> Option<Following> {
        self.pages += 1;
        self.following = None;
        self.ended = Ended::LastPage;
        let place = match &self.rule.rows {
            Some(place) => Some(place.clone()),
            None => only_list(&page),
        };
        let rows = place.as_ref().and_then(|place| page.pointer_mut(place)?.as_array_mut());
        let Some(rows) = rows else {
            // A page without rows is the last one, and is not thrown away for others.
            if self.pages == 1 {
                self.page = page;
            }
            return None;
        };
        let count = rows.len();
        self.rows.append(rows);
        self.page = page;
        self.place = place;
        let following = self.next(count, link)?;
        if self.repeats(&following) {
            self.ended = Ended::Repeats;
            return None;
        }
        self.following = Some(following.clone());
        if self.pages >= self.rule.max_pages {
            self.ended = Ended::MaxPages;
            return None;
        }
        if self.rows.len() >= usize::try_from(self.rule.max_rows).unwrap_or(usize::MAX) {
            self.ended = Ended::MaxRows;
            return None;
        }
        if let Following::Arguments(arguments) = &following {
            self.arguments = arguments.clone();
        }
        Some(following)
    }

    /// The reading ends before the page that was asked for last.
    pub fn stop(&mut self, ended: Ended, reason: Option<String>) {
        self.ended = ended;
        self.reason = reason;
    }

    /// Whether a page was read.
    pub fn has_begun(&self) -> bool {
        self.pages > 0
    }

    /// All rows in one answer: the last page with the rows of all, and what is to be told.
    /// `shown` makes the name that an agent has for an argument, where it has one.
    pub fn finish(self, shown: impl Fn(&str) -> Option<String>) -> (Value, PagesRead) {
        let Self { rule, mut page, place, rows, pages, ended, reason, following, .. } = self;
        let next = following.as_ref().map(|next| told(&rule.kind, next, shown)).unwrap_or_default();
        let read = PagesRead {
            pages,
            rows: rows.len(),
            more: following.is_some() || ended == Ended::Repeats,
            ended,
            reason,
            next,
        };
        if let Some(list) = place.and_then(|place| page.pointer_mut(&place)?.as_array_mut()) {
            *list = rows;
        }
        (page, read)
    }

    /// What the page says of the one after it.
    fn next(&self, count: usize, link: Option<&str>) -> Option<Following> {
        let at = |pointer: &String| self.page.pointer(pointer);
        if let Some(more) = &self.rule.more
            && at(more) != Some(&Value::Bool(true))
        {
            return None;
        }
        let read = self.before.saturating_add(self.rows.len() as u64);
        if let Some(total) = &self.rule.total
            && at(total).and_then(Value::as_u64).is_some_and(|total| read >= total)
        {
            return None;
        }
        let with = |argument: &ArgumentPointer, value: Value| {
            argument::with(&self.arguments, argument, value).map(Following::Arguments)
        };
        match &self.rule.kind {
            PageKind::Cursor { argument, next } => match at(next) {
                None | Some(Value::Null | Value::Bool(false)) => None,
                Some(Value::String(word)) if word.is_empty() => None,
                Some(word) => with(argument, word.clone()),
            },
            PageKind::Number { .. } | PageKind::Offset { .. } if count == 0 => None,
            PageKind::Number { argument, start } => {
                let number = argument::number(&self.arguments, argument).unwrap_or(*start);
                with(argument, number.checked_add(1)?.into())
            }
            PageKind::Offset { argument } => with(argument, read.into()),
            PageKind::Link => link.map(|url| Following::Url(url.to_owned())),
            PageKind::Url { next } => {
                let url = at(next)?.as_str().filter(|url| !url.is_empty())?;
                Some(Following::Url(url.to_owned()))
            }
        }
    }

    fn repeats(&self, following: &Following) -> bool {
        match following {
            Following::Arguments(arguments) => *arguments == self.arguments,
            Following::Url(_) => false,
        }
    }
}

/// The only list of an answer.
fn only_list(page: &Value) -> Option<String> {
    match page {
        Value::Array(_) => Some(String::new()),
        Value::Object(members) => {
            let mut lists = members.iter().filter(|(_, member)| member.is_array());
            let (name, _) = lists.next()?;
            lists.next().is_none().then(|| format!("/{}", super::schema::escape(name)))
        }
        _ => None,
    }
}

/// The arguments that an agent would ask with for the next page.
fn told(
    kind: &PageKind,
    following: &Following,
    shown: impl Fn(&str) -> Option<String>,
) -> Map<String, Value> {
    let mut told = Map::new();
    match (kind, following) {
        (
            PageKind::Cursor { argument, .. }
            | PageKind::Number { argument, .. }
            | PageKind::Offset { argument },
            Following::Arguments(arguments),
        ) => {
            if let (Some(name), Some(value)) =
                (shown(&argument.to_string()), argument::get(arguments, argument))
            {
                told.insert(name, value.clone());
            }
        }
        // The query of the next page's URL, as far as an agent has arguments for it.
        (_, Following::Url(url)) => {
            let base = Url::parse("http://upstream.invalid/").ok();
            let url = base.and_then(|base| base.join(url).ok());
            for (name, value) in url.iter().flat_map(Url::query_pairs) {
                if let Some(name) = shown(&name) {
                    let number = value.parse::<u64>().map(Value::from);
                    told.insert(name, number.unwrap_or_else(|_| Value::from(&*value)));
                }
            }
        }
        (_, Following::Arguments(_)) => {}
    }
    told
}

#[cfg(test)]
mod tests;
