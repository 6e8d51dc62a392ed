//! Story of an order in words, from the operators' API of the running service.

use serde_json::Value;

use super::happened::happened;
use super::next::next;
use super::waits::Fetches;
use crate::commands::output::{print_line, print_wrapped};
use crate::commands::service::list;
use crate::commands::shown;
use crate::commands::table::Table;
use crate::commands::words::{UNSAID, print_field};
use number_order::counted;

/// Number of the last rows of a table that are shown, where not all are asked for.
const LAST_ROWS: usize = 20;

/// What is shown of an order beside its state.
pub(super) struct Shown {
    /// Sinch's reasons follow.
    pub reasons: bool,
    /// All that happened, not only the last of it.
    pub all: bool,
}

/// Prints how an order stands and why, what comes next, its numbers, and what happened.
pub(super) fn print(order: &Value, shown: &Shown, fetches: &Fetches<'_>) {
    print_field(
        "order",
        &format!(
            "{} of project {}",
            text(order, "order"),
            text(order, "project")
        ),
    );
    print_field("state", &state(order));
    if let Some(change) = list(order, "transitions").last() {
        print_field("because", text(&change["cause"], "text"));
    }
    print_field("next", &next(order, fetches));
    print_field("product", &product(order));
    print_field("created", text(order, "created_at"));
    print_field("updated", text(order, "updated_at"));
    if let Some(end) = order["expires_at"].as_str() {
        print_field("expires", end);
    }
    for (name, key) in [
        ("text messages", "sms_configuration"),
        ("calls", "voice_configuration"),
    ] {
        if !order[key].is_null() {
            print_field(name, &order[key].to_string());
        }
    }
    if let Some(why) = order["parked"]["text"].as_str() {
        print_field("parked", why);
    }
    for alert in list(order, "alerts") {
        if alert["resolved_at"].is_null() {
            print_field("alert", text(&alert["alert"], "text"));
        }
    }
    if !shown.reasons && matches!(order["state"].as_str(), Some("BLOCKED" | "REJECTED")) {
        print_field("", "With --reasons, Sinch is asked why.");
    }
    print_numbers(order);
    print_readiness(order);
    let more = fetches
        .invocation
        .command(&["order", "show", text(order, "order"), "--all"]);
    let more = (!shown.all).then_some(more.as_str());
    print_story(order, more);
    print_notifications(order, more);
}

/// Returns the last rows, and prints how many came before them; all of them if there is no command that shows `more`.
fn last_rows<T>(mut rows: Vec<T>, more: Option<&str>) -> Vec<T> {
    let before = rows.len().saturating_sub(LAST_ROWS);
    if let (Some(more), true) = (more, before > 0) {
        let before_in_words = counted(before as u64, "row came", "rows came");
        print_line(shown::line(&format!(
            "{before_in_words} before; all of them: {more}"
        )));
        rows.drain(..before);
    }
    rows
}

/// Returns the state, and how far it is to be believed.
fn state(order: &Value) -> String {
    let state = text(order, "state");
    let confirmed = order["confirmed"].as_str();
    let trust = match confirmed {
        Some(confirmed) if confirmed == state => {
            format!("confirmed by Sinch at {}", text(order, "confirmed_at"))
        }
        Some(confirmed) => format!("not confirmed yet; Sinch last showed {confirmed}"),
        None => "not confirmed by Sinch yet".to_owned(),
    };
    format!("{state}, {trust}")
}

/// Returns the region and the type of the numbers, as far as they are known.
fn product(order: &Value) -> String {
    let known = ["region", "number_type"].map(|key| order[key].as_str());
    let known: Vec<&str> = known.into_iter().flatten().collect();
    if known.is_empty() {
        return UNSAID.to_owned();
    }
    known.join(" ")
}

fn print_numbers(order: &Value) {
    let numbers = list(order, "numbers");
    if !numbers.is_empty() {
        print_line("");
    }
    let rows = numbers.iter().map(|number| {
        let interval = &number["payment_interval_months"];
        [
            text(number, "phone_number").to_owned(),
            words(&number["capabilities"]),
            amount(&number["setup_price"]),
            amount(&number["monthly_price"]),
            interval
                .as_u64()
                .map_or(UNSAID.to_owned(), |months| months.to_string()),
        ]
    });
    let head = [
        "NUMBER",
        "CAPABILITIES",
        "SET-UP",
        "MONTHLY",
        "MONTHS PAID AT ONCE",
    ];
    Table::new(head).print(rows.collect());
}

/// Prints how far each number of a completed order is from working, with each failure's meaning and what to do.
fn print_readiness(order: &Value) {
    let numbers = list(order, "readiness");
    if numbers.is_empty() {
        return;
    }
    print_line("");
    let rows = numbers.iter().map(|number| {
        [
            text(number, "phone_number").to_owned(),
            text(&number["readiness"], "text").to_owned(),
            text(number, "since").to_owned(),
            text(number, "fetch_at").to_owned(),
        ]
    });
    Table::new(["NUMBER", "READINESS", "SINCE", "NEXT FETCH"]).print(rows.collect());
    for number in numbers {
        for failure in list(number, "failures") {
            let lead = format!(
                "{}: {}: ",
                text(number, "phone_number"),
                text(failure, "code")
            );
            let words = format!("{}; {}", text(failure, "meaning"), text(failure, "advice"));
            print_wrapped(&shown::line(&lead), &shown::line(&words));
        }
    }
}

/// Prints what happened, the oldest first.
fn print_story(order: &Value, more: Option<&str>) {
    let happened = happened(order);
    if !happened.is_empty() {
        print_line("");
    }
    let rows = last_rows(happened, more)
        .into_iter()
        .map(|(at, what, words)| {
            let at = at.map_or(UNSAID.to_owned(), |at| at.to_string());
            [at, what.to_owned(), words]
        });
    Table::new(["TIME", "WHAT", "STORY"]).print(rows.collect());
}

/// Prints when and to whom each change was told.
fn print_notifications(order: &Value, more: Option<&str>) {
    let notifications = list(order, "notifications");
    if !notifications.is_empty() {
        print_line("");
    }
    let rows = last_rows(notifications.iter().collect(), more);
    let rows = rows.into_iter().map(|notification| {
        let told = match text(notification, "phase") {
            "delivered" => text(notification, "attempted_at").to_owned(),
            phase => format!("{phase}, attempts: {}", notification["attempts"]),
        };
        let failure = notification["failure"]["text"].as_str();
        [
            text(notification, "type").to_owned(),
            text(notification, "recorded_at").to_owned(),
            text(notification, "target").to_owned(),
            told,
            failure.unwrap_or_default().to_owned(),
        ]
    });
    Table::new(["EVENT", "RECORDED", "TARGET", "TOLD", "LAST FAILURE"]).print(rows.collect());
}

fn amount(price: &Value) -> String {
    match (price["amount"].as_str(), price["currency"].as_str()) {
        (Some(amount), Some(currency)) => format!("{amount} {currency}"),
        (_, _) => UNSAID.to_owned(),
    }
}

fn words(list: &Value) -> String {
    let words = list.as_array().into_iter().flatten();
    let words: Vec<&str> = words.filter_map(Value::as_str).collect();
    words.join(", ")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or(UNSAID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_told_as_far_as_it_is_known() {
        for (region, number_type, expected) in [
            (Some("AU"), Some("MOBILE"), "AU MOBILE"),
            (Some("AU"), None, "AU"),
            (None, Some("MOBILE"), "MOBILE"),
            (None, None, "-"),
        ] {
            let order = serde_json::json!({ "region": region, "number_type": number_type });
            assert_eq!(product(&order), expected);
        }
    }

    #[test]
    fn the_last_rows_are_shown_unless_all_are_asked_for() {
        let rows = |count: usize| (0..count).collect::<Vec<usize>>();
        assert_eq!(last_rows(rows(20), Some("--all")), rows(20));
        assert_eq!(last_rows(rows(21), Some("--all")), rows(21)[1..]);
        assert_eq!(last_rows(rows(999), None), rows(999));
    }
}
