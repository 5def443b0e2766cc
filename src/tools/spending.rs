//! What a call uses up of a budget: an argument, or several, added up exactly.
//!
//! It is read from the arguments as they will be sent, as limits are. A value that cannot be
//! added up (absent, negative, too long, in another currency) is no zero: the call is refused.

use serde_json::Value;
use tollbridge_operation::{Arguments, Decimal, Operation};

use super::limits::{LimitBroken, is_numeric_text, number};
use super::place;
use super::pointer::{ArgumentPointer, Step};
use super::rule::RuleError;
use super::schema::{Types, Walk, escape};
use super::shape::unknown;
use super::text;

/// Which argument is added up, and the currency that it must be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    amount: ArgumentPointer,
    currency: Option<(ArgumentPointer, String)>,
}

impl Spending {
    /// Compiles it against an operation's arguments. An error names an argument that the operation does
    /// not have, or that is no number.
    pub fn compile(
        operation: &Operation,
        amount: ArgumentPointer,
        currency: Option<(ArgumentPointer, String)>,
    ) -> Result<Self, RuleError> {
        Self::of_schema(&operation.input.to_value(), amount, currency)
    }

    fn of_schema(
        input: &Value,
        amount: ArgumentPointer,
        currency: Option<(ArgumentPointer, String)>,
    ) -> Result<Self, RuleError> {
        let walk = Walk::new(input);
        let look = |pointer: &ArgumentPointer| {
            place::find(&walk, pointer.steps()).map_err(|missing| unknown(pointer, missing))
        };
        let leaves = look(&amount)?;
        let types = leaves.iter().fold(Types::NONE, |types, leaf| types.or(walk.types(leaf, 0)));
        if !types.overlaps(Types::NUMBER) && !leaves.iter().any(|leaf| is_numeric_text(leaf)) {
            let found = types.words();
            return Err(RuleError::UnfitLimit { pointer: amount, limit: "sum", found });
        }
        if let Some((at, _)) = &currency {
            look(at)?;
        }
        Ok(Self { amount, currency })
    }

    /// How much a call uses up, times ten to the power of `places`. An error says which argument
    /// cannot be added up, and why.
    pub fn of(&self, arguments: &Arguments, places: u8) -> Result<i128, LimitBroken> {
        let arguments = arguments.to_value();
        if let Some((at, wanted)) = &self.currency {
            let expected = format!("`{}`: the budget is in it", text::cut(wanted, 40));
            each(&arguments, at.steps(), "", &mut |place, found| match found {
                Some(Value::String(is)) if is == wanted => Ok(()),
                _ => Err(refused(place, &expected)),
            })?;
        }
        let mut total: i128 = 0;
        each(&arguments, self.amount.steps(), "", &mut |place, found| {
            let size = found.and_then(number).filter(|size: &Decimal| !size.is_negative());
            let size = size.ok_or_else(|| {
                refused(place, "a number that is not negative: a budget adds it up")
            })?;
            let sum = size.scaled(places).and_then(|size| total.checked_add(size));
            total = sum.ok_or_else(|| {
                refused(place, &format!("a number with at most {places} digits behind its point"))
            })?;
            Ok(())
        })?;
        Ok(total)
    }
}

/// Visits every place that the steps lead to; `None` where nothing is. A list without elements
/// has no such place.
fn each<'v>(
    value: &'v Value,
    steps: &[Step],
    at: &str,
    see: &mut impl FnMut(&str, Option<&'v Value>) -> Result<(), LimitBroken>,
) -> Result<(), LimitBroken> {
    let Some((step, rest)) = steps.split_first() else { return see(at, Some(value)) };
    match (value, step) {
        (Value::Object(object), Step::Items) => object.iter().try_for_each(|(name, value)| {
            each(value, rest, &format!("{at}/{}", escape(name)), see)
        }),
        (Value::Array(list), Step::Items) => list
            .iter()
            .enumerate()
            .try_for_each(|(i, value)| each(value, rest, &format!("{at}/{i}"), see)),
        (_, Step::Items) => see(&format!("{at}/*"), None),
        (_, Step::Name(name)) => {
            let member = match value {
                Value::Array(list) => name.parse::<usize>().ok().and_then(|i| list.get(i)),
                value => value.get(name),
            };
            let at = format!("{at}/{}", escape(name));
            match member {
                Some(member) => each(member, rest, &at, see),
                None => see(&at, None),
            }
        }
    }
}

fn refused(place: &str, expected: &str) -> LimitBroken {
    let pointer = text::cut(place, 300);
    LimitBroken { rule: String::new(), pointer, message: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spending(amount: &str, currency: Option<(&str, &str)>) -> Result<Spending, RuleError> {
        let input = json!({"type": "object", "properties": {
            "amount": {"type": "number"}, "currency": {"type": "string"},
            "text": {"type": "string", "format": "decimal"}, "note": {"type": "string"},
            "items": {"type": "array", "items": {"type": "object", "properties": {
                "price": {"type": "number"}}}}}});
        let pointer = |text: &str| ArgumentPointer::parse(text).expect("a pointer");
        Spending::of_schema(
            &input,
            pointer(amount),
            currency.map(|(at, is)| (pointer(at), is.to_owned())),
        )
    }

    fn of(spending: &Spending, arguments: Value) -> Result<i128, (String, String)> {
        let Value::Object(arguments) = arguments else { panic!("an object") };
        let found = spending.of(&Arguments(arguments), 2);
        found.map_err(|broken| (broken.pointer, broken.message))
    }

    #[test]
    fn what_is_added_up_is_exact_and_there() {
        let amount = spending("amount", None).expect("compiles");
        let items = spending("/items/*/price", None).expect("compiles");
        for (rule, arguments, expected) in [
            (&amount, json!({"amount": 12.5}), Some(1_250)),
            (&amount, json!({"amount": 0}), Some(0)),
            (&amount, json!({"amount": 0.001}), None),
            (&amount, json!({"amount": -1}), None),
            (&amount, json!({"amount": null}), None),
            (&amount, json!({}), None),
            (&items, json!({"items": [{"price": 1}, {"price": 2.25}]}), Some(325)),
            (&items, json!({"items": [{"price": 1}, {}]}), None),
            (&items, json!({"items": [{"price": 1}, {"price": "x"}]}), None),
            (&items, json!({"items": []}), Some(0)),
            (&items, json!({}), None),
            (&items, json!({"items": [7]}), None),
        ] {
            assert_eq!(of(rule, arguments.clone()).ok(), expected, "{arguments}");
        }
        let text = spending("text", None).expect("a number in a text");
        assert_eq!(of(&text, json!({"text": "1.50"})), Ok(150));
    }

    #[test]
    fn another_currency_is_refused() {
        let rule = spending("amount", Some(("currency", "EUR"))).expect("compiles");
        assert_eq!(of(&rule, json!({"amount": 1, "currency": "EUR"})), Ok(100));
        for currency in [json!("USD"), json!("eur"), json!(null), json!(["EUR"])] {
            assert!(of(&rule, json!({"amount": 1, "currency": currency})).is_err());
        }
        assert!(of(&rule, json!({"amount": 1})).is_err());
    }

    #[test]
    fn an_argument_that_is_no_number_cannot_be_added_up() {
        assert!(matches!(spending("note", None), Err(RuleError::UnfitLimit { .. })));
        assert!(matches!(spending("amuont", None), Err(RuleError::UnknownArgument { .. })));
    }
}
