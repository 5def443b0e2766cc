//! On which terms a call is held: what a policy's annotations beside `@hold` say, and what several
//! holds come to together.

use std::time::Duration;

use cedar_policy::Policy;

/// On which terms a call is held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HoldTerms {
    /// How long an approval can be waited for and used, where that is said.
    pub expires: Option<Duration>,
    /// Whether the caller may not approve it.
    pub four_eyes: bool,
    /// Who may decide. `None` where only the tool's own entry holds, which says it itself.
    pub ask: Option<Deciders>,
    /// For how long a call stays open until somebody decides, where that is said.
    pub wait: Option<Duration>,
}

/// Who may decide on a held call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deciders {
    /// Whoever runs the bridge.
    pub operator: bool,
    /// The person at the caller's own client.
    pub client: bool,
}

impl Deciders {
    /// The operators alone, as where nothing is said.
    pub const OPERATORS: Self = Self { operator: true, client: false };

    /// Those whom both let decide; where there are none, operators.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let client = self.client && other.client;
        Self { operator: self.operator && other.operator || !client, client }
    }
}

impl HoldTerms {
    /// The stricter of each.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let ask = match (self.ask, other.ask) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
        Self {
            expires: shorter(self.expires, other.expires),
            four_eyes: self.four_eyes || other.four_eyes,
            ask,
            wait: shorter(self.wait, other.wait),
        }
    }
}

/// The shorter of two times, of which neither need be said.
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The annotations that go with `@hold`.
const BESIDE_HOLD: [&str; 3] = ["four_eyes", "ask", "wait"];

/// What is wrong with annotations, and how to mend it.
type Wrong = (String, &'static str);

/// Reads the terms of a policy called `id`; `None` where it holds nothing.
pub(crate) fn read(policy: &Policy, id: &str) -> Result<Option<HoldTerms>, Wrong> {
    let Some(expires) = policy.annotation("hold") else {
        return match BESIDE_HOLD.into_iter().find(|name| policy.annotation(name).is_some()) {
            Some(name) => {
                Err((format!("`{id}` has `@{name}` and holds nothing"), "add `@hold(\"10m\")`"))
            }
            None => Ok(None),
        };
    };
    if policy.effect() == cedar_policy::Effect::Permit {
        let mend = "a hold is a `forbid` until a person approves: write `forbid`";
        return Err((format!("`{id}` is a permit with `@hold`"), mend));
    }
    let expires = match expires {
        "" => None,
        text => Some(duration(text).ok_or_else(|| {
            let mend = "write `@hold(\"10m\")`: s, m, h or d";
            (format!("`@hold` of `{id}` is no length of time"), mend)
        })?),
    };
    let four_eyes = match policy.annotation("four_eyes") {
        None | Some("false") => false,
        Some("" | "true") => true,
        Some(_) => {
            let mend = "write `@four_eyes`, or leave it out";
            return Err((format!("`@four_eyes` of `{id}` takes nothing, or true or false"), mend));
        }
    };
    let ask = match policy.annotation("ask") {
        None => Deciders::OPERATORS,
        Some(text) => deciders(text).ok_or_else(|| {
            let mend =
                "write `@ask(\"operator\")`, `@ask(\"client\")` or `@ask(\"client, operator\")`";
            (format!("`@ask` of `{id}` does not say who decides"), mend)
        })?,
    };
    if four_eyes && ask.client {
        let mend = "`@four_eyes` goes with `@ask(\"operator\")` only: a client answers for its own \
                    caller, so it is no second person";
        return Err((format!("`{id}` wants four eyes and asks the client"), mend));
    }
    let wait = match policy.annotation("wait") {
        None => None,
        Some(text) => Some(duration(text).ok_or_else(|| {
            let mend = "write `@wait(\"45s\")`: s, m, h or d";
            (format!("`@wait` of `{id}` is no length of time"), mend)
        })?),
    };
    if let (Some(expires), Some(wait)) = (expires, wait)
        && wait > expires
    {
        let mend = "wait for no longer than `@hold` says";
        return Err((format!("`@wait` of `{id}` is longer than its hold"), mend));
    }
    Ok(Some(HoldTerms { expires, four_eyes, ask: Some(ask), wait }))
}

/// Those that a list of `operator` and `client` names; `None` where it names others, or nobody.
fn deciders(text: &str) -> Option<Deciders> {
    let mut named = Deciders { operator: false, client: false };
    for word in text.split(',').map(str::trim) {
        match word {
            "operator" => named.operator = true,
            "client" => named.client = true,
            _ => return None,
        }
    }
    Some(named)
}

/// A length of time: a whole number and its unit.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let whole = number.checked_mul(seconds).filter(|whole| (1..=366 * 86_400).contains(whole))?;
    Some(Duration::from_secs(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_decide_is_whom_all_holds_name_and_never_nobody() {
        let deciders = |operator, client| Deciders { operator, client };
        let (operator, client, both) =
            (deciders(true, false), deciders(false, true), deciders(true, true));
        for (one, other, together) in [
            (operator, both, operator),
            (client, both, client),
            (both, both, both),
            (client, client, client),
            (client, operator, operator),
        ] {
            assert_eq!(one.and(other), together);
            assert_eq!(other.and(one), together);
        }
    }
}
