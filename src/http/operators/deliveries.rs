//! Parked deliveries, which an operator must look at, and the bodies of deliveries.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::pretty_json::PrettyJson;
use super::projects::must_be_known;
use super::query::QueryParams;
use super::{Context, Page, Shared, page_size};
use crate::http::problem::Problem;
use crate::store::{Body, Cursor, DeliveryFilter, ListedDelivery};
use number_order::{Decision, Kept, NotUnderstood};
use strum::VariantNames;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/api/v1/deliveries", get(list_deliveries))
        .route("/api/v1/parked", get(list_parked))
        .route("/api/v1/deliveries/{delivery}/body", get(show_body))
}

/// Query parameters by which deliveries can be listed.
const LIST_PARAMS: [&str; 9] = [
    "order",
    "project",
    "decision",
    "phase",
    "received_since",
    "received_before",
    "sort",
    "limit",
    "after",
];

/// Phases of a delivery by which the list of deliveries can be filtered.
const DELIVERY_PHASES: [&str; 4] = ["waiting", "processed", "recorded", "parked"];

async fn list_deliveries(
    State(context): Shared,
    query: RawQuery,
) -> Result<PrettyJson<Page<ListedDelivery>>, Problem> {
    let params = QueryParams::read(query, &LIST_PARAMS)?;
    let decisions = [Decision::VARIANTS, Kept::VARIANTS, NotUnderstood::VARIANTS].concat();
    let filter = DeliveryFilter {
        order: params.id("order")?,
        project: params.id("project")?,
        decision: params.word("decision", &decisions)?,
        phase: params.word("phase", &DELIVERY_PHASES)?,
        received_since: params.time("received_since")?,
        received_before: params.time("received_before")?,
        newest_first: params.newest_first()?,
        after: params.text("after").map(Cursor::from_caller),
        limit: page_size(params.number("limit")?),
    };
    if let Some(project) = &filter.project {
        must_be_known(&context, project).await?;
    }
    Ok(PrettyJson(context.store.deliveries(&filter).await?.into()))
}

/// Lists the parked deliveries, which an operator must look at.
async fn list_parked(
    State(context): Shared,
    query: RawQuery,
) -> Result<PrettyJson<Page<ListedDelivery>>, Problem> {
    let params = QueryParams::read(query, &["after", "limit"])?;
    let filter = DeliveryFilter {
        phase: Some("parked"),
        after: params.text("after").map(Cursor::from_caller),
        limit: page_size(params.number("limit")?),
        ..DeliveryFilter::default()
    };
    Ok(PrettyJson(context.store.deliveries(&filter).await?.into()))
}

/// Returns the raw body of a delivery.
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
