//! How long, how much, and how much money.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::super::decimal::Decimal;
use super::{Malformed, expected};

/// A length of time: `"500ms"`, `"10s"`, `"15m"`, `"1h"`, `"30d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

const PERIOD: &str = "a duration such as \"500ms\", \"10s\", \"15m\", \"1h\" or \"30d\"";

impl FromStr for Period {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (number, unit) = split_unit(text).ok_or_else(|| expected(PERIOD))?;
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(expected(PERIOD)),
        };
        // A hundred years: longer is a mistake, and overflows clocks.
        number
            .checked_mul(milliseconds)
            .filter(|total| *total <= 36_525 * 86_400_000)
            .map(|total| Self(Duration::from_millis(total)))
            .ok_or_else(|| expected("a duration of at most 100 years"))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_millis();
        for (unit, milliseconds) in
            [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        {
            if total >= milliseconds && total.is_multiple_of(milliseconds) {
                return write!(f, "{}{unit}", total / milliseconds);
            }
        }
        write!(f, "{total}ms")
    }
}

text_value!(Period, "Duration", "tollbridge-duration", "A duration: 500ms, 10s, 15m, 1h, 30d.");

/// A number in a length of time: `"20/s"`, `"1000/h"`, `"100/10s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many; at least one.
    pub limit: u32,
    /// In which time; more than nothing.
    pub per: Duration,
}

/// How many are counted one by one.
const MOST: u32 = 100_000;

impl FromStr for Rate {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let rate = || expected("a rate such as \"20/s\", \"1000/h\" or \"100/10s\"");
        let (limit, per) = text.split_once('/').ok_or_else(rate)?;
        let limit: u32 = limit.parse().map_err(|_| rate())?;
        if !(1..=MOST).contains(&limit) {
            return Err(expected("a rate of 1 to 100000 in its time"));
        }
        let one = if per.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "1" };
        let Period(per) = format!("{one}{per}").parse().map_err(|_| rate())?;
        if per.is_zero() { Err(rate()) } else { Ok(Self { limit, per }) }
    }
}

text_value!(Rate, "Rate", "tollbridge-rate", "A number in a time: 20/s, 1000/h, 100/10s.");

/// A number of bytes: `"512KiB"`, `"8MiB"`, `"8MB"`, `"1GiB"`, `"100B"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        const SIZE: &str = "a size such as \"512KiB\", \"8MiB\" or \"8MB\"";
        let (number, unit) = split_unit(text).ok_or_else(|| expected(SIZE))?;
        let bytes: u64 = match unit {
            "B" => 1,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(expected(SIZE)),
        };
        number
            .checked_mul(bytes)
            .filter(|total| *total <= 1 << 40)
            .map(Self)
            .ok_or_else(|| expected("a size of at most 1024GiB"))
    }
}

text_value!(Size, "Size", "tollbridge-size", "A size: 512KiB, 8MiB, 8MB, 1GiB.");

/// `10s` as 10 and `s`. Whole numbers only: `1.5h` is `90m`.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

/// An amount of an asset, exact: `"0.01 USDC"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// How much: never negative, without an exponent.
    pub amount: Decimal,
    /// Of what: a key of `[settlement] assets`.
    pub asset: String,
}

impl FromStr for Money {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let money = || expected("an amount and an asset such as \"0.01 USDC\"");
        let (amount, asset) = text.split_once(' ').ok_or_else(money)?;
        if !is_asset(asset) || amount.contains(['e', 'E', '-']) || amount.len() > 80 {
            return Err(money());
        }
        Ok(Self { amount: amount.parse().map_err(|_| money())?, asset: asset.to_owned() })
    }
}

fn is_asset(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.asset)
    }
}

text_value!(Money, "Money", "tollbridge-money", "An amount and an asset: 0.01 USDC.");
