//! The budgets of a tool: its own, and those of `[[budget]]` that are about it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use tollbridge_operation::{Operation, ToolName};

use super::exposed::{by, pointer};
use crate::config::{self, BudgetTerms, Config, Diagnostic, Diagnostics, Located, codes};
use crate::gateway::fallback::{Fallback, Substitute};
use crate::gateway::toolbox::{Budgeted, Exposed};
use crate::safety::BudgetRule;
use crate::store::{Amount, PLACES};
use crate::tools::Spending;

/// Gives each tool its budgets. `entries` are what the tools were made of, in their order.
pub(super) fn compile(
    config: &Config,
    entries: &[&Located<config::Tool>],
    exposed: &mut [Exposed],
    found: &mut Diagnostics,
) {
    let mut missing = Missing { config, found };
    missing.tools(exposed);
    let found = missing.found;
    for (entry, exposed) in entries.iter().zip(exposed) {
        let tool = Arc::clone(&exposed.tool);
        let what = tool.name.as_str();
        let mut one = One { config, what, operation: &tool.operation, found };
        for (index, budget) in entry.budget.iter().enumerate() {
            let place = format!("{}.budget", tool.name);
            let scope = format!("tool={}", tool.name);
            exposed.budgets.extend(one.compile(budget.terms(), &place, index, &scope));
        }
        over_several(config, exposed, found);
    }
}

/// Warns of budgets that are about nothing: neither a tool, nor what may be found.
pub(super) fn idle(config: &Config, exposed: &[Exposed], found: &mut Diagnostics) {
    let covers = |budget: &config::Budget, one: &Exposed| {
        let (name, mut substitutes) = (&one.tool.name, one.substitutes());
        budget.covers(name, &one.rules.api, one.tool.operation.effect)
            || substitutes.any(|other| budget.covers(name, &other.api, other.operation.effect))
    };
    let idle = |budget: &&Located<config::Budget>| !exposed.iter().any(|one| covers(budget, one));
    for budget in config.budgets.iter().filter(idle) {
        let diagnostic =
            Diagnostic::warning(codes::BUDGET, &config.file, "a budget is about no tool");
        found.push(diagnostic.at(budget.span()).label("no tool is of this API and effect"));
    }
}

/// Gives what stands in for a tool the budgets of `[[budget]]` that are about it and not about the tool:
/// in the others its call counts as the tool's.
pub(super) fn of_substitutes(config: &Config, exposed: &mut [Exposed], found: &mut Diagnostics) {
    for one in exposed {
        let (name, api, effect) = (&one.tool.name, &one.rules.api, one.tool.operation.effect);
        for substitute in one.fallbacks.iter_mut().filter_map(Fallback::operation_mut) {
            let operation = Arc::clone(&substitute.operation);
            let what = operation.id.to_string();
            let mut budgets = One { config, what: &what, operation: &operation, found };
            for (index, budget) in config.budgets.iter().enumerate() {
                let is_its_own = !budget.covers(name, api, effect)
                    && budget.covers(name, &substitute.api, operation.effect);
                if !is_its_own {
                    continue;
                }
                let (terms, scope) = (budget.terms(), scope_of(budget));
                let Some(budgeted) = budgets.compile(terms, "budget", index, &scope) else {
                    continue;
                };
                if let Some(path) = unmapped(&budget.terms(), substitute) {
                    let message =
                        format!("`{name}` never falls back to `{what}`: the budget reads {path}");
                    let warning = Diagnostic::warning(codes::BUDGET, &config.file, message);
                    let help = "give it in the fallback's `map`, or count calls";
                    let warning = warning.at(path.span()).label("it is not in `map`").help(help);
                    budgets.found.push(warning);
                }
                substitute.budgets.push(budgeted);
            }
        }
    }
}

/// What a budget reads of the arguments of what stands in and is never there.
fn unmapped<'t>(
    terms: &BudgetTerms<'t>,
    substitute: &Substitute,
) -> Option<&'t Located<config::ArgumentPath>> {
    let currency = terms.currency.map(|currency| &currency.at);
    let mut read = terms.sum.into_iter().chain(currency);
    read.find(|path| path.segments().first().is_some_and(|name| !substitute.map.gives(name)))
}

/// Gives a tool, or an operation that may be found, the budgets of `[[budget]]` that are about it.
pub(super) fn over_several(config: &Config, exposed: &mut Exposed, found: &mut Diagnostics) {
    let tool = Arc::clone(&exposed.tool);
    let what = tool.name.as_str();
    let mut one = One { config, what, operation: &tool.operation, found };
    for (index, budget) in config.budgets.iter().enumerate() {
        if budget.covers(&tool.name, &exposed.rules.api, tool.operation.effect) {
            let scope = scope_of(budget);
            exposed.budgets.extend(one.compile(budget.terms(), "budget", index, &scope));
        }
    }
}

struct Missing<'a> {
    config: &'a Config,
    found: &'a mut Diagnostics,
}

impl Missing<'_> {
    /// Reports tools that budgets name and that are none.
    fn tools(&mut self, exposed: &[Exposed]) {
        let names: BTreeSet<&ToolName> = exposed.iter().map(|tool| &tool.tool.name).collect();
        for name in self.config.budgets.iter().flat_map(|budget| &budget.tools) {
            if !names.contains(&**name) {
                let known: Vec<&str> = names.iter().take(30).map(|name| name.as_str()).collect();
                let message = format!("a budget names `{name}`, and there is no such tool");
                let diagnostic = Diagnostic::error(codes::BUDGET, &self.config.file, message)
                    .at(name.span())
                    .label("no such tool")
                    .help(format!("the tools are: {}", known.join(", ")));
                self.found.push(diagnostic);
            }
        }
    }
}

/// Over which tools a budget counts, as its key has it.
fn scope_of(budget: &config::Budget) -> String {
    let names: BTreeSet<&str> = budget.tools.iter().map(|name| name.as_str()).collect();
    let mut scope = "over".to_owned();
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        let _ = write!(scope, " tools={}", names.join(","));
    }
    if let Some(api) = &budget.api {
        let _ = write!(scope, " api={api}");
    }
    if let Some(effect) = &budget.effect {
        let _ = write!(scope, " effect={}", effect.as_str());
    }
    scope
}

struct One<'a> {
    config: &'a Config,
    /// What the budget counts, in words, and as it is described.
    what: &'a str,
    operation: &'a Operation,
    found: &'a mut Diagnostics,
}

impl One<'_> {
    fn compile(
        &mut self,
        terms: BudgetTerms<'_>,
        place: &str,
        index: usize,
        scope: &str,
    ) -> Option<Budgeted> {
        let spending = match terms.sum {
            None => None,
            Some(sum) => match self.spending(terms, sum) {
                Ok(spending) => Some(spending),
                Err((why, help)) => {
                    let what = self.what;
                    let message = format!("the budget cannot be reckoned for `{what}`: {why}");
                    let diagnostic = Diagnostic::error(codes::BUDGET, &self.config.file, message);
                    self.found.push(diagnostic.at(sum.span()).help(help));
                    return None;
                }
            },
        };
        let mut measure = terms.sum.map_or_else(|| "calls".to_owned(), |sum| format!("sum={sum}"));
        if let Some(currency) = terms.currency {
            let _ = write!(measure, " {}={}", &*currency.at, &*currency.is);
        }
        let unit = match (&terms.currency, &spending) {
            (Some(currency), _) => (*currency.is).clone(),
            (None, Some(_)) => String::new(),
            (None, None) => "calls".to_owned(),
        };
        let name = match terms.name {
            Some(name) => format!("{place}.{name}"),
            None => format!("{place}[{index}]"),
        };
        // The file was checked: the limit can be counted.
        let limit = Amount(terms.limit.scaled(PLACES)?);
        let per = terms.per.0;
        let key = format!("budget:{scope}:{measure}:{}", &**terms.per);
        let rule = BudgetRule { name: name.into(), key, limit, unit, per, by: by(terms.by) };
        Some(Budgeted { rule, spending })
    }

    /// The argument that is added up; else what is wrong with it, and the mend.
    fn spending(
        &self,
        terms: BudgetTerms<'_>,
        sum: &config::ArgumentPath,
    ) -> Result<Spending, (String, String)> {
        let place =
            |path| pointer(path).map_err(|why| (why, "write a name or a JSON pointer".to_owned()));
        let currency = match terms.currency {
            Some(currency) => Some((place(&currency.at)?, (*currency.is).clone())),
            None => None,
        };
        let spending = Spending::compile(self.operation, place(sum)?, currency);
        spending.map_err(|error| (error.to_string(), error.help()))
    }
}
