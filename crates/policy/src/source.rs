//! Policy files, read into single policies with their names and annotations.
//!
//! | annotation | says |
//! |---|---|
//! | `@id("name")` | the policy's name in the trail; without it: the file's stem and its number |
//! | `@hold("10m")` on a `forbid` | a person must approve; for how long that can be waited for |
//! | `@four_eyes` beside it | not the caller |
//! | `@ask("client, operator")` beside it | who may decide |
//! | `@wait("45s")` beside it | for how long the call stays open until somebody does |
//! | `@reason("…")` | what the caller is told |

use std::ops::Range;

use cedar_policy::{Policy, PolicyId, PolicySet};
use miette::Diagnostic as _;

use crate::decide::Effect;
use crate::depth::{MAX_DEPTH, too_deep};
use crate::engine::{Problem, Ruled, Site};
use crate::pointers::closest;
use crate::terms;

/// A file is no longer than that.
const MAX_BYTES: usize = 1 << 20;

/// After so many, what follows is the parser's confusion.
const MAX_ERRORS: usize = 5;

/// A policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its path, as it is told.
    pub path: String,
    /// Its text.
    pub text: String,
}

const ANNOTATIONS: [&str; 6] = ["id", "hold", "four_eyes", "ask", "wait", "reason"];

/// Reads the policies of a file.
pub(crate) fn read(index: usize, source: &Source, problems: &mut Vec<Problem>) -> Vec<Ruled> {
    if source.text.len() > MAX_BYTES {
        problems.push(Problem::error(Site::file(index, 0..0), "the file is longer than 1 MiB"));
        return Vec::new();
    }
    if let Some(span) = too_deep(&source.text) {
        let message = format!(
            "a policy deeper than {MAX_DEPTH}: so many conditions are joined, or within each other"
        );
        let help = "write `[\"a\", \"b\"].contains(x)`, or several policies";
        problems.push(Problem::error(Site::file(index, span), message).help(help));
        return Vec::new();
    }
    let set: PolicySet = match source.text.parse() {
        Ok(set) => set,
        Err(errors) => {
            for error in errors.iter().take(MAX_ERRORS) {
                let span = span_of(error).unwrap_or(0..0);
                let mut problem =
                    Problem::error(Site::file(index, span), format!("no Cedar: {error}"));
                problem.help = error.help().map(|help| help.to_string());
                problems.push(problem);
            }
            return Vec::new();
        }
    };
    if let Some(template) = set.templates().next() {
        let span = find(&source.text, &template.to_string(), 0);
        problems.push(
            Problem::error(Site::file(index, span), "a template, which nothing fills in")
                .help("write `principal == Identity::\"…\"` instead of `?principal`"),
        );
    }
    let mut policies: Vec<(usize, &Policy)> =
        set.policies().map(|policy| (number(policy.id()), policy)).collect();
    policies.sort_by_key(|(number, _)| *number);
    let mut after = 0;
    let mut made = Vec::with_capacity(policies.len());
    for (number, policy) in policies {
        let span = find(&source.text, &policy.to_string(), after);
        after = span.end;
        let site = Site::file(index, span);
        if let Some(ruled) = one(source, number, policy, site, problems) {
            made.push(ruled);
        }
    }
    made
}

fn one(
    source: &Source,
    number: usize,
    policy: &Policy,
    site: Site,
    problems: &mut Vec<Problem>,
) -> Option<Ruled> {
    for (name, _) in policy.annotations() {
        if !ANNOTATIONS.contains(&name)
            && let Some(near) = closest(name, ANNOTATIONS)
        {
            problems.push(
                Problem::error(site.clone(), format!("`@{name}` is no annotation of ours"))
                    .help(format!("did you mean `@{near}`?")),
            );
        }
    }
    let id = match policy.annotation("id") {
        Some("") => {
            problems.push(Problem::error(site, "`@id` needs a name: @id(\"small_refunds\")"));
            return None;
        }
        Some(id) => id.to_owned(),
        None => format!("{}.{}", stem(&source.path), number + 1),
    };
    let effect = match terms::read(policy, &id) {
        Ok(Some(terms)) => Effect::Hold(terms),
        Ok(None) if policy.effect() == cedar_policy::Effect::Permit => Effect::Permit,
        Ok(None) => Effect::Forbid,
        Err((message, mend)) => {
            problems.push(Problem::error(site, message).help(mend));
            return None;
        }
    };
    let reason = policy.annotation("reason").filter(|text| !text.is_empty()).map(str::to_owned);
    Ruled::new(policy.new_id(PolicyId::new(&id)), effect, reason, Some(site))
}

/// Where Cedar says that something is.
pub(crate) fn span_of(error: &dyn miette::Diagnostic) -> Option<Range<usize>> {
    let label = error.labels()?.next()?;
    Some(label.offset()..label.offset() + label.len())
}

/// The name that Cedar gives: `policy3`.
fn number(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.trim_start_matches("policy").parse().unwrap_or(0)
}

fn find(text: &str, piece: &str, after: usize) -> Range<usize> {
    let found = text.get(after..).and_then(|rest| rest.find(piece));
    found.map_or(0..0, |at| after + at..after + at + piece.len())
}

fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.split_once('.').map_or(name, |(stem, _)| stem)
}
