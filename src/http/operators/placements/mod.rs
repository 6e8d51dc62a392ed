//! Endpoints of the journal of placements. A client that places an order records each step before it sends the request
//! to Sinch, and the step's outcome afterwards. Here are the placements themselves.

pub(super) mod steps;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{JsonBody, read_body};
use super::ordered::{OrderedRequest, checked_order};
use super::projects::{may_be_fetched, unknown_project};
use super::{Context, Shared, path_params};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::{NewPlacement, PlacementFound, PlacementRow};
use number_order::Id;

/// Maximum number of characters of a placement's reference.
const REFERENCE_MAX_CHARS: usize = 64;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(begin_placement))
        .routes(routes!(show_placement))
        .merge(steps::routes())
}

/// Parameters of a path that names a placement.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct PlacementPath {
    /// Sinch's id of the project.
    project: Id,
    /// Reference of the placement, from its form.
    #[param(pattern = "^[a-z0-9-]{1,64}$")]
    reference: String,
}

fn placement_in(path: Result<Path<PlacementPath>, PathRejection>) -> Result<(Id, String), Problem> {
    let PlacementPath { project, reference } = path_params(path, unknown_project)?;
    Ok((project, checked_reference(reference)?))
}

fn checked_reference(reference: String) -> Result<String, Problem> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=REFERENCE_MAX_CHARS).contains(&reference.len()) && reference.chars().all(is_plain) {
        return Ok(reference);
    }
    let detail = "reference: write 1 to 64 lower-case letters, digits and hyphens";
    Err(Problem::with_detail(StatusCode::BAD_REQUEST, detail))
}

/// Records a placement in the journal before its first step. Answers 201 if it was not recorded before.
#[utoipa::path(
    put,
    path = "/api/v1/placements/{project}/{reference}",
    tag = "placements",
    params(PlacementPath),
    request_body = OrderedRequest,
    responses(
        (status = 200, description = "The placement was recorded before", body = PlacementRow),
        (status = 201, description = "The placement is recorded", body = PlacementRow),
        (status = 404, description = "No such project is configured"),
        (status = 409, description = "The reference stands for other numbers, or the project's orders are not fetched"),
    )
)]
async fn begin_placement(
    State(context): Shared,
    path: Result<Path<PlacementPath>, PathRejection>,
    body: JsonBody,
) -> Result<(StatusCode, Json<PlacementRow>), Problem> {
    let (project, reference) = placement_in(path)?;
    may_be_fetched(&context, &project)?;
    let ordered = checked_order(read_body::<OrderedRequest>(body)?)?;
    let new = NewPlacement {
        project,
        reference,
        ordered,
        now: clock::now(),
    };
    match context.store.begin_placement(new).await? {
        PlacementFound::New(row) => Ok((StatusCode::CREATED, Json(row))),
        PlacementFound::Known(row) => Ok((StatusCode::OK, Json(row))),
        PlacementFound::OfOther(row) => {
            let detail = format!(
                "the reference {} stands for other numbers; give the form another reference",
                row.reference
            );
            Err(Problem::with_detail(StatusCode::CONFLICT, detail))
        }
        PlacementFound::UnknownProject => Err(unknown_project()),
    }
}

fn unknown_placement() -> Problem {
    let detail = "nothing was placed under this reference";
    Problem::with_detail(StatusCode::NOT_FOUND, detail)
}

/// Returns a placement with its steps, and if there is an order.
#[utoipa::path(
    get,
    path = "/api/v1/placements/{project}/{reference}",
    tag = "placements",
    params(PlacementPath),
    responses(
        (status = 200, description = "The placement", body = PlacementRow),
        (status = 400, description = "This is no reference"),
        (status = 404, description = "Nothing was placed under this reference"),
    )
)]
async fn show_placement(
    State(context): Shared,
    path: Result<Path<PlacementPath>, PathRejection>,
) -> Result<Json<PlacementRow>, Problem> {
    let (project, reference) = placement_in(path)?;
    let found = context.store.placement(&project, &reference).await?;
    found.map(Json).ok_or_else(unknown_placement)
}
