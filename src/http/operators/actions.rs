//! Actions: each request that changes something is recorded with its caller before it takes effect.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::Value;

use super::auth::CallerName;
use super::pretty_json::PrettyJson;
use super::query::QueryParams;
use super::{Context, IMPORT_MAX_BYTES, Page, Shared, page_size};
use crate::clock;
use crate::http::problem::Problem;
use crate::redact::redacted;
use crate::store::{ActionFilter, ActionRow, Cursor, NewAction};

/// Maximum number of characters that are kept of a request's path, and of its body.
const KEPT_MAX_CHARS: usize = 1000;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/api/v1/actions", get(list_actions))
}

/// Query parameters by which actions can be listed.
const LIST_PARAMS: [&str; 6] = ["caller", "since", "before", "sort", "limit", "after"];

async fn list_actions(
    State(context): Shared,
    query: RawQuery,
) -> Result<PrettyJson<Page<ActionRow>>, Problem> {
    let params = QueryParams::read(query, &LIST_PARAMS)?;
    let filter = ActionFilter {
        caller: params.text("caller").map(str::to_owned),
        since: params.time("since")?,
        before: params.time("before")?,
        newest_first: params.newest_first()?,
        after: params.text("after").map(Cursor::from_caller),
        limit: page_size(params.number("limit")?),
    };
    Ok(PrettyJson(context.store.actions(&filter).await?.into()))
}

/// Records a request that is no mere question, before it takes effect and once it is answered. What cannot be recorded is
/// not done.
pub(super) async fn record(
    State(context): Shared,
    Extension(caller): Extension<CallerName>,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, IMPORT_MAX_BYTES).await else {
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE).into_response();
    };
    let action = NewAction {
        acted_at: clock::now(),
        caller: caller.0,
        method: head.method.to_string(),
        path: head.uri.to_string().chars().take(KEPT_MAX_CHARS).collect(),
        body: beginning(&body),
    };
    let row = match context.store.begin_action(action).await {
        Ok(row) => row,
        Err(error) => return Problem::from(error).into_response(),
    };
    let answer = next.run(Request::from_parts(head, Body::from(body))).await;
    let ended = context
        .store
        .end_action(row, answer.status().as_u16())
        .await;
    if let Err(error) = ended {
        tracing::warn!(action = row, %error, "an action is done, and how it ended cannot be recorded");
    }
    answer
}

/// Returns the beginning of a request's body as text, without telephone numbers; `None` if it is empty. A number of JSON is
/// none: it counts something, or is a row.
fn beginning(body: &Bytes) -> Option<String> {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(mut json) => {
            redact(&mut json);
            json.to_string()
        }
        Err(_) => redacted(&String::from_utf8_lossy(body)).into_owned(),
    };
    // A database takes no text with this character.
    let kept = text.chars().map(|c| if c == '\0' { '\u{fffd}' } else { c });
    let kept: String = kept.take(KEPT_MAX_CHARS).collect();
    Some(kept).filter(|text| !text.is_empty())
}

/// Takes the telephone numbers out of all texts of a value.
fn redact(json: &mut Value) {
    match json {
        Value::String(text) => *text = redacted(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(fields) => fields.values_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_without_telephone_numbers() {
        for (body, kept) in [
            ("", None),
            ("{\"dry_run\":true}", Some("{\"dry_run\":true}")),
            ("{\"ids\":[123456789]}", Some("{\"ids\":[123456789]}")),
            (
                "{\"number\":\"+61 491 570 006\"}",
                Some("{\"number\":\"(a number)\"}"),
            ),
            ("no JSON +61491570006", Some("no JSON (a number)")),
            ("nul \0", Some("nul \u{fffd}")),
        ] {
            let body = Bytes::from_static(body.as_bytes());
            assert_eq!(beginning(&body).as_deref(), kept, "{body:?}");
        }
        let long = Bytes::from(vec![b'x'; 5000]);
        assert_eq!(beginning(&long).map(|text| text.len()), Some(1000));
    }
}
