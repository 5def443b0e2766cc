//! Budgets: how much of something calls may use up in a time, for one tool (`budget` of
//! `[[tool]]`) or over several (`[[budget]]`).

use std::collections::BTreeSet;
use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;
use tollbridge_operation::{ApiName, Effect, ToolName};

use super::decimal::Decimal;
use super::located::Located;
use super::tool::{CountedBy, EffectSchema};
use super::values::{ApiNameSchema, ArgumentPath, ArgumentSchema, Period, ToolNameSchema};

/// `budget` of a tool: how much its calls may use up in a sliding window. What a call takes is
/// reserved before it is sent, and given back only where certainly nothing was done.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolBudget {
    /// Its name in errors and in the trail.
    pub name: Option<Located<String>>,
    /// Whether calls are counted.
    pub count: Option<Located<bool>>,
    /// Which argument is added up: by name or JSON pointer, `*` for every element.
    #[schemars(with = "Option<ArgumentSchema>")]
    pub sum: Option<Located<ArgumentPath>>,
    /// The currency that the argument must be in.
    pub currency: Option<Located<Currency>>,
    /// How much there is.
    pub limit: Located<Decimal>,
    /// In which time.
    pub per: Located<Period>,
    /// For whom together.
    #[serde(default)]
    pub by: CountedBy,
}

/// `[[budget]]`: a budget over several tools: those that all of `tools`, `api` and `effect` name;
/// without any of them, every tool.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Its name in errors and in the trail.
    pub name: Option<Located<String>>,
    /// Which tools.
    #[serde(default)]
    #[schemars(with = "Vec<ToolNameSchema>")]
    pub tools: Vec<Located<ToolName>>,
    /// Tools of which API.
    #[schemars(with = "Option<ApiNameSchema>")]
    pub api: Option<Located<ApiName>>,
    /// Tools of which effect: `write` has those in it that destroy.
    #[schemars(with = "Option<EffectSchema>")]
    pub effect: Option<Located<Effect>>,
    /// Whether calls are counted.
    pub count: Option<Located<bool>>,
    /// Which argument is added up: by name or JSON pointer, `*` for every element. Each of the
    /// tools must have it.
    #[schemars(with = "Option<ArgumentSchema>")]
    pub sum: Option<Located<ArgumentPath>>,
    /// The currency that the argument must be in.
    pub currency: Option<Located<Currency>>,
    /// How much there is.
    pub limit: Located<Decimal>,
    /// In which time.
    pub per: Located<Period>,
    /// For whom together.
    #[serde(default)]
    pub by: CountedBy,
}

/// The currency of what is added up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Currency {
    /// Which argument says it: by name or JSON pointer.
    #[schemars(with = "ArgumentSchema")]
    pub at: Located<ArgumentPath>,
    /// What it must be. A call in another currency is refused.
    pub is: Located<String>,
}

/// What both kinds of budget say of how much is used up.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// Whether calls are counted.
    pub count: Option<&'a Located<bool>>,
    /// Which argument is added up.
    pub sum: Option<&'a Located<ArgumentPath>>,
    /// The currency that it must be in.
    pub currency: Option<&'a Currency>,
    /// How much there is.
    pub limit: &'a Located<Decimal>,
    /// In which time.
    pub per: &'a Located<Period>,
    /// For whom together.
    pub by: CountedBy,
}

impl ToolBudget {
    /// What it says of how much is used up.
    pub fn terms(&self) -> Terms<'_> {
        Terms {
            name: self.name.as_deref().map(String::as_str),
            count: self.count.as_ref(),
            sum: self.sum.as_ref(),
            currency: self.currency.as_deref(),
            limit: &self.limit,
            per: &self.per,
            by: self.by,
        }
    }
}

impl Budget {
    /// What it says of how much is used up.
    pub fn terms(&self) -> Terms<'_> {
        Terms {
            name: self.name.as_deref().map(String::as_str),
            count: self.count.as_ref(),
            sum: self.sum.as_ref(),
            currency: self.currency.as_deref(),
            limit: &self.limit,
            per: &self.per,
            by: self.by,
        }
    }

    /// Whether it is about what another one is about.
    pub(super) fn is_about_the_same(&self, other: &Self) -> bool {
        let names =
            |one: &Self| one.tools.iter().map(|name| (**name).clone()).collect::<BTreeSet<_>>();
        let of = |one: &Self| (one.api.as_deref().cloned(), one.effect.as_deref().copied());
        names(self) == names(other) && of(self) == of(other)
    }

    /// Whether it is about a tool.
    pub fn covers(&self, tool: &ToolName, api: &ApiName, effect: Effect) -> bool {
        let in_effect = match self.effect.as_deref() {
            None => true,
            Some(Effect::Read) => effect == Effect::Read,
            Some(Effect::Write) => effect != Effect::Read,
            Some(Effect::Destructive) => effect == Effect::Destructive,
        };
        in_effect
            && self.api.as_deref().is_none_or(|name| name == api)
            && (self.tools.is_empty() || self.tools.iter().any(|name| **name == *tool))
    }
}

/// What is wrong with a budget: where, what, and what was expected.
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) message: &'static str,
    pub(super) label: &'static str,
}

impl Terms<'_> {
    /// How many digits behind the point an amount may have.
    pub const PLACES: u8 = 18;

    /// Whether both count the same for the same callers, whatever their limits: each call would be
    /// counted twice.
    pub(super) fn counts_as(&self, other: &Self) -> bool {
        let what = |terms: &Self| {
            let sum = terms.sum.map(|sum| (**sum).clone());
            let currency =
                terms.currency.map(|currency| (currency.at.to_string(), (*currency.is).clone()));
            (sum, currency, **terms.per, terms.by)
        };
        what(self) == what(other)
    }

    /// What is wrong with it; `whole` is where it stands in the file.
    pub(super) fn wrong(&self, whole: &Range<usize>) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        let mut say =
            |span: Range<usize>, message, label| wrong.push(Wrong { span, message, label });
        let counts = self.count.is_some_and(|count| **count);
        match (counts, self.sum) {
            (true, Some(sum)) => {
                say(
                    sum.span(),
                    "a budget counts calls or adds up an argument",
                    "remove one of them",
                );
            }
            (false, None) => {
                say(whole.clone(), "the budget measures nothing", "needs `count = true`, or `sum`");
            }
            _ => {}
        }
        if let (Some(currency), None) = (self.currency, self.sum) {
            say(
                currency.at.span(),
                "`currency` is of what is added up",
                "needs `sum`, or remove it",
            );
        }
        let whole = self.limit.scaled(0).is_some();
        // Calls and amounts are counted in the same unit.
        let counted = self.limit.scaled(Self::PLACES).is_some() && (whole || !counts);
        if self.limit.is_negative() || !counted {
            let label = if counts {
                "expected a whole number that is not negative, below 10^20"
            } else {
                "expected a number below 10^20 that is not negative, of at most 18 digits behind its point"
            };
            say(self.limit.span(), "`limit` is no amount that can be counted", label);
        }
        if self.per.0.is_zero() {
            say(self.per.span(), "`per` is zero", "expected more than nothing");
        }
        wrong
    }
}
