//! Prices.

use serde::Deserialize;

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// Currency, as ISO 4217 has it.
    pub currency_code: String,
    /// Amount, as Sinch writes it: a decimal number.
    pub amount: String,
}
