//! Story of an order in words, from the operators' API of the running service.

use number_order::FailureCode;
use serde_json::Value;

use crate::commands::output::print_line;
use crate::commands::table::Table;
use crate::commands::words::{UNSAID, print_field};

/// Prints how an order stands, its numbers, and its changes of state.
pub(super) fn print(order: &Value, has_reasons: bool) {
    print_field(
        "order",
        &format!(
            "{} of project {}",
            text(order, "order"),
            text(order, "project")
        ),
    );
    print_field("state", &state(order));
    print_field(
        "product",
        &format!("{} {}", text(order, "region"), text(order, "number_type")),
    );
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
    if !has_reasons && matches!(order["state"].as_str(), Some("BLOCKED" | "REJECTED")) {
        print_field("", "With --reasons, Sinch is asked why.");
    }
    print_numbers(order);
    print_readiness(order);
    print_changes(order);
    print_notifications(order);
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
        let failures = list(number, "failure_codes").iter();
        let failures = failures.map(|failure| FailureCode::new(text(failure, "code")).to_string());
        [
            text(number, "phone_number").to_owned(),
            text(&number["readiness"], "text").to_owned(),
            text(number, "since").to_owned(),
            failures.collect::<Vec<_>>().join("; "),
        ]
    });
    Table::new(["NUMBER", "READINESS", "SINCE", "FAILURES"]).print(rows.collect());
}

fn print_changes(order: &Value) {
    let changes = list(order, "transitions");
    if !changes.is_empty() {
        print_line("");
    }
    let rows = changes.iter().map(|change| {
        [
            text(change, "recorded_at").to_owned(),
            text(change, "from_state").to_owned(),
            text(change, "to_state").to_owned(),
            text(&change["cause"], "text").to_owned(),
        ]
    });
    Table::new(["RECORDED", "FROM", "TO", "BECAUSE"]).print(rows.collect());
}

/// Prints when and to whom each change was told.
fn print_notifications(order: &Value) {
    let notifications = list(order, "notifications");
    if !notifications.is_empty() {
        print_line("");
    }
    let rows = notifications.iter().map(|notification| {
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

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or(UNSAID)
}
