//! Orders that operators make known.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;

use super::orders::{IMPORT_MAX_BYTES, may_be_asked};
use super::{Context, Shared, id, import, path};
use crate::clock;
use crate::http::problem::Problem;
use crate::order::Id;
use crate::store::WatchRequest;

/// So many ids are shown, for a person to see that they are what was meant.
const FIRST: usize = 5;

/// What was made of a list.
#[derive(Serialize)]
pub(super) struct Watched {
    /// How many orders were named.
    orders: usize,
    /// How many of them were not known before.
    new: u64,
    /// The first of them.
    first: Vec<String>,
    /// The heading that was passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
}

/// Makes an order known, so that its state is asked for even if no callback ever comes: 201 if it was
/// not known before.
pub(super) async fn one(
    State(context): Shared,
    asked: Result<Path<(String, String)>, PathRejection>,
) -> Result<(StatusCode, Json<Watched>), Problem> {
    let (project, order) = path(asked)?;
    let list = import::List {
        orders: vec![import::named(&order).map_err(unusable)?],
        header: None,
    };
    let watched = watch(&context, &id(project)?, list).await?;
    let status = match watched.new {
        0 => StatusCode::OK,
        _ => StatusCode::CREATED,
    };
    Ok((status, Json(watched)))
}

/// A list of orders as a request carries it.
type Sent = Result<Bytes, BytesRejection>;

/// The same for a whole list; the path's last part is the project. A list with a line that cannot be
/// used is refused whole.
pub(super) async fn many(
    State(context): Shared,
    asked: Result<Path<String>, PathRejection>,
    list: Sent,
) -> Result<Json<Watched>, Problem> {
    let project = id(path(asked)?)?;
    Ok(Json(watch(&context, &project, read(list)?).await?))
}

/// The same, of the only project there is.
pub(super) async fn only_project(
    State(context): Shared,
    list: Sent,
) -> Result<Json<Watched>, Problem> {
    let mut projects = context.settings.projects.keys();
    let (Some(project), None) = (projects.next(), projects.next()) else {
        let detail = "several projects are configured; say which, with --project or in the path";
        return Err(Problem::with_detail(StatusCode::CONFLICT, detail));
    };
    Ok(Json(watch(&context, project, read(list)?).await?))
}

fn read(list: Sent) -> Result<import::List, Problem> {
    let unread = |error: BytesRejection| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail =
                format!("the list may have at most {IMPORT_MAX_BYTES} bytes: send it in parts");
            Problem::with_detail(StatusCode::PAYLOAD_TOO_LARGE, detail)
        }
        // Whoever lent the body out knows why, and says so.
        status => Problem::new(status),
    };
    let list = list.map_err(unread)?;
    import::read(&list).map_err(unusable)
}

fn unusable(why: String) -> Problem {
    Problem::with_detail(StatusCode::UNPROCESSABLE_ENTITY, why)
}

/// Makes them known in their order. Should the store fail half-way, the first of them are known, and the same list
/// may be sent again: what is known stays as it is.
async fn watch(context: &Context, project: &Id, list: import::List) -> Result<Watched, Problem> {
    may_be_asked(context, project)?;
    let orders = list.orders.len();
    let first = list.orders.iter().take(FIRST).map(Id::to_string).collect();
    let request = WatchRequest {
        project: project.clone(),
        orders: list.orders,
        now: clock::now(),
    };
    Ok(Watched {
        orders,
        new: context.store.watch(request).await?,
        first,
        header: list.header,
    })
}
