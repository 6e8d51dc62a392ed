//! Parked deliveries, which an operator must look at, and the bodies of deliveries.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::pretty_json::PrettyJson;
use super::query::QueryParams;
use super::{Context, Page, Shared, page_size};
use crate::http::problem::Problem;
use crate::store::{Body, ParkedRow};

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/api/v1/parked", get(list_parked))
        .route("/api/v1/deliveries/{delivery}/body", get(show_body))
}

async fn list_parked(
    State(context): Shared,
    query: RawQuery,
) -> Result<PrettyJson<Page<ParkedRow>>, Problem> {
    let params = QueryParams::read(query, &["after", "limit"])?;
    let limit = page_size(params.number("limit")?);
    let after = params.number("after")?.unwrap_or_default();
    let parked = context.store.parked(after, limit).await?;
    Ok(PrettyJson(parked.into()))
}

/// Returns the raw bytes of a delivery.
async fn show_body(
    State(context): Shared,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let unknown = || Problem::with_detail(StatusCode::NOT_FOUND, "there is no such delivery");
    let delivery = path
        .map_err(|_| unknown())?
        .parse()
        .map_err(|_| unknown())?;
    match context.store.body(delivery).await?.ok_or_else(unknown)? {
        Body::Kept(body) => {
            let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
            Ok((kind, body).into_response())
        }
        Body::Gone => {
            let what = "the body is gone: it was kept for retention.bodies_days";
            Err(Problem::with_detail(StatusCode::GONE, what))
        }
    }
}
