//! Constraining facets (XML Schema 1.1 part 2 §4.3): read, laid over those of the base type,
//! and checked on the lexical form.
//!
//! Numbers are compared exactly, dates and durations where they have an order.

use std::cmp::Ordering;

use tollbridge_operation::Decimal;

use super::XSD;
use super::builtin::{Atomic, Space, Temporal};
use super::lexical;
use super::order::compare;
use super::pattern::Pattern;
use tollbridge_xml::Element;

/// More values of an enumeration are not told to an agent, and not checked.
pub(crate) const MAX_ENUMERATION: usize = 2000;

/// What a type demands beyond its lexical form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facets {
    /// The values that there are, as written.
    pub(crate) enumeration: Vec<String>,
    /// One for each step of derivation that has some; of one step's, one must match.
    pub(crate) patterns: Vec<Vec<Pattern>>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) least: Option<Bound>,
    pub(crate) most: Option<Bound>,
    pub(crate) total_digits: Option<usize>,
    pub(crate) fraction_digits: Option<usize>,
    pub(crate) space: Option<Space>,
    /// Whether a zone must stand, or must not (§4.3.14).
    pub(crate) zone: Option<bool>,
    /// Conditions, in `XPath`, which are told and not checked (§4.3.13).
    pub(crate) assertions: Vec<String>,
}

/// A bound, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) text: String,
    pub(crate) inclusive: bool,
}

impl Facets {
    /// The facets of a restriction over those of its base. What cannot be read is told to
    /// `warn`, and constrains nothing.
    pub(crate) fn restricted(&self, restriction: &Element, mut warn: impl FnMut(String)) -> Self {
        let mut facets = self.clone();
        let (mut enumeration, mut patterns) = (Vec::new(), Vec::new());
        for facet in restriction.elements().filter(|f| f.namespace.as_deref() == Some(XSD)) {
            if facet.name == "assertion" {
                let test = facet.attribute(None, "test").unwrap_or_default().trim();
                warn(format!("the assertion `{test}` is not checked"));
                facets.assertions.push(test.to_owned());
            }
            let Some(value) = facet.attribute(None, "value") else { continue };
            let count = || value.trim().parse::<usize>().ok();
            let bound = |inclusive| Some(Bound { text: value.trim().to_owned(), inclusive });
            match facet.name.as_str() {
                "enumeration" => enumeration.push(value.to_owned()),
                "pattern" => {
                    let pattern = Pattern::new(value);
                    if !pattern.is_read() {
                        warn(format!(
                            "the pattern `{value}` cannot be read; it constrains nothing"
                        ));
                    }
                    patterns.push(pattern);
                }
                "length" => (facets.min_length, facets.max_length) = (count(), count()),
                "minLength" => facets.min_length = count().or(facets.min_length),
                "maxLength" => facets.max_length = count().or(facets.max_length),
                "minInclusive" => facets.least = bound(true),
                "minExclusive" => facets.least = bound(false),
                "maxInclusive" => facets.most = bound(true),
                "maxExclusive" => facets.most = bound(false),
                "totalDigits" => facets.total_digits = count().or(facets.total_digits),
                "fractionDigits" => facets.fraction_digits = count().or(facets.fraction_digits),
                "explicitTimezone" => {
                    facets.zone = match value.trim() {
                        "required" => Some(true),
                        "prohibited" => Some(false),
                        _ => facets.zone,
                    }
                }
                "whiteSpace" => {
                    facets.space = match value.trim() {
                        "preserve" => Some(Space::Preserve),
                        "replace" => Some(Space::Replace),
                        "collapse" => Some(Space::Collapse),
                        _ => facets.space,
                    }
                }
                _ => {}
            }
        }
        if enumeration.len() > MAX_ENUMERATION {
            warn(format!(
                "more than {MAX_ENUMERATION} values are enumerated; they are not checked"
            ));
        } else if !enumeration.is_empty() {
            facets.enumeration = enumeration;
        }
        if !patterns.is_empty() {
            facets.patterns.push(patterns);
        }
        facets
    }

    /// What the text breaks, in words; the text is in the type's lexical space, its white
    /// space dealt with.
    pub(crate) fn broken(&self, atomic: Option<Atomic>, text: &str) -> Option<String> {
        if let Some(expected) = self.broken_choice(atomic, text) {
            return Some(expected);
        }
        if self.min_length.is_some() || self.max_length.is_some() {
            let length = length(atomic, text);
            if self.min_length.is_some_and(|least| length < least)
                || self.max_length.is_some_and(|most| length > most)
            {
                return Some(self.length_in_words());
            }
        }
        match atomic {
            Some(Atomic::Temporal(kind)) => self.broken_time(kind, text),
            Some(atomic) if atomic.is_number() => self.broken_number(text),
            _ => None,
        }
    }

    /// What the text breaks of the values and the patterns that there are: of a list the text
    /// is all of it.
    pub(crate) fn broken_choice(&self, atomic: Option<Atomic>, text: &str) -> Option<String> {
        let same = |value: &String| same_value(atomic, value, text);
        if !self.enumeration.is_empty() && !self.enumeration.iter().any(same) {
            let listed: Vec<&str> = self.enumeration.iter().take(20).map(String::as_str).collect();
            return Some(format!("one of: {}", listed.join(", ")));
        }
        for step in &self.patterns {
            if !step.iter().any(|pattern| pattern.matches(text)) {
                let sources: Vec<&str> = step.iter().map(|p| p.source.as_str()).collect();
                return Some(format!("text that matches {}", sources.join(" or ")));
            }
        }
        None
    }

    fn broken_time(&self, kind: Temporal, text: &str) -> Option<String> {
        let beyond = |bound: &Bound, wrong: Ordering| match compare(kind, text, &bound.text) {
            Some(Ordering::Equal) => !bound.inclusive,
            side => side == Some(wrong),
        };
        let sides = [
            (&self.least, Ordering::Less, "not before", "after"),
            (&self.most, Ordering::Greater, "not after", "before"),
        ];
        let bounds = sides.into_iter().find_map(|(bound, wrong, inclusive, exclusive)| {
            let bound = bound.as_ref().filter(|bound| beyond(bound, wrong))?;
            let word = if bound.inclusive { inclusive } else { exclusive };
            Some(format!("a value {word} {}", bound.text))
        });
        bounds.or_else(|| {
            let wanted = self.zone.filter(|wanted| *wanted != lexical::has_zone(text))?;
            Some(format!("a value {}", zone_in_words(wanted)))
        })
    }

    fn broken_number(&self, text: &str) -> Option<String> {
        let value = Decimal::parse(text);
        let beyond = |bound: &Bound, wrong: Ordering| match (&value, Decimal::parse(&bound.text)) {
            (Some(value), Some(limit)) => match value.cmp(&limit) {
                Ordering::Equal => !bound.inclusive,
                side => side == wrong,
            },
            // The infinities lie beyond all numbers, and NaN on no side of any (§3.3.5.1).
            (None, limit) => match (text, wrong) {
                ("NaN", _) => true,
                ("-INF", Ordering::Less) | ("INF" | "+INF", Ordering::Greater) => {
                    limit.is_some() || !bound.inclusive
                }
                _ => false,
            },
            (Some(_), None) => false,
        };
        if let Some(bound) = self.least.as_ref().filter(|b| beyond(b, Ordering::Less)) {
            let word = if bound.inclusive { "at least" } else { "more than" };
            return Some(format!("a number that is {word} {}", bound.text));
        }
        if let Some(bound) = self.most.as_ref().filter(|b| beyond(b, Ordering::Greater)) {
            let word = if bound.inclusive { "at most" } else { "less than" };
            return Some(format!("a number that is {word} {}", bound.text));
        }
        value?;
        let digits = text.trim_start_matches(['+', '-']);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if let Some(most) = self.fraction_digits.filter(|&most| fraction.len() > most) {
            return Some(format!("a number with at most {most} digits behind the point"));
        }
        if let Some(most) = self.total_digits {
            let significant = if whole.is_empty() {
                fraction.trim_start_matches('0').len()
            } else {
                whole.len() + fraction.len()
            };
            if significant > most {
                return Some(format!("a number of at most {most} digits"));
            }
        }
        None
    }

    /// The bounds on a length, in words.
    pub(crate) fn length_in_words(&self) -> String {
        match (self.min_length, self.max_length) {
            (Some(least), Some(most)) if least == most => format!("a length of {least}"),
            (Some(least), Some(most)) => format!("a length of {least} to {most}"),
            (Some(least), None) => format!("a length of at least {least}"),
            (None, Some(most)) => format!("a length of at most {most}"),
            (None, None) => "any length".to_owned(),
        }
    }
}

/// What the facet `explicitTimezone` asks for.
pub(super) fn zone_in_words(wanted: bool) -> &'static str {
    if wanted { "with a zone" } else { "without a zone" }
}

/// The length of a value: octets of binary, else characters (§4.3.1.3).
fn length(atomic: Option<Atomic>, text: &str) -> usize {
    match atomic {
        Some(Atomic::Hex) => text.len() / 2,
        Some(Atomic::Base64 | Atomic::Attached) => {
            lexical::base64(text).map_or(0, |bytes| bytes.len())
        }
        _ => text.chars().count(),
    }
}

/// Whether two lexical forms are one value: numbers by their value, booleans in both
/// spellings, all else as it is written.
pub(super) fn same_value(atomic: Option<Atomic>, listed: &str, text: &str) -> bool {
    match atomic {
        Some(atomic) if atomic.is_number() => {
            let values = (Decimal::parse(listed), Decimal::parse(text));
            listed.trim() == text || matches!(values, (Some(a), Some(b)) if a == b)
        }
        Some(Atomic::Boolean) => {
            let truth = |text: &str| matches!(text.trim(), "true" | "1");
            truth(listed) == truth(text)
        }
        Some(atomic) => atomic.space().apply(listed) == text,
        // Of lists and unions: white space tells nothing apart.
        None => listed.split_whitespace().eq(text.split_whitespace()),
    }
}
