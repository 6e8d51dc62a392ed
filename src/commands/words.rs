//! Sinch's statements about numbers and prices, in words for people.

use super::output::print_wrapped;
use super::shown;
use sinch_numbers::Property;
use sinch_numbers::api::Money;

/// Text in place of a value that Sinch does not state.
pub(super) const UNSAID: &str = "-";

/// Returns the text of a property that Sinch sent, or [`UNSAID`] where it has none.
pub(super) fn said(property: &Property<'_>) -> String {
    property.text().unwrap_or(UNSAID).to_owned()
}

/// Prints a value with its name before it; the value may hold Sinch's words.
pub(super) fn print_field(name: &str, text: &str) {
    print_wrapped(&format!("{name:<15}"), &shown::line(text));
}

/// Returns an amount with its currency, as Sinch has written them.
pub(super) fn amount(money: Option<&Money>) -> String {
    money.map_or_else(
        || UNSAID.to_owned(),
        |money| format!("{} {}", money.amount, money.currency_code),
    )
}

/// Returns the interval between two payments of a price, in words.
pub(super) fn interval(months: Option<u32>) -> String {
    match months {
        None => UNSAID.to_owned(),
        Some(1) => "month".to_owned(),
        Some(months) => format!("{months} months"),
    }
}
