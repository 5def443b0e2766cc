//! Selecting a part of an answer with a JMESPath expression.
//!
//! The language has neither loops nor definitions, so an expression ends, in time bounded by
//! its own length and the answer's. Values are converted here and not by the crate: its
//! conversion goes through serde, which does not know our numbers, that keep their digits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use jmespath::ast::Ast;
use jmespath::functions::{ArgumentType, Function, Signature};
use jmespath::{Context, JmespathError, Runtime, Variable, interpret};
use serde_json::{Map, Number, Value};

/// Longer than any that a person writes.
const LONGEST: usize = 2_000;

/// How many operators an expression has: each may be a level of nesting, and the crate reads
/// and evaluates by recursion.
const OPERATORS: usize = 100;

/// Under which name `serde_json` hands a number that keeps its digits to other crates.
const NUMBER: &str = "$serde_json::private::Number";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Runtime::new();
    runtime.register_builtin_functions();
    runtime.register_function("to_number", Box::new(ToNumber));
    runtime
});

/// A JMESPath expression.
pub struct Selector {
    text: String,
    ast: Ast,
    /// Which members of an answer it looks at; `None`: all of it.
    members: Option<Vec<String>>,
}

/// A text that is no JMESPath expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSelector(String);

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({:?})", self.text)
    }
}

impl Selector {
    /// Reads an expression. A function that JMESPath does not have is found here.
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        if text.len() > LONGEST {
            let message = format!("an expression has at most {LONGEST} bytes");
            return Err(InvalidSelector(message));
        }
        let operators = text.bytes().filter(|b| b".[({|&!<>=".contains(b)).count();
        if operators > OPERATORS {
            let message = format!("an expression has at most {OPERATORS} operators");
            return Err(InvalidSelector(message));
        }
        let mut ast = jmespath::parse(text).map_err(|error| InvalidSelector(words(&error)))?;
        let mut unknown = None;
        mend(&mut ast, &mut unknown);
        match unknown {
            Some(name) => Err(InvalidSelector(format!("JMESPath has no function `{name}`"))),
            None => {
                let mut members = Vec::new();
                let members = looks_at(&ast, &mut members).then_some(members);
                Ok(Self { text: text.to_owned(), ast, members })
            }
        }
    }

    pub(super) fn ast(&self) -> &Ast {
        &self.ast
    }

    /// Whether the expression holds of a value: JMESPath takes nothing, `false` and what is empty
    /// for false. Where it cannot be applied it does not hold.
    pub fn holds(&self, value: &Value) -> bool {
        match self.apply(value) {
            Ok(Value::Null | Value::Bool(false)) | Err(_) => false,
            Ok(Value::String(text)) => !text.is_empty(),
            Ok(Value::Array(items)) => !items.is_empty(),
            Ok(Value::Object(members)) => !members.is_empty(),
            Ok(Value::Bool(true) | Value::Number(_)) => true,
        }
    }

    /// What the expression selects; null where that is nothing, or it cannot be applied.
    pub fn select(&self, value: &Value) -> Value {
        self.apply(value).unwrap_or_default()
    }

    /// What the expression selects; null where that is nothing.
    pub(super) fn apply(&self, value: &Value) -> Result<Value, String> {
        let mut context = Context::new(&self.text, &RUNTIME);
        let value = match (value, &self.members) {
            // The rest of it is not worth a copy.
            (Value::Object(all), Some(members)) => {
                let looked_at = members.iter().filter_map(|name| {
                    all.get(name).map(|value| (name.clone(), Arc::new(variable(value))))
                });
                Variable::Object(looked_at.collect())
            }
            _ => variable(value),
        };
        let found = interpret(&Arc::new(value), &self.ast, &mut context);
        found.map(|found| of_variable(&found)).map_err(|error| words(&error))
    }
}

/// Gathers the members of a value that an expression looks at; `false` where it may look at others
/// too, or at the value itself.
fn looks_at(ast: &Ast, members: &mut Vec<String>) -> bool {
    match ast {
        Ast::Field { name, .. } => {
            if !members.contains(name) {
                members.push(name.clone());
            }
            true
        }
        Ast::Literal { .. } => true,
        // What follows looks at what was found.
        Ast::Subexpr { lhs: node, .. }
        | Ast::Projection { lhs: node, .. }
        | Ast::ObjectValues { node, .. }
        | Ast::Flatten { node, .. }
        | Ast::Not { node, .. } => looks_at(node, members),
        Ast::Comparison { lhs, rhs, .. } | Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } => {
            looks_at(lhs, members) && looks_at(rhs, members)
        }
        Ast::Function { args, .. } => args.iter().all(|arg| looks_at(arg, members)),
        Ast::MultiList { elements, .. } => elements.iter().all(|node| looks_at(node, members)),
        Ast::MultiHash { elements, .. } => {
            elements.iter().all(|pair| looks_at(&pair.value, members))
        }
        Ast::Condition { .. }
        | Ast::Identity { .. }
        | Ast::Expref { .. }
        | Ast::Index { .. }
        | Ast::Slice { .. } => false,
    }
}

/// The first line of an error: the others repeat the expression.
fn words(error: &JmespathError) -> String {
    let said = error.reason.to_string();
    let line = said.lines().next().unwrap_or_default();
    format!("{line} (at character {})", error.column + 1)
}

/// Gives literals back their numbers, and finds functions that there are none of.
fn mend(ast: &mut Ast, unknown: &mut Option<String>) {
    match ast {
        Ast::Literal { value, .. } => *value = Arc::new(mended(value)),
        Ast::Function { name, args, .. } => {
            if RUNTIME.get_function(name).is_none() && unknown.is_none() {
                *unknown = Some(name.clone());
            }
            for arg in args {
                mend(arg, unknown);
            }
        }
        Ast::MultiList { elements, .. } => {
            for element in elements {
                mend(element, unknown);
            }
        }
        Ast::MultiHash { elements, .. } => {
            for pair in elements {
                mend(&mut pair.value, unknown);
            }
        }
        Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. }
        | Ast::Condition { predicate: lhs, then: rhs, .. } => {
            mend(lhs, unknown);
            mend(rhs, unknown);
        }
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::Not { node, .. }
        | Ast::ObjectValues { node, .. } => mend(node, unknown),
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Slice { .. } => {}
    }
}

fn mended(value: &Variable) -> Variable {
    match value {
        Variable::Array(items) => {
            Variable::Array(items.iter().map(|item| Arc::new(mended(item))).collect())
        }
        Variable::Object(members) => {
            if let (1, Some(Variable::String(digits))) =
                (members.len(), members.get(NUMBER).map(|digits| &**digits))
                && let Ok(number) = digits.parse::<Number>()
            {
                return Variable::Number(number);
            }
            let members = members.iter();
            Variable::Object(
                members.map(|(name, value)| (name.clone(), Arc::new(mended(value)))).collect(),
            )
        }
        other => other.clone(),
    }
}

fn variable(value: &Value) -> Variable {
    match value {
        Value::Null => Variable::Null,
        Value::Bool(flag) => Variable::Bool(*flag),
        Value::Number(number) => Variable::Number(number.clone()),
        Value::String(text) => Variable::String(text.clone()),
        Value::Array(items) => {
            Variable::Array(items.iter().map(|item| Arc::new(variable(item))).collect())
        }
        Value::Object(members) => Variable::Object(
            members
                .iter()
                .map(|(name, member)| (name.clone(), Arc::new(variable(member))))
                .collect::<BTreeMap<_, _>>(),
        ),
    }
}

pub(super) fn of_variable(variable: &Variable) -> Value {
    match variable {
        // An expression is no value (`&name`); only functions take one.
        Variable::Null | Variable::Expref(_) => Value::Null,
        Variable::Bool(flag) => Value::Bool(*flag),
        Variable::Number(number) => Value::Number(number.clone()),
        Variable::String(text) => Value::String(text.clone()),
        Variable::Array(items) => items.iter().map(|item| of_variable(item)).collect(),
        Variable::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| (name.clone(), of_variable(member)))
                .collect::<Map<_, _>>(),
        ),
    }
}

/// `to_number` (JMESPath, built-in functions): the crate's own would read digits through
/// serde.
struct ToNumber;

impl Function for ToNumber {
    fn evaluate(
        &self,
        args: &[jmespath::Rcvar],
        context: &mut Context<'_>,
    ) -> Result<jmespath::Rcvar, JmespathError> {
        Signature::new(vec![ArgumentType::Any], None).validate(args, context)?;
        Ok(match &*args[0] {
            Variable::Number(_) => Arc::clone(&args[0]),
            Variable::String(text) => {
                Arc::new(text.parse::<Number>().map_or(Variable::Null, Variable::Number))
            }
            _ => Arc::new(Variable::Null),
        })
    }
}
