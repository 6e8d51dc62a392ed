//! Actions: each request that changes something is recorded with its caller before it takes effect.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use url::form_urlencoded;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::CallerName;
use super::pretty_json::PrettyJson;
use super::query::{Kind, LIMIT, Param, Params, Query, SORT, since, until};
use super::{Context, Page, Shared};
use crate::clock;
use crate::http::problem::Problem;
use crate::redact::redacted;
use crate::store::{ActionFilter, ActionRow, NewAction};

/// Maximum number of characters that are kept of a request's path, and of its body.
const KEPT_MAX_CHARS: usize = 1000;

/// Maximum number of bytes of a body of which the beginning is kept.
const READ_MAX_BYTES: usize = 16 * 1024;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(list_actions))
}

/// Parameters by which actions can be listed.
struct ActionList;

impl Params for ActionList {
    const PARAMS: &'static [Param] = &[
        Param::new(
            "caller",
            Kind::Text,
            "of the caller whose token has this name",
        ),
        since("of this time or later"),
        until("before this time"),
        SORT,
        LIMIT,
        Param::after("^a[0-9a-f]{16}$"),
    ];
}

/// Lists actions: each request that was no GET, with who made it and what it was answered.
#[utoipa::path(
    get,
    path = "/api/v1/actions",
    tag = "service",
    params(Query<ActionList>),
    responses((status = 200, description = "A page of actions", body = Page<ActionRow>))
)]
async fn list_actions(
    State(context): Shared,
    query: Query<ActionList>,
) -> Result<PrettyJson<Page<ActionRow>>, Problem> {
    let [since, until] = query.period()?;
    let filter = ActionFilter {
        caller: query.text("caller").map(str::to_owned),
        since,
        until,
        newest_first: query.newest_first()?,
        after: query.after(),
        limit: query.limit()?,
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
    let action = NewAction {
        acted_at: clock::now(),
        caller: caller.0,
        method: head.method.to_string(),
        path: without_number(&head.uri)
            .chars()
            .take(KEPT_MAX_CHARS)
            .collect(),
    };
    let row = match context.store.begin_action(action).await {
        Ok(row) => row,
        Err(error) => return Problem::from(error).into_response(),
    };
    let (body, read) = overheard(body);
    let answer = next.run(Request::from_parts(head, body)).await;
    let body = beginning(&read.lock().unwrap_or_else(PoisonError::into_inner));
    let status = answer.status().as_u16();
    let ended = context.store.end_action(row, status, body).await;
    if let Err(error) = ended {
        tracing::warn!(action = row, %error, "an action is done, and how it ended cannot be recorded");
    }
    answer
}

/// Returns a body of which the beginning is kept as it is read. A body that nobody reads stays unread, since its request may
/// be answered before.
fn overheard(body: Body) -> (Body, Arc<Mutex<Vec<u8>>>) {
    let read = Arc::new(Mutex::new(Vec::new()));
    let kept = read.clone();
    let body = body.map_frame(move |frame| {
        if let Some(data) = frame.data_ref() {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let room = READ_MAX_BYTES.saturating_sub(kept.len());
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
        frame
    });
    (Body::new(body), read)
}

/// Returns path and query of a request, without the digits of a telephone number by which orders are chosen.
fn without_number(uri: &Uri) -> String {
    let Some(query) = uri.query() else {
        return uri.path().to_owned();
    };
    let pairs = form_urlencoded::parse(query.as_bytes()).map(|(name, value)| {
        let is_number = name == "number";
        (
            name,
            if is_number {
                "(a number)".into()
            } else {
                value
            },
        )
    });
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("{}?{query}", uri.path())
}

/// Returns the beginning of a request's body as text, without telephone numbers; `None` if it is empty. A number of JSON is
/// none: it counts something, or is a row.
fn beginning(body: &[u8]) -> Option<String> {
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
    fn a_query_is_kept_without_telephone_numbers() {
        for (uri, kept) in [
            ("/api/v1/x", "/api/v1/x"),
            ("/x?project=p-1&dry_run=true", "/x?project=p-1&dry_run=true"),
            (
                "/x?number=%2B46700&state=BLOCKED",
                "/x?number=%28a+number%29&state=BLOCKED",
            ),
            ("/x?n%75mber=46700", "/x?number=%28a+number%29"),
        ] {
            assert_eq!(without_number(&uri.parse().expect("a URI")), kept);
        }
    }

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
            assert_eq!(beginning(body.as_bytes()).as_deref(), kept, "{body:?}");
        }
        let long = vec![b'x'; 5000];
        assert_eq!(beginning(&long).map(|text| text.len()), Some(1000));
    }
}
