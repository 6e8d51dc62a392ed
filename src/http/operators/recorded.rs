//! What the record of actions keeps of a request: its path and the beginning of its body, without telephone numbers.

use axum::http::Uri;
use serde_json::Value;
use url::form_urlencoded;

use crate::redact::redacted;

/// Maximum number of characters that are kept of a request's path, and of its body.
const KEPT_MAX_CHARS: usize = 1000;

/// Parts of routes in whose place a path has the id of a row.
const ROWS_IN_ROUTES: [&str; 3] = ["{callback}", "{delivery}", "{step}"];

/// Properties of bodies that are ids of rows.
const ROWS_IN_BODIES: [&str; 2] = ["after", "id"];

/// Number from which on the id of a row could be a telephone number with its country code, and is left out like one.
const ROW_ID_END: u64 = 1_000_000_000;

/// Returns path and query of a request on a route, as they are kept.
pub(super) fn path(uri: &Uri, route: &str) -> String {
    let mut places = route.split('/');
    let segments = uri.path().split('/').map(|segment| {
        let place = places.next().unwrap_or_default();
        let is_row = ROWS_IN_ROUTES.contains(&place) && is_row_id(segment.parse().ok());
        if is_row {
            segment.into()
        } else {
            redacted(segment)
        }
    });
    let mut kept = segments.collect::<Vec<_>>().join("/");
    if let Some(query) = uri.query() {
        kept = format!("{kept}?{}", kept_query(query));
    }
    beginning(&kept)
}

/// Returns a query as it is kept. Of the digits by which orders are chosen none is, since few can be a number too.
fn kept_query(query: &str) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes()).map(|(name, value)| {
        let kept = match &*name {
            "number" => "(a number)".to_owned(),
            _ => redacted(&value).into_owned(),
        };
        (redacted(&name).into_owned(), kept)
    });
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// Returns the beginning of a request's body as it is kept; `None` if the body is empty.
pub(super) fn body(body: &[u8]) -> Option<String> {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(json) => without_numbers(json).to_string(),
        Err(_) => redacted(&String::from_utf8_lossy(body)).into_owned(),
    };
    Some(beginning(&text)).filter(|text| !text.is_empty())
}

/// Returns the beginning of a text. A database takes no text with the character NUL.
fn beginning(text: &str) -> String {
    let kept = text.chars().map(|c| if c == '\0' { '\u{fffd}' } else { c });
    kept.take(KEPT_MAX_CHARS).collect()
}

/// Returns a value without the telephone numbers of its texts, names and numbers.
fn without_numbers(json: Value) -> Value {
    match json {
        Value::String(text) => redacted(&text).into_owned().into(),
        Value::Number(number) => {
            let text = number.to_string();
            match redacted(&text) {
                kept if kept == text => Value::Number(number),
                kept => kept.into_owned().into(),
            }
        }
        Value::Array(items) => items.into_iter().map(without_numbers).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| {
                let is_row = ROWS_IN_BODIES.contains(&name.as_str()) && is_row_id(value.as_u64());
                let kept = if is_row {
                    value
                } else {
                    without_numbers(value)
                };
                (redacted(&name).into_owned(), kept)
            });
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) => json,
    }
}

fn is_row_id(number: Option<u64>) -> bool {
    number.is_some_and(|number| number < ROW_ID_END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_without_telephone_numbers() {
        let order = "/orders/{project}/{order}/fetch";
        let delivery = "/deliveries/{delivery}/replay";
        for (route, uri, kept) in [
            (order, "/orders/p/o1/fetch", "/orders/p/o1/fetch"),
            (
                order,
                "/orders/p/01kdvdnat93tena1kxmeg4rd87/fetch",
                "/orders/p/01kdvdnat93tena1kxmeg4rd87/fetch",
            ),
            (
                order,
                "/orders/p/%2B61491570156/fetch",
                "/orders/p/(a number)/fetch",
            ),
            (
                order,
                "/orders/p/+61-491-570-156/fetch",
                "/orders/p/(a number)/fetch",
            ),
            (
                order,
                "/orders/61491570156/%252B61491570157/fetch",
                "/orders/(a number)/(a number)/fetch",
            ),
            (
                delivery,
                "/deliveries/12345678/replay",
                "/deliveries/12345678/replay",
            ),
            (
                delivery,
                "/deliveries/61491570156/replay",
                "/deliveries/(a number)/replay",
            ),
            (
                delivery,
                "/deliveries/%2B1491570156/replay",
                "/deliveries/(a number)/replay",
            ),
        ] {
            assert_eq!(path(&uri.parse().expect("a URI"), route), kept);
        }
    }

    #[test]
    fn a_query_is_kept_without_telephone_numbers() {
        for (uri, kept) in [
            ("/x?project=p-1&dry_run=true", "/x?project=p-1&dry_run=true"),
            (
                "/x?number=%2B46700&state=BLOCKED",
                "/x?number=%28a+number%29&state=BLOCKED",
            ),
            ("/x?n%75mber=46700", "/x?number=%28a+number%29"),
            ("/x?order=%2B12015550119", "/x?order=%28a+number%29"),
            ("/x?region=1201%20555%200119", "/x?region=%28a+number%29"),
            (
                "/x?since=2026-01-31T12:00:00Z",
                "/x?since=2026-01-31T12%3A00%3A00Z",
            ),
            ("/x?+12015550119", "/x?+%28a+number%29="),
        ] {
            assert_eq!(path(&uri.parse().expect("a URI"), "/x"), kept);
        }
    }

    #[test]
    fn a_body_is_kept_without_telephone_numbers() {
        for (read, kept) in [
            ("", None),
            ("{\"dry_run\":true}", Some("{\"dry_run\":true}")),
            ("{\"id\":123456789}", Some("{\"id\":123456789}")),
            ("{\"id\":61491570156}", Some("{\"id\":\"(a number)\"}")),
            ("{\"after\":7}", Some("{\"after\":7}")),
            (
                "{\"number\":61491570156}",
                Some("{\"number\":\"(a number)\"}"),
            ),
            (
                "{\"number\":[6.1491570156e10]}",
                Some("{\"number\":[\"(a number)\"]}"),
            ),
            ("{\"+61491570156\":1}", Some("{\"(a number)\":1}")),
            ("61491570156", Some("\"(a number)\"")),
            (
                "{\"number\":\"+61 491 570 006\"}",
                Some("{\"number\":\"(a number)\"}"),
            ),
            ("{\"quantity\":100}", Some("{\"quantity\":100}")),
            ("no JSON +61491570006", Some("no JSON (a number)")),
            ("{\"number\":61491570156", Some("{\"number\":(a number)")),
            ("nul \0", Some("nul \u{fffd}")),
        ] {
            assert_eq!(body(read.as_bytes()).as_deref(), kept, "{read:?}");
        }
        let long = vec![b'x'; 5000];
        assert_eq!(body(&long).map(|text| text.len()), Some(1000));
    }
}
