//! What stands in a condition, and what it comes to on a call.
//!
//! A term has no value where Cedar would find an error, and where Cedar is to be asked: records as
//! wholes, attributes that may be there or not outside the context, entities that the call is not
//! about.

use std::borrow::Cow;

use cedar_policy::pst::{BinaryOp, Expr, Literal, PatternElem, UnaryOp, Var};
use cedar_policy::{Context, Entities, EvalResult, Expression, Request, eval_expression};

use super::Facts;
use super::pattern::matches;
use super::relation::{of_one, relation};
use crate::action::Type;
use crate::carry::{Carried, decimal_units};
use crate::depth::MAX_DEPTH;

/// Something in a condition.
#[derive(Debug)]
pub(super) enum Term {
    /// Cedar is asked.
    Unknown,
    Bool(bool),
    Long(i64),
    /// In ten-thousandths.
    Decimal(i64),
    /// In milliseconds since the Unix epoch.
    Datetime(i64),
    /// In milliseconds.
    Duration(i64),
    Text(String),
    Entity(Type, String),
    Set(Vec<Term>),
    Principal,
    Action,
    Resource,
    /// A place in the context: members, each below the one before.
    Place(Vec<String>),
    /// A member of another record, or an attribute.
    Member(Box<Term>, String),
    /// Whether members are there, each below the one before.
    Has(Box<Term>, Vec<String>),
    Like(Box<Term>, Vec<PatternElem>),
    Is(Box<Term>, Type),
    Unary(UnaryOp, Box<Term>),
    Binary(BinaryOp, Box<[Term; 2]>),
    If(Box<[Term; 3]>),
}

impl Term {
    pub(super) fn of(expr: &Expr) -> Self {
        Self::below(expr, 0)
    }

    pub(super) fn not(self) -> Self {
        Self::Unary(UnaryOp::Not, Box::new(self))
    }

    fn below(expr: &Expr, depth: usize) -> Self {
        // What a tool's entry says was never a text.
        if depth > MAX_DEPTH {
            return Self::Unknown;
        }
        let of = |expr: &Expr| Self::below(expr, depth + 1);
        let boxed = |expr: &Expr| Box::new(of(expr));
        match expr {
            Expr::Literal(Literal::Bool(flag)) => Self::Bool(*flag),
            Expr::Literal(Literal::Long(number)) => Self::Long(*number),
            Expr::Literal(Literal::String(text)) => Self::Text(text.to_string()),
            Expr::Literal(Literal::EntityUID(uid)) => match Type::named(&uid.ty.to_string()) {
                Some(kind) => Self::Entity(kind, uid.eid.to_string()),
                None => Self::Unknown,
            },
            Expr::Var(Var::Context) => Self::Place(Vec::new()),
            Expr::Var(Var::Principal) => Self::Principal,
            Expr::Var(Var::Action) => Self::Action,
            Expr::Var(Var::Resource) => Self::Resource,
            Expr::Set(all) => Self::Set(all.iter().map(|one| of(one)).collect()),
            Expr::GetAttr { expr, attr } => match of(expr) {
                Self::Place(mut path) => {
                    path.push(attr.to_string());
                    Self::Place(path)
                }
                other => Self::Member(Box::new(other), attr.to_string()),
            },
            Expr::HasAttr { expr, attrs } => {
                Self::Has(boxed(expr), attrs.iter().map(ToString::to_string).collect())
            }
            Expr::Like { expr, pattern } => Self::Like(boxed(expr), pattern.clone()),
            Expr::Is { expr, entity_type, in_expr } => {
                let Some(kind) = Type::named(&entity_type.to_string()) else {
                    return Self::Unknown;
                };
                let is = Self::Is(boxed(expr), kind);
                match in_expr {
                    None => is,
                    Some(above) => {
                        let inside = Self::Binary(BinaryOp::In, Box::new([of(expr), of(above)]));
                        Self::Binary(BinaryOp::And, Box::new([is, inside]))
                    }
                }
            }
            Expr::UnaryOp { op: UnaryOp::Decimal, expr } => {
                written(expr).and_then(decimal_units).map_or(Self::Unknown, Self::Decimal)
            }
            Expr::UnaryOp { op: UnaryOp::Datetime, expr } => {
                let since = "durationSince(datetime(\"1970-01-01\")).toMilliseconds()";
                let found = |text| found(&format!("datetime({text:?}).{since}"));
                written(expr).and_then(found).map_or(Self::Unknown, Self::Datetime)
            }
            Expr::UnaryOp { op: UnaryOp::Duration, expr } => {
                let found = |text| found(&format!("duration({text:?}).toMilliseconds()"));
                written(expr).and_then(found).map_or(Self::Unknown, Self::Duration)
            }
            Expr::UnaryOp { op, expr } => Self::Unary(*op, boxed(expr)),
            Expr::BinaryOp { op, left, right } => {
                Self::Binary(*op, Box::new([of(left), of(right)]))
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                Self::If(Box::new([of(cond), of(then_expr), of(else_expr)]))
            }
            _ => Self::Unknown,
        }
    }

    /// Whether it is true; none where that is not known.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        match *self.value(facts)? {
            Carried::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    fn value<'f>(&'f self, facts: &'f Facts<'f>) -> Option<Cow<'f, Carried<'f>>> {
        let value = match self {
            Self::Unknown => return None,
            Self::Bool(flag) => Carried::Bool(*flag),
            Self::Long(number) => Carried::Long(*number),
            Self::Decimal(units) => Carried::Decimal(*units),
            Self::Datetime(at) => Carried::Datetime(*at),
            Self::Duration(time) => Carried::Duration(*time),
            Self::Text(text) => Carried::Text(text),
            Self::Entity(kind, name) => Carried::Entity(*kind, name),
            Self::Set(all) => {
                let values = all.iter().map(|one| one.value(facts).map(Cow::into_owned));
                Carried::Set(values.collect::<Option<_>>()?)
            }
            Self::Place(path) => {
                let place = path.iter().try_fold(&facts.context, |here, name| here.member(name));
                return place.map(Cow::Borrowed);
            }
            Self::Principal => Carried::Entity(Type::Identity, facts.principal.name),
            Self::Action => Carried::Entity(Type::Action, facts.action),
            Self::Resource => Carried::Entity(facts.resource.0, facts.resource.1),
            Self::Member(of, name) => match of.value(facts)? {
                Cow::Borrowed(record) => return record.member(name).map(Cow::Borrowed),
                Cow::Owned(Carried::Entity(kind, of)) => facts.attribute((kind, of), name)?,
                Cow::Owned(_) => return None,
            },
            Self::Has(of, names) => Carried::Bool(has(&*of.value(facts)?, names)?),
            Self::Like(of, pattern) => match *of.value(facts)? {
                Carried::Text(text) => Carried::Bool(matches(pattern, text)),
                _ => return None,
            },
            Self::Is(of, kind) => match *of.value(facts)? {
                Carried::Entity(own, _) => Carried::Bool(own == *kind),
                _ => return None,
            },
            Self::Unary(op, of) => of_one(*op, &*of.value(facts)?)?,
            Self::Binary(BinaryOp::And, both) => {
                Carried::Bool(both[0].holds(facts)? && both[1].holds(facts)?)
            }
            Self::Binary(BinaryOp::Or, both) => {
                Carried::Bool(both[0].holds(facts)? || both[1].holds(facts)?)
            }
            Self::Binary(op, both) => {
                let (left, right) = (both[0].value(facts)?, both[1].value(facts)?);
                relation(*op, &left, &right, facts)?
            }
            Self::If(three) => {
                return three[if three[0].holds(facts)? { 1 } else { 2 }].value(facts);
            }
        };
        Some(Cow::Owned(value))
    }
}

/// Whether a record has members, each below the one before.
fn has(mut here: &Carried<'_>, names: &[String]) -> Option<bool> {
    for name in names {
        let Carried::Record(_) = here else { return None };
        let Some(inside) = here.member(name) else { return Some(false) };
        here = inside;
    }
    Some(true)
}

/// A text that is written.
fn written(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(Literal::String(text)) => Some(text),
        _ => None,
    }
}

/// The number that an expression comes to, found by Cedar: it reads times as they are written.
fn found(expression: &str) -> Option<i64> {
    let expression: Expression = expression.parse().ok()?;
    let nobody = Type::Identity.uid("");
    let request = Request::new(nobody.clone(), nobody.clone(), nobody, Context::empty(), None);
    match eval_expression(&request.ok()?, &Entities::empty(), &expression).ok()? {
        EvalResult::Long(number) => Some(number),
        _ => None,
    }
}
