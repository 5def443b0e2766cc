//! What a policy reads: found in its text once, so that a call brings no more than that, and the
//! trail can tell the values that decided.

use std::collections::BTreeSet;

use cedar_policy::pst::{Clause, Expr, Literal, Var};

use crate::carry::{Uncarried, Want};

/// What a policy reads beside its scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// Paths in the context whose values it reads; an empty one is all of it.
    pub(crate) values: BTreeSet<Vec<String>>,
    /// Paths in the context of which it asks whether they are there.
    pub(crate) presence: BTreeSet<Vec<String>>,
    /// Whether it reads the caller.
    pub(crate) principal: bool,
    /// Attributes of the caller and the tool, as they are written.
    pub(crate) attributes: BTreeSet<(Var2, Vec<String>)>,
    /// The entities that it names: type and name.
    pub(crate) entities: BTreeSet<(String, String)>,
}

/// What has attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Var2 {
    Principal,
    Resource,
}

/// Reads a policy's conditions.
pub(crate) fn reads(clauses: &[Clause]) -> Reads {
    let mut reads = Reads::default();
    for clause in clauses {
        let (Clause::When(expr) | Clause::Unless(expr)) = clause;
        reads.expr(expr);
    }
    reads
}

impl Reads {
    /// Whether it reads nothing of the call itself.
    pub(crate) fn is_fixed(&self) -> bool {
        self.values.is_empty() && self.presence.is_empty()
    }

    /// Whether it reads anything below a member of the context.
    pub(crate) fn touches(&self, member: &str) -> bool {
        let of = |path: &Vec<String>| path.first().is_none_or(|first| first == member);
        self.values.iter().any(of) || self.presence.iter().any(of)
    }

    /// Whether a value that could not be carried is one that it reads.
    pub(crate) fn meets(&self, lost: &Uncarried) -> bool {
        let (unseen, lost) = (lost.unseen, &lost.path);
        // Whether it is there is known of a value that is seen, and not of what is below it.
        let asks = |path: &&Vec<String>| unseen || path.len() > lost.len();
        self.values.iter().any(|path| path.starts_with(lost) || lost.starts_with(path))
            || self.presence.iter().filter(asks).any(|path| path.starts_with(lost))
    }

    pub(crate) fn add_to(&self, want: &mut Want) {
        for path in &self.values {
            want.add(path, &Want::Whole);
        }
        for path in &self.presence {
            want.add(path, &Want::Presence);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(Literal::EntityUID(uid)) => {
                self.entities.insert((uid.ty.to_string(), uid.eid.to_string()));
            }
            Expr::Literal(_) | Expr::Slot(_) => {}
            Expr::Var(var) => self.value(var, Vec::new()),
            Expr::GetAttr { expr: inner, .. } => match chain(expr) {
                Some((var, path)) => self.value(&var, path),
                None => self.expr(inner),
            },
            Expr::HasAttr { expr: inner, attrs } => match chain(inner) {
                Some((Var::Context, mut path)) => {
                    path.extend(attrs.iter().map(ToString::to_string));
                    self.presence.insert(path);
                }
                Some((var, path)) => self.value(&var, path),
                None => self.expr(inner),
            },
            Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => self.expr(expr),
            Expr::BinaryOp { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            Expr::Is { expr, in_expr, .. } => {
                self.expr(expr);
                if let Some(inside) = in_expr {
                    self.expr(inside);
                }
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                for expr in [cond, then_expr, else_expr] {
                    self.expr(expr);
                }
            }
            Expr::Set(all) => all.iter().for_each(|expr| self.expr(expr)),
            Expr::Record(all) => all.values().for_each(|expr| self.expr(expr)),
            // What a later Cedar has may read anything.
            _ => {
                self.value(&Var::Context, Vec::new());
                self.value(&Var::Principal, Vec::new());
                self.value(&Var::Resource, Vec::new());
            }
        }
    }

    fn value(&mut self, var: &Var, path: Vec<String>) {
        match var {
            Var::Context => {
                self.values.insert(path);
            }
            Var::Principal => {
                self.principal = true;
                if !path.is_empty() {
                    self.attributes.insert((Var2::Principal, path));
                }
            }
            Var::Resource => {
                if !path.is_empty() {
                    self.attributes.insert((Var2::Resource, path));
                }
            }
            Var::Action => {}
        }
    }
}

/// A chain of members that begins with a variable.
pub(crate) fn chain(expr: &Expr) -> Option<(Var, Vec<String>)> {
    match expr {
        Expr::Var(var) => Some((var.clone(), Vec::new())),
        Expr::GetAttr { expr, attr } => {
            let (var, mut path) = chain(expr)?;
            path.push(attr.to_string());
            Some((var, path))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads_of(policy: &str) -> Reads {
        let policy: cedar_policy::Policy = policy.parse().expect("a policy");
        reads(policy.to_pst().expect("its form").body().clauses())
    }

    fn of(condition: &str) -> (Vec<String>, Vec<String>) {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let reads = reads_of(&text);
        let words = |paths: &BTreeSet<Vec<String>>| paths.iter().map(|p| p.join(".")).collect();
        (words(&reads.values), words(&reads.presence))
    }

    #[test]
    fn a_policy_reads_what_it_names_and_no_less() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("context.a.b > 3", &["a.b"], &[]),
            ("context has a && context.a like \"x*\"", &["a"], &["a"]),
            ("context has a.b.c", &[], &["a", "a.b", "a.b.c"]),
            ("context[\"a-b\"] == 1", &["a-b"], &[]),
            ("context == {a: 1}", &[""], &[]),
            ("(if context.x then context.a else context.b).c == 1", &["a", "b", "x"], &[]),
            ("{a: context.b}.a == 1", &["b"], &[]),
            ("[context.a, 2].contains(context.b)", &["a", "b"], &[]),
            ("context.d.lessThan(decimal(\"1.0\"))", &["d"], &[]),
            ("principal in Group::\"x\" && resource.effect == \"read\"", &[], &[]),
        ];
        for (condition, values, presence) in table {
            let (found_values, found_presence) = of(condition);
            assert_eq!(found_values, *values, "{condition}");
            for path in *presence {
                let told = found_presence.iter().any(|found| found.starts_with(path));
                assert!(told, "{condition}: {found_presence:?}");
            }
        }
    }

    #[test]
    fn whether_a_lost_value_is_there_is_known() {
        let lost = |path: &[&str]| Uncarried {
            path: path.iter().map(ToString::to_string).collect(),
            reason: "",
            unseen: false,
        };
        let policy =
            "forbid(principal, action, resource) when { context has a.b && context.c.d == 1 };";
        let reads = reads_of(policy);
        assert!(!reads.meets(&lost(&["a", "b"])));
        assert!(reads.meets(&lost(&["a"])), "what is below it is not known");
        assert!(reads.meets(&lost(&["c", "d"])));
        assert!(reads.meets(&lost(&["c"])));
        assert!(reads.meets(&lost(&["c", "d", "e"])));
        assert!(!reads.meets(&lost(&["x"])));
        assert!(reads.meets(&Uncarried { unseen: true, ..lost(&["a", "b"]) }));
    }
}
