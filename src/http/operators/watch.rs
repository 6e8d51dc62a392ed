//! Orders that operators make known.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;

use super::projects::{ProjectPath, may_be_fetched, project_in, unknown_project};
use super::{Context, Shared, import, path_params, project_id};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::WatchRequest;
use number_order::Id;

/// Maximum size of a list of orders in one request: some 150,000 ids. The store makes them known a few thousand at a
/// time, and accepts callbacks in between.
pub const IMPORT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Number of the list's ids that the answer shows, so that a person sees if the list was understood as it was meant.
const FIRST_SHOWN: usize = 5;

/// Result of making a list of orders known.
#[derive(Serialize)]
pub(super) struct Watched {
    /// Number of orders that were named.
    orders: usize,
    /// Number of the named orders that were not known before.
    new: u64,
    /// First order ids of the list, as they were understood.
    first: Vec<String>,
    /// Heading of the list's column of ids, which was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
}

/// Makes an order known, so that its state is fetched even if no callback ever comes. Answers 201 if the order was not
/// known before.
pub(super) async fn watch_order(
    State(context): Shared,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<(StatusCode, Json<Watched>), Problem> {
    let (project, order) = path_params(path, unknown_project)?;
    let list = import::List {
        orders: vec![import::named(&order).map_err(unusable_list)?],
        header: None,
    };
    let watched = watch_in_order(&context, &project_id(project)?, list).await?;
    let status = match watched.new {
        0 => StatusCode::OK,
        _ => StatusCode::CREATED,
    };
    Ok((status, Json(watched)))
}

/// Body of a request that carries a list of orders.
type ListBody = Result<Bytes, BytesRejection>;

/// Makes a whole list of orders of a project known; the path's last part is the project's id. A list with a line that
/// cannot be used is refused whole.
pub(super) async fn watch_list(
    State(context): Shared,
    path: ProjectPath,
    list: ListBody,
) -> Result<Json<Watched>, Problem> {
    let project = project_in(path)?;
    Ok(Json(
        watch_in_order(&context, &project, read_list(list)?).await?,
    ))
}

/// Makes a whole list of orders of the only configured project known.
pub(super) async fn watch_list_of_only_project(
    State(context): Shared,
    list: ListBody,
) -> Result<Json<Watched>, Problem> {
    let mut projects = context.settings.projects.keys();
    let (Some(project), None) = (projects.next(), projects.next()) else {
        let detail = "several projects are configured; say which, with --project or in the path";
        return Err(Problem::with_detail(StatusCode::CONFLICT, detail));
    };
    Ok(Json(
        watch_in_order(&context, project, read_list(list)?).await?,
    ))
}

fn read_list(list: ListBody) -> Result<import::List, Problem> {
    let unread = |error: BytesRejection| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail =
                format!("the list may have at most {IMPORT_MAX_BYTES} bytes: send it in parts");
            Problem::with_detail(StatusCode::PAYLOAD_TOO_LARGE, detail)
        }
        // The middleware that limits the body knows the reason, and replaces the response.
        status => Problem::new(status),
    };
    let list = list.map_err(unread)?;
    import::read(&list).map_err(unusable_list)
}

fn unusable_list(why: String) -> Problem {
    Problem::with_detail(StatusCode::UNPROCESSABLE_ENTITY, why)
}

/// Makes orders known in the order of their list. If the store fails half-way, the first of them are known. The same
/// list may then be sent again: an order that is known stays as it is.
async fn watch_in_order(
    context: &Context,
    project: &Id,
    list: import::List,
) -> Result<Watched, Problem> {
    may_be_fetched(context, project)?;
    let orders = list.orders.len();
    let first = list
        .orders
        .iter()
        .take(FIRST_SHOWN)
        .map(Id::to_string)
        .collect();
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
