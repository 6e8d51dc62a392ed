//! Orders that operators make known.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::projects::{may_be_fetched, unknown_project};
use super::{Context, Shared, import, path_params};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::WatchRequest;
use number_order::Id;

/// Maximum size of a list of orders in one request: some 150,000 ids. The store makes them known a few thousand at a
/// time, and accepts callbacks in between.
pub const IMPORT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Number of the list's ids that the answer shows, so that a person sees if the list was understood as it was meant.
const FIRST_SHOWN: usize = 5;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(watch_order))
        .routes(routes!(watch_list))
        .routes(routes!(watch_list_of_only_project))
        .layer(DefaultBodyLimit::max(IMPORT_MAX_BYTES))
}

/// Result of making a list of orders known.
#[derive(Serialize, ToSchema)]
struct Watched {
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

/// Parameters of a path that names a project, and an order that is perhaps not known.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct NewOrderPath {
    /// Sinch's id of the project.
    project: Id,
    /// Sinch's id of the order.
    #[param(value_type = Id)]
    order: String,
}

/// Makes an order known, so that its state is fetched even if no callback ever comes. Answers 201 if the order was not
/// known before.
#[utoipa::path(
    put,
    path = "/api/v1/orders/{project}/{order}",
    tag = "orders",
    params(NewOrderPath),
    responses(
        (status = 200, description = "The order was known, and stays as it is", body = Watched),
        (status = 201, description = "The order is known from now on, and fetched", body = Watched),
        (status = 404, description = "No such project is configured"),
        (status = 409, description = "The project's orders are not fetched"),
        (status = 422, description = "This is no order's id"),
    )
)]
async fn watch_order(
    State(context): Shared,
    path: Result<Path<NewOrderPath>, PathRejection>,
) -> Result<(StatusCode, Json<Watched>), Problem> {
    let NewOrderPath { project, order } = path_params(path, unknown_project)?;
    let list = import::List {
        orders: vec![import::named(&order).map_err(unusable_list)?],
        header: None,
    };
    let watched = watch_in_order(&context, &project, list).await?;
    let status = match watched.new {
        0 => StatusCode::OK,
        _ => StatusCode::CREATED,
    };
    Ok((status, Json(watched)))
}

/// Body of a request that carries a list of orders.
type ListBody = Result<Bytes, BytesRejection>;

/// Parameter of a path that names a project where the path of an order has the order.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct ListPath {
    /// Sinch's id of the project.
    order: Id,
}

/// Makes a whole list of orders of a project known; the path's last part is the project's id. A list with a line that
/// cannot be used is refused whole.
///
/// The list has one id a line, or is CSV whose first column has the ids, or has a JSON object a line.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{order}",
    tag = "orders",
    params(ListPath),
    request_body(content = String, content_type = "text/plain"),
    responses(
        (status = 200, description = "The orders are known from now on, and fetched", body = Watched),
        (status = 404, description = "No such project is configured"),
        (status = 409, description = "The project's orders are not fetched"),
    )
)]
async fn watch_list(
    State(context): Shared,
    path: Result<Path<ListPath>, PathRejection>,
    list: ListBody,
) -> Result<Json<Watched>, Problem> {
    let ListPath { order: project } = path_params(path, unknown_project)?;
    Ok(Json(
        watch_in_order(&context, &project, read_list(list)?).await?,
    ))
}

/// Makes a whole list of orders of the only configured project known.
#[utoipa::path(
    post,
    path = "/api/v1/orders",
    tag = "orders",
    request_body(content = String, content_type = "text/plain"),
    responses(
        (status = 200, description = "The orders are known from now on, and fetched", body = Watched),
        (status = 409, description = "Several projects are configured, or the project's orders are not fetched"),
    )
)]
async fn watch_list_of_only_project(
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
