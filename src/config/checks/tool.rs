//! What is wrong with a tool's entry though each of its keys is well-formed.

use std::ops::Range;
use std::time::Duration;

use super::Checks;
use crate::config::codes;
use crate::config::diagnostic::Diagnostic;
use crate::config::located::Located;
use crate::config::recovery::Fallback;
use crate::config::tool::{Argument, Ask, PageKind, Pages, Tool};
use crate::config::values::{ArgumentPath, Selector};

impl Checks<'_> {
    pub(super) fn tool(&mut self, tool: &Tool) {
        if self.config.apis.get(&tool.api).is_none() {
            let message = format!("there is no [api.{}]", tool.api);
            let known: Vec<&str> = self.config.apis.iter().map(|(name, _)| name.as_str()).collect();
            let mut diagnostic = Diagnostic::error(codes::UNKNOWN_API, self.file, message)
                .at(tool.api.span())
                .label("no such API");
            if !known.is_empty() {
                diagnostic = diagnostic.help(format!("known APIs: {}", known.join(", ")));
            }
            self.found.push(diagnostic);
        }
        let held = tool.hold.iter().flat_map(|hold| &hold.identities);
        for selector in tool.allow.iter().flatten().chain(&tool.deny).chain(held) {
            self.selector(selector);
        }
        if let Some(hold) = &tool.hold {
            self.nonzero("expires", Some(&hold.expires));
            if hold.identities.is_empty() {
                let message = "`hold` holds nobody's calls";
                self.error(codes::BOUNDS, hold.span(), message, "`identities` is empty");
            }
            if hold.ask.is_empty() {
                let message = "nobody is asked, so that nothing is ever approved";
                self.error(codes::BOUNDS, hold.span(), message, "`ask` is empty");
            }
            if let Some(four_eyes) = hold.four_eyes.as_ref().filter(|wanted| ***wanted)
                && hold.asks(Ask::Client)
            {
                let message = "a client answers for its own caller, so it is no second person";
                let label = "`four_eyes` goes with `ask = [\"operator\"]` only";
                self.error(codes::BOUNDS, four_eyes.span(), message, label);
            }
            if let Some(wait) = hold.wait.as_ref().filter(|wait| wait.0 > hold.expires.0) {
                let message = "`wait` is longer than the hold";
                let label = format!("it ends after {}", *hold.expires);
                self.error(codes::BOUNDS, wait.span(), message, label);
            }
        }
        if let Some(when) = &tool.when {
            if when.days.is_none() && when.hours.is_none() {
                let message = "`when` has neither days nor hours";
                self.error(codes::MISSING_KEY, when.span(), message, "set `days` or `hours`");
            }
            if when.zone.is_none() && self.config.safety.zone.is_none() {
                let message = "`when` needs a time zone";
                let label = "set `zone = \"Europe/Berlin\"` here or in [safety]";
                self.error(codes::MISSING_KEY, when.span(), message, label);
            }
        }
        for (index, budget) in tool.budget.iter().enumerate() {
            self.budget(budget.terms(), &budget.span());
            let before = tool.budget[..index].iter().map(|one| one.terms());
            self.counted_once(budget.terms(), before);
        }
        self.nonzero("hedge", tool.hedge.as_ref());
        self.limit_group(tool.limit_group.as_ref());
        if let Some(cost) = &tool.cost {
            let of_api = self.config.apis.get(&tool.api).and_then(|api| api.rate_limit.as_ref());
            let rates = tool.rate_limit.iter().chain(of_api);
            if let Some(rate) = rates.into_iter().find(|rate| rate.limit < cost.get()) {
                let message = "`cost` is more than its limit leaves in all";
                let label = format!("`rate_limit` allows {}", rate.limit);
                self.error(codes::BOUNDS, cost.span(), message, label);
            }
        }
        if let Some(pages) = &tool.pages {
            self.pages(pages);
        }
        if let Some(poll) = &tool.poll {
            if poll.every.0 < Duration::from_millis(100) {
                let message = "`every` asks too often";
                self.error(codes::BOUNDS, poll.every.span(), message, "expected at least 100ms");
            }
            if let (Some(_), Some(at)) = (&poll.result, &poll.result_at) {
                let message = "the result is in the answer or at a URL, not both";
                self.error(codes::BOUNDS, at.span(), message, "remove it, or `result`");
            }
            if let Some(pages) = &tool.pages {
                let message = "answers that come in pages are there at once";
                self.error(codes::BOUNDS, pages.span(), message, "remove it, or `poll`");
            }
        }
        if let Some(shape) = &tool.shape {
            if shape.select.is_none() && shape.rows.is_none() && shape.bytes.is_none() {
                let message = "`shape` shapes nothing";
                self.error(codes::BOUNDS, shape.span(), message, "set select, rows or bytes");
            }
            // Less holds no answer: `{"result":[]}` is one.
            if let Some(bytes) = shape.bytes.as_ref().filter(|bytes| bytes.0 < 64) {
                let message = "`bytes` leaves no room for an answer";
                self.error(codes::BOUNDS, bytes.span(), message, "expected at least 64B");
            }
        }
        for fallback in &tool.fallback {
            self.fallback(fallback);
        }
        if let Some(calls) = &tool.calls {
            self.nonzero("per", Some(&calls.per));
        }
        self.nonzero("timeout", tool.timeout.as_ref());
        if let Some(price) = &tool.price {
            match &self.config.settlement {
                None => {
                    let message = "a price needs [settlement]";
                    self.error(codes::PRICE, price.span(), message, "nothing says who is paid");
                }
                Some(settlement) if settlement.assets.get(&price.asset).is_none() => {
                    let message = format!("`{}` is none of `[settlement] assets`", price.asset);
                    self.error(codes::PRICE, price.span(), message, "no such asset");
                }
                Some(_) => {}
            }
        }
        let mut paths: Vec<&ArgumentPath> = Vec::new();
        for (path, rules) in tool.args.iter() {
            if paths.contains(&&**path) {
                let message = format!("`{path}` has rules in two tables");
                self.error(codes::BOUNDS, path.span(), message, "the same argument again");
            }
            paths.push(path);
            self.argument(path, rules);
        }
    }

    /// A fallback is one of three, and each has keys of its own.
    fn fallback(&mut self, fallback: &Located<Fallback>) {
        let kinds =
            [fallback.operation.is_some(), fallback.cached.is_some(), fallback.answer.is_some()];
        if kinds.into_iter().filter(|is| *is).count() != 1 {
            let message = "a fallback is one of `operation`, `cached` and `answer`";
            return self.error(codes::BOUNDS, fallback.span(), message, "expected one of them");
        }
        self.nonzero("cached", fallback.cached.as_ref());
        let of_operation =
            fallback.api.is_some() || fallback.result.is_some() || !fallback.map.is_empty();
        if fallback.operation.is_none() && of_operation {
            let message = "`api`, `map` and `result` belong to a fallback to an operation";
            self.error(codes::BOUNDS, fallback.span(), message, "remove them");
        }
        if let Some(api) = fallback.api.as_ref().filter(|api| self.config.apis.get(api).is_none()) {
            let message = format!("there is no [api.{api}]");
            self.error(codes::UNKNOWN_API, api.span(), message, "no such API");
        }
    }

    /// Each kind of pages has keys of its own: those that it needs, and those that mean
    /// nothing to it.
    fn pages(&mut self, pages: &Located<Pages>) {
        let (argument, next) = match *pages.kind {
            PageKind::Cursor => (true, true),
            PageKind::Page | PageKind::Offset => (true, false),
            PageKind::Link => (false, false),
            PageKind::Url => (false, true),
        };
        let given = [
            ("argument", argument, pages.argument.as_ref().map(Located::span)),
            ("next", next, pages.next.as_ref().map(Located::span)),
        ];
        for (key, needed, span) in given {
            match (needed, span) {
                (true, None) => {
                    let message = format!("`{key}` is missing: pages of this kind need it");
                    let label = format!("needs `{key}`");
                    self.error(codes::MISSING_KEY, pages.span(), message, label);
                }
                (false, Some(span)) => {
                    let message = format!("`{key}` means nothing to pages of this kind");
                    self.error(codes::BOUNDS, span, message, "remove it");
                }
                _ => {}
            }
        }
        if let Some(start) = &pages.start
            && *pages.kind != PageKind::Page
        {
            let message = "`start` means nothing to pages of this kind";
            self.error(codes::BOUNDS, start.span(), message, "remove it");
        }
        if let Some(max) = pages.max_pages.as_ref().filter(|max| max.get() > 100) {
            let message = "`max_pages` is more than a call may read";
            self.error(codes::BOUNDS, max.span(), message, "expected at most 100");
        }
    }

    pub(super) fn selector(&mut self, selector: &Located<Selector>) {
        if let Selector::Group(name) = &**selector {
            self.found.extend(self.config.nobody_in(name, self.file, selector.span()));
        }
    }

    fn argument(&mut self, path: &Located<ArgumentPath>, rules: &Argument) {
        let mut contradiction = |span: Range<usize>, message: String, label: &str| {
            self.error(codes::BOUNDS, span, message, label);
        };
        if let (Some(min), Some(max)) = (&rules.min, &rules.max)
            && **min > **max
        {
            let message = format!("`min` is above `max` for `{path}`");
            contradiction(min.span(), message, "no number passes both");
        }
        if let Some(values) = &rules.one_of
            && values.is_empty()
        {
            contradiction(
                values.span(),
                format!("`enum` is empty for `{path}`"),
                "no value passes",
            );
        }
        if let (Some(_), Some(default)) = (&rules.fixed, &rules.default) {
            let message = format!("`{path}` has both `fixed` and `default`");
            contradiction(default.span(), message, "a fixed value leaves nothing to default");
        }
        let hidden = rules.hide.as_ref().is_some_and(|hide| **hide);
        if let Some(required) = &rules.required
            && **required
            && hidden
            && rules.fixed.is_none()
            && rules.default.is_none()
        {
            let message = format!("`{path}` is required, hidden, and has no value");
            contradiction(required.span(), message, "no call could give it");
        }
        if let Some(name) = &rules.rename
            && !is_portable_key(name)
        {
            let label = "expected 1 to 64 of a-z, A-Z, 0-9, `_`, `.` and `-`";
            self.error(codes::MALFORMED, name.span(), "`rename` is malformed", label);
        }
    }
}

/// The key pattern that every client accepts.
fn is_portable_key(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}
