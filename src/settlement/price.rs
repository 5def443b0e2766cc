//! Prices, and the payment that x402 asks for them.

use serde_json::{Value, json};

/// What a tool costs.
#[derive(Debug, Clone)]
pub enum Terms {
    /// Nothing.
    Free,
    /// A price for each call.
    Priced(Price),
}

/// A price with the payment that settles it.
#[derive(Debug, Clone)]
pub struct Price {
    text: String,
    accepts: Value,
}

/// To whom and how callers pay: `[settlement]`.
#[derive(Debug, Clone)]
pub struct PayTo {
    /// The receiving address.
    pub address: String,
    /// The network as CAIP-2 has it: `eip155:8453`.
    pub network: String,
    /// The asset's symbol in `assets`.
    pub symbol: String,
    /// The asset's contract address.
    pub asset: String,
}

/// A price that cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The asset's number of decimals is not known, so no amount can be computed.
    #[error("the decimals of `{0}` are not known; known are USDC, EURC and USDT (6)")]
    UnknownDecimals(String),
    /// The amount is no positive decimal number.
    #[error("`{0}` is no positive decimal amount")]
    Amount(String),
    /// The amount is finer than the asset's smallest unit.
    #[error("`{amount}` is finer than the {decimals} decimals of {symbol}")]
    TooFine {
        /// The amount as written.
        amount: String,
        /// The asset.
        symbol: String,
        /// How many decimals it has.
        decimals: usize,
    },
}

/// How long a payment may take from being signed to being settled, in seconds.
const PAYMENT_TIMEOUT_S: u32 = 60;

impl Price {
    /// A price of `amount` (a decimal number in the asset's whole units).
    pub fn new(amount: &str, pay_to: &PayTo) -> Result<Self, PriceError> {
        let decimals = decimals(&pay_to.symbol)
            .ok_or_else(|| PriceError::UnknownDecimals(pay_to.symbol.clone()))?;
        let atomic = atomic_units(amount, decimals, &pay_to.symbol)?;
        let mut accepts = json!({
            "scheme": "exact",
            "network": pay_to.network,
            "amount": atomic,
            "asset": pay_to.asset,
            "payTo": pay_to.address,
            "maxTimeoutSeconds": PAYMENT_TIMEOUT_S,
        });
        if let Some((name, version)) = eip712_domain(&pay_to.symbol, &pay_to.network) {
            accepts["extra"] = json!({"name": name, "version": version});
        }
        Ok(Self { text: format!("{amount} {}", pay_to.symbol), accepts })
    }

    /// The price for people: `0.01 USDC`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// x402 version 2, section 5.1: the `PaymentRequired` for one call of `tool`.
    pub fn payment_required(&self, tool: &str, description: &str) -> Value {
        json!({
            "x402Version": 2,
            "error": format!("`{tool}` costs {} for each call", self.text),
            "resource": {
                "url": format!("mcp://tool/{tool}"),
                "description": description,
                "mimeType": "application/json",
            },
            "accepts": [self.accepts],
        })
    }
}

/// The decimals of the stablecoins that x402 facilitators settle in (Circle's and Tether's
/// contracts).
fn decimals(symbol: &str) -> Option<usize> {
    matches!(symbol, "USDC" | "EURC" | "USDT").then_some(6)
}

/// The EIP-712 domain of USDC's contract, which an EIP-3009 signature is made over. It is
/// `USD Coin` on Base and `USDC` on Base Sepolia, version 2 on both.
fn eip712_domain(symbol: &str, network: &str) -> Option<(&'static str, &'static str)> {
    match (symbol, network) {
        ("USDC", "eip155:8453") => Some(("USD Coin", "2")),
        ("USDC", "eip155:84532") => Some(("USDC", "2")),
        _ => None,
    }
}

/// `0.01` with six decimals is `10000`: digits are moved, nothing is computed in floating
/// point.
fn atomic_units(amount: &str, decimals: usize, symbol: &str) -> Result<String, PriceError> {
    let wrong = || PriceError::Amount(amount.to_owned());
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || amount.ends_with('.') {
        return Err(wrong());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return Err(PriceError::TooFine {
            amount: amount.to_owned(),
            symbol: symbol.to_owned(),
            decimals,
        });
    }
    let units = format!("{whole}{fraction:0<decimals$}");
    let units = units.trim_start_matches('0');
    if units.is_empty() { Err(wrong()) } else { Ok(units.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_becomes_atomic_units_digit_by_digit() {
        for (amount, units) in [
            ("0.01", "10000"),
            ("1", "1000000"),
            ("0.000001", "1"),
            ("12.50", "12500000"),
            ("00.10000000", "100000"),
            ("99999999999999999999.000001", "99999999999999999999000001"),
        ] {
            assert_eq!(atomic_units(amount, 6, "USDC").as_deref(), Ok(units), "{amount}");
        }
    }

    #[test]
    fn an_amount_that_is_no_price_is_refused() {
        for amount in ["", "0", "0.0", "-1", "1e3", ".5", "1.", "1,5", "0.0000001", "NaN"] {
            assert!(atomic_units(amount, 6, "USDC").is_err(), "{amount}");
        }
    }

    #[test]
    fn an_asset_of_unknown_decimals_has_no_price() {
        let pay_to = PayTo {
            address: "0x1".into(),
            network: "eip155:8453".into(),
            symbol: "DOGE".into(),
            asset: "0x2".into(),
        };
        assert_eq!(
            Price::new("1", &pay_to).map(|_| ()),
            Err(PriceError::UnknownDecimals("DOGE".into()))
        );
    }

    #[test]
    fn a_payment_is_asked_for_in_the_form_of_x402_version_2() {
        let pay_to = PayTo {
            address: "0xA".into(),
            network: "eip155:84532".into(),
            symbol: "USDC".into(),
            asset: "0xB".into(),
        };
        let price = Price::new("0.01", &pay_to).expect("a price");
        let required = price.payment_required("forecast", "Demand of an article");
        insta::assert_snapshot!(format!("{required:#}"));
    }
}
