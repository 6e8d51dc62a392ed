//! Prices of numbers.

use serde::Deserialize;

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// Currency of the amount, as ISO 4217 has it.
    pub currency_code: String,
    /// Amount of money, as Sinch writes it: a decimal number.
    pub amount: String,
}
