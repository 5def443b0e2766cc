//! Conditions that a call certainly does not meet, found out without Cedar.
//!
//! Among many policies on a tool most are not satisfied, and most of those compare something of
//! the call with something that is written. That much is known here, so that Cedar is asked only
//! about the others: it alone finds a policy satisfied, and it alone finds that one fails. What is
//! not known for certain is left to it, and so is everything where a value could not be carried.
//!
//! A condition is read from the left, as Cedar does: what stands behind a part that is false is
//! not evaluated and cannot fail, what stands behind one that is not known is not looked at.
//!
//! Source: Cedar's operators and their short-circuits,
//! <https://docs.cedarpolicy.com/policies/syntax-operators.html>.

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, PatternElem, UnaryOp, Var};

use crate::carry::{Carried, decimal_units};
use crate::reads::chain;
use crate::window::Local;

/// What policies may read of a call, beside what is known of caller and tool.
#[derive(Debug)]
pub(crate) struct Facts<'v> {
    /// The arguments that are read; none where none is.
    pub(crate) arguments: Option<Carried<'v>>,
    pub(crate) channel: &'v str,
    pub(crate) agent: (&'v str, &'v str),
    /// What clocks say at the policies' place and at that of the tool's window, where it is read.
    pub(crate) local: Option<Local>,
    pub(crate) when: Option<Local>,
}

/// The conditions of a policy, as far as they can be known here.
#[derive(Debug, Default)]
pub(crate) struct Guard(Vec<Test>);

/// A condition; what it comes to is none where it is not known.
#[derive(Debug)]
enum Test {
    Unknown,
    Constant(bool),
    Not(Box<Test>),
    And(Box<[Test; 2]>),
    Or(Box<[Test; 2]>),
    If(Box<[Test; 3]>),
    /// Whether members are there below a place among the arguments.
    Has(Vec<String>, Vec<String>),
    Compares(Vec<String>, Compares, Constant),
    Like(Vec<String>, Vec<PatternElem>),
    /// Whether one of these stands there.
    OneOf(Vec<String>, Vec<Constant>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compares {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Something that is written in a policy.
#[derive(Debug, PartialEq, Eq)]
enum Constant {
    Bool(bool),
    Long(i64),
    /// In ten-thousandths.
    Decimal(i64),
    Text(String),
}

impl Guard {
    /// Reads the conditions of a policy.
    pub(crate) fn of(clauses: &[Clause]) -> Self {
        Self(
            clauses
                .iter()
                .map(|clause| match clause {
                    Clause::When(condition) => Test::of(condition),
                    Clause::Unless(condition) => Test::Not(Box::new(Test::of(condition))),
                })
                .collect(),
        )
    }

    /// Whether the call certainly does not meet the conditions, and Cedar would find them false
    /// without an error. Every value that the policy reads is among the facts exactly.
    pub(crate) fn misses(&self, facts: &Facts<'_>) -> bool {
        for test in &self.0 {
            match test.holds(facts) {
                Some(true) => {}
                Some(false) => return true,
                None => return false,
            }
        }
        false
    }
}

impl Test {
    fn of(condition: &Expr) -> Self {
        let both = |left: &Expr, right: &Expr| Box::new([Self::of(left), Self::of(right)]);
        match condition {
            Expr::Literal(Literal::Bool(flag)) => Self::Constant(*flag),
            Expr::GetAttr { .. } => match place(condition) {
                Some(place) => Self::Compares(place, Compares::Equal, Constant::Bool(true)),
                None => Self::Unknown,
            },
            Expr::UnaryOp { op: UnaryOp::Not, expr } => Self::Not(Box::new(Self::of(expr))),
            Expr::BinaryOp { op: BinaryOp::And, left, right } => Self::And(both(left, right)),
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => Self::Or(both(left, right)),
            Expr::BinaryOp { op: BinaryOp::Contains, left, right } => match (&**left, place(right))
            {
                (Expr::Set(elements), Some(place)) => {
                    match elements.iter().map(|one| constant(one)).collect() {
                        Some(all) => Self::OneOf(place, all),
                        None => Self::Unknown,
                    }
                }
                _ => Self::Unknown,
            },
            Expr::BinaryOp { op, left, right } => Self::comparison(*op, left, right),
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                Self::If(Box::new([Self::of(cond), Self::of(then_expr), Self::of(else_expr)]))
            }
            Expr::HasAttr { expr, attrs } => match chain(expr) {
                Some((Var::Context, mut place)) => {
                    let mut below: Vec<String> = attrs.iter().map(ToString::to_string).collect();
                    // Of the context itself only what is below the arguments may be missing.
                    if place.is_empty() && below.len() > 1 {
                        place.push(below.remove(0));
                    }
                    match place.first() {
                        Some(first) if first == ARGUMENTS => Self::Has(place, below),
                        _ => Self::Unknown,
                    }
                }
                _ => Self::Unknown,
            },
            Expr::Like { expr, pattern } => match place(expr) {
                Some(place) => Self::Like(place, pattern.clone()),
                None => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    fn comparison(op: BinaryOp, left: &Expr, right: &Expr) -> Self {
        let (compares, decimal) = match op {
            BinaryOp::Eq => (Compares::Equal, None),
            BinaryOp::NotEq => (Compares::NotEqual, None),
            BinaryOp::Less => (Compares::Less, Some(false)),
            BinaryOp::LessEq => (Compares::LessOrEqual, Some(false)),
            BinaryOp::Greater => (Compares::Greater, Some(false)),
            BinaryOp::GreaterEq => (Compares::GreaterOrEqual, Some(false)),
            BinaryOp::DecimalLessThan => (Compares::Less, Some(true)),
            BinaryOp::DecimalLessEq => (Compares::LessOrEqual, Some(true)),
            BinaryOp::DecimalGreater => (Compares::Greater, Some(true)),
            BinaryOp::DecimalGreaterEq => (Compares::GreaterOrEqual, Some(true)),
            _ => return Self::Unknown,
        };
        let (place, compares, constant) = match (place(left), constant(right)) {
            (Some(place), Some(constant)) => (place, compares, constant),
            _ => match (constant(left), place(right)) {
                (Some(constant), Some(place)) => (place, compares.turned(), constant),
                _ => return Self::Unknown,
            },
        };
        let orders = match &constant {
            Constant::Long(_) => decimal != Some(true),
            Constant::Decimal(_) => decimal != Some(false),
            Constant::Bool(_) | Constant::Text(_) => decimal.is_none(),
        };
        if orders { Self::Compares(place, compares, constant) } else { Self::Unknown }
    }

    fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Constant(flag) => Some(*flag),
            Self::Not(test) => test.holds(facts).map(|holds| !holds),
            Self::And(both) if both[0].holds(facts)? => both[1].holds(facts),
            Self::And(_) => Some(false),
            Self::Or(both) if both[0].holds(facts)? => Some(true),
            Self::Or(both) => both[1].holds(facts),
            Self::If(three) => three[if three[0].holds(facts)? { 1 } else { 2 }].holds(facts),
            Self::Has(place, below) => {
                let mut here = facts.argument(place)?;
                for name in below {
                    let Carried::Record(_) = here else { return None };
                    let Some(inside) = here.member(name) else { return Some(false) };
                    here = inside;
                }
                Some(true)
            }
            Self::Compares(place, compares, constant) => {
                facts.with(place, |value| constant.against(value, *compares))?
            }
            Self::Like(place, pattern) => facts.with(place, |value| match value {
                Carried::Text(text) => Some(matches(pattern, text)),
                _ => None,
            })?,
            Self::OneOf(place, all) => facts.with(place, |value| {
                let mut equal = all.iter().map(|one| one.against(value, Compares::Equal));
                equal.try_fold(false, |found, one| Some(found || one?))
            })?,
        }
    }
}

const ARGUMENTS: &str = "arguments";

impl Facts<'_> {
    /// An argument, or what is below it; its place begins with `arguments`.
    fn argument(&self, place: &[String]) -> Option<&Carried<'_>> {
        let arguments = self.arguments.as_ref()?;
        place.get(1..)?.iter().try_fold(arguments, |here, name| here.member(name))
    }

    /// Shows what stands at a place; none where that is not known.
    fn with<T>(&self, place: &[String], look: impl Fn(&Carried<'_>) -> T) -> Option<T> {
        let mut names = place.iter().map(String::as_str);
        let clock = |clock: &Option<Local>, name| {
            let clock = clock.as_ref()?;
            match name {
                "weekday" => Some(clock.weekday),
                "hour" => Some(clock.hour),
                "minute" => Some(clock.minute),
                _ => None,
            }
        };
        let value = match (names.next()?, names.next(), names.next(), names.next()) {
            (ARGUMENTS, ..) => return self.argument(place).map(look),
            ("channel", None, ..) => Carried::Text(self.channel),
            ("agent", Some("name"), None, _) => Carried::Text(self.agent.0),
            ("agent", Some("version"), None, _) => Carried::Text(self.agent.1),
            ("time", Some("local"), Some(name), None) => Carried::Long(clock(&self.local, name)?),
            ("when", Some("weekday"), None, _) => Carried::Long(self.when.as_ref()?.weekday),
            ("when", Some("minute"), None, _) => Carried::Long(self.when.as_ref()?.minute_of_day()),
            _ => return None,
        };
        Some(look(&value))
    }
}

impl Compares {
    /// The same with both sides changed over.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same @ (Self::Equal | Self::NotEqual) => same,
        }
    }

    fn between<T: Ord + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Constant {
    /// What a value on the left comes to beside this; none where they are not of one type.
    fn against(&self, value: &Carried<'_>, compares: Compares) -> Option<bool> {
        match (value, self) {
            (Carried::Bool(value), Self::Bool(own)) => Some(compares.between(value, own)),
            (Carried::Long(value), Self::Long(own))
            | (Carried::Decimal(value), Self::Decimal(own)) => Some(compares.between(value, own)),
            (Carried::Text(value), Self::Text(own)) => Some(compares.between(*value, own.as_str())),
            _ => None,
        }
    }
}

/// A place in the context that an expression reads.
fn place(expr: &Expr) -> Option<Vec<String>> {
    match chain(expr)? {
        (Var::Context, place) if !place.is_empty() => Some(place),
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<Constant> {
    match expr {
        Expr::Literal(Literal::Bool(flag)) => Some(Constant::Bool(*flag)),
        Expr::Literal(Literal::Long(number)) => Some(Constant::Long(*number)),
        Expr::Literal(Literal::String(text)) => Some(Constant::Text(text.to_string())),
        Expr::UnaryOp { op: UnaryOp::Decimal, expr } => match &**expr {
            Expr::Literal(Literal::String(digits)) => decimal_units(digits).map(Constant::Decimal),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a text is as a pattern says. A wildcard is as much as need be: when what follows it
/// does not fit, it takes one more.
fn matches(pattern: &[PatternElem], text: &str) -> bool {
    let (mut at, mut rest) = (0, text.chars());
    let mut again: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        match pattern.get(at) {
            Some(PatternElem::Wildcard) => {
                at += 1;
                again = Some((at, rest.clone()));
                continue;
            }
            None if rest.as_str().is_empty() => return true,
            Some(PatternElem::Char(wanted)) => {
                let mut ahead = rest.clone();
                if ahead.next() == Some(*wanted) {
                    (at, rest) = (at + 1, ahead);
                    continue;
                }
            }
            None => {}
        }
        let Some((after, from)) = &mut again else { return false };
        if from.next().is_none() {
            return false;
        }
        (at, rest) = (*after, from.clone());
    }
}

#[cfg(test)]
mod tests;
