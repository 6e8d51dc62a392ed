//! What Sinch says of numbers and prices, in words for people.

use super::output::print_wrapped;
use super::shown;
use sinch_numbers::Property;
use sinch_numbers::api::Money;

/// Text in place of what Sinch does not say.
pub(super) const UNSAID: &str = "-";

/// Returns the text of a property.
pub(super) fn said(property: &Property<'_>) -> String {
    property.text().unwrap_or(UNSAID).to_owned()
}

/// Prints a name and its text, in which Sinch's words may stand.
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

/// Returns the interval of payments.
pub(super) fn interval(months: Option<u32>) -> String {
    match months {
        None => UNSAID.to_owned(),
        Some(1) => "month".to_owned(),
        Some(months) => format!("{months} months"),
    }
}
