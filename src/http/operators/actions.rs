//! Actions: each request that changes something is recorded with its caller before it takes effect.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::CallerName;
use super::pretty_json::PrettyJson;
use super::query::{Kind, LIMIT, Param, Params, Query, SORT, since, until};
use super::{Context, Page, Shared, recorded};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::{ActionFilter, ActionRow, NewAction};

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
    route: MatchedPath,
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
        path: recorded::path(&head.uri, route.as_str()),
    };
    let row = match context.store.begin_action(action).await {
        Ok(row) => row,
        Err(error) => return Problem::from(error).into_response(),
    };
    let (body, read) = overheard(body);
    let answer = next.run(Request::from_parts(head, body)).await;
    let body = recorded::body(&read.lock().unwrap_or_else(PoisonError::into_inner));
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
