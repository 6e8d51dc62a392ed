//! The status of the service as one screen.

use serde_json::Value;

use super::trouble::{Found, Trouble, counted_in, counts, object};
use crate::commands::ages::{ago, span};
use crate::commands::invocation::Invocation;
use crate::commands::output::{print_line, print_wrapped};
use crate::commands::service::{text, time};
use crate::commands::shown;
use crate::commands::words::print_field;
use std::time::Duration;

/// Blanks before what cures a trouble.
const CURE: &str = "    ";

/// Prints what needs attention, and how the service stands.
pub(super) fn print(found: &Found<'_>, troubles: &[Trouble], invocation: &Invocation) {
    if troubles.is_empty() {
        print_line("Nothing needs attention.");
    }
    for trouble in troubles {
        print_wrapped("! ", &shown::line(&trouble.text));
        for cure in &trouble.cures {
            print_line(format_args!(
                "{CURE}{}",
                shown::line(&cure.in_words(invocation))
            ));
        }
    }
    print_line("");
    for (name, text) in lines(found) {
        print_field(name, &text);
    }
}

/// Returns how the service stands, a line for each part of it.
fn lines(found: &Found<'_>) -> Vec<(&'static str, String)> {
    let status = found.status;
    let mut lines = vec![
        ("orders", or_none(&counts(&status["orders_by_state"]))),
        ("open", open(found)),
        ("numbers", numbers(status)),
        ("callbacks", callbacks(found)),
        ("changes", changes(status)),
    ];
    for (project, api) in object(&status["api"]) {
        lines.push(("Sinch", sinch(found, project, api)));
    }
    for (project, secret) in object(&status["secrets"]) {
        lines.push(("secret", compared(found, project, secret)));
    }
    for (secret, verified) in object(&status["callbacks_verified"]) {
        let callbacks = counted_in(verified, "count", "callback", "callbacks");
        let last = time(verified, "last_at").map(|at| format!(", the last {}", ago(at, found.now)));
        lines.push((
            "secret",
            format!(
                "{secret} has verified {callbacks} since {}{}",
                found.counted_since(),
                last.unwrap_or_default()
            ),
        ));
    }
    for (name, target) in object(&status["targets"]) {
        let delivered = since(found, target, "delivered_at", "none was taken yet");
        let waiting = counted_in(
            target,
            "waiting",
            "notification waits",
            "notifications wait",
        );
        lines.push((
            "target",
            format!("{name}: {waiting}, the last was taken {delivered}"),
        ));
    }
    lines.push(("service", service(found)));
    lines
}

/// Returns how many orders something is open about, and how many are not looked at.
pub(super) fn open(found: &Found<'_>) -> String {
    let status = found.status;
    let due = &status["orders_due"];
    let unsettled = counted_in(status, "orders_unsettled", "order", "orders");
    let oldest = time(status, "oldest_unsettled_at");
    let oldest = oldest.map(|at| format!(", the oldest since {}", span(found.now.since(at))));
    let oldest = oldest.unwrap_or_default();
    let not_fetched = object(&status["orders_not_fetched"]);
    let not_fetched: u64 = not_fetched.values().filter_map(Value::as_u64).sum();
    let not_fetched = match not_fetched {
        0 => String::new(),
        1 => "; 1 more is not fetched".to_owned(),
        more => format!("; {more} more are not fetched"),
    };
    format!("{unsettled} of which something is open{oldest}; {due} due for a fetch{not_fetched}")
}

fn numbers(status: &Value) -> String {
    match counts(&status["numbers_not_ready"]) {
        none if none.is_empty() => "all of completed orders are ready".to_owned(),
        some => format!("not ready yet: {}", some.join(", ")),
    }
}

fn callbacks(found: &Found<'_>) -> String {
    let last = since(found, found.status, "last_delivery_at", "none ever came");
    let waiting = counted_in(found.status, "deliveries_waiting", "waits", "wait");
    format!("the last {last}; {waiting} to be processed")
}

/// Returns how many of the last confirmed changes no callback had announced: those callbacks are lost, or slower than fetches.
pub(super) fn changes(status: &Value) -> String {
    let convergence = &status["convergence"];
    let all = convergence["changes"].as_u64().unwrap_or(0);
    if all == 0 {
        return "none is confirmed yet".to_owned();
    }
    let unannounced = convergence["unannounced"].as_u64().unwrap_or(0);
    let lost = match unannounced {
        0 => "a callback announced each".to_owned(),
        _ => format!("no callback announced {unannounced} of them"),
    };
    format!("{all} confirmed last; {lost}")
}

fn sinch(found: &Found<'_>, project: &str, api: &Value) -> String {
    let Some(last_at) = time(api, "last_at") else {
        let since = found.counted_since();
        return format!("not asked for project {project} since {since}");
    };
    let answers = match api["answered"].as_bool() {
        Some(true) => "answers",
        Some(false) | None => "did not answer",
    };
    let last = ago(last_at, found.now);
    format!("{answers} for project {project}; the last fetch {last}")
}

fn compared(found: &Found<'_>, project: &str, secret: &Value) -> String {
    let result = match text(&secret["comparison"], "text") {
        "" => "not compared with Sinch's yet",
        result => result,
    };
    let at = time(secret, "compared_at").map(|at| format!(" ({})", ago(at, found.now)));
    let failure = match text(&secret["failure"], "text") {
        "" => String::new(),
        failure => format!("; the last comparison failed: {failure}"),
    };
    format!(
        "project {project}: {result}{}{failure}",
        at.unwrap_or_default()
    )
}

fn service(found: &Found<'_>) -> String {
    let status = found.status;
    let reloaded =
        time(status, "reloaded_at").map(|at| format!(", reloaded {}", ago(at, found.now)));
    let uptime = Duration::from_secs(status["uptime_secs"].as_u64().unwrap_or(0));
    let size = megabytes(&status["database_bytes"]);
    let size = size.map(|size| format!("; database {size}"));
    let free = megabytes(&status["disk_free_bytes"]).map(|free| format!(", {free} free"));
    format!(
        "version {}, up for {}{}{}{}",
        text(status, "version"),
        span(uptime),
        reloaded.unwrap_or_default(),
        size.unwrap_or_default(),
        free.unwrap_or_default()
    )
}

/// Returns how long ago the time of a key was, or the words for none.
fn since(found: &Found<'_>, value: &Value, key: &str, none: &str) -> String {
    time(value, key).map_or_else(|| none.to_owned(), |at| ago(at, found.now))
}

fn megabytes(bytes: &Value) -> Option<String> {
    let bytes = bytes.as_u64()?;
    Some(format!("{} MiB", bytes.div_ceil(1024 * 1024)))
}

fn or_none(counts: &[String]) -> String {
    if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    }
}
