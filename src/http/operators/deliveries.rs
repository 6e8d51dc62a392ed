//! Parked deliveries, which an operator must look at, and the bodies of deliveries.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::parked::{DeliveryPath, delivery_id, unknown_delivery};
use super::pretty_json::PrettyJson;
use super::projects::must_be_known;
use super::query::{Kind, LIMIT, Param, Params, Query, SORT, since, until};
use super::{Context, Page, Shared};
use crate::explain::Coded;
use crate::http::problem::Problem;
use crate::store::{
    Body, DELIVERY_PHASES, DeliveryFilter, DeliveryKind, ListedDelivery, StoreError,
};
use number_order::DeliveryDecision;
use strum::VariantNames;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list_deliveries))
        .routes(routes!(list_parked))
        .routes(routes!(show_delivery))
        .routes(routes!(show_body))
}

/// Cursors of the list of deliveries.
pub(super) const AFTER: Param = Param::after("^d[0-9a-f]{16}$");

/// Parameters that choose deliveries, whatever their phase is.
pub(super) const DELIVERY_FILTER: &[Param] = &[
    Param::new("order", Kind::Id, "about this order, or one of its numbers"),
    Param::new("project", Kind::Id, "by the path of this project"),
    Param::new(
        "decision",
        Kind::Words(DeliveryDecision::codes),
        "with this decision",
    ),
    Param::new(
        "kind",
        Kind::Words(|| DeliveryKind::VARIANTS.to_vec()),
        "about an order, a number of one, something else, or not understood",
    ),
    since("received at this time or later"),
    until("received before this time"),
];

/// Parameters by which deliveries can be listed.
struct DeliveryList;

impl Params for DeliveryList {
    const PARAMS: &'static [Param] = DELIVERY_FILTER;
    const ALSO: &'static [Param] = &[
        Param::new(
            "phase",
            Kind::Words(|| DELIVERY_PHASES.to_vec()),
            "in this phase",
        ),
        SORT,
        LIMIT,
        AFTER,
    ];
}

/// Returns the filter that a query has, without phase, order and length of the page.
pub(super) async fn delivery_filter<P: Params>(
    query: &Query<P>,
    context: &Context,
) -> Result<DeliveryFilter, Problem> {
    let project = query.id("project")?;
    if let Some(project) = &project {
        must_be_known(context, project).await?;
    }
    let [since, until] = query.period()?;
    Ok(DeliveryFilter {
        order: query.id("order")?,
        project,
        decision: query.word("decision")?,
        kind: query.word("kind")?.and_then(|word| word.parse().ok()),
        since,
        until,
        after: query.after(),
        ..DeliveryFilter::default()
    })
}

/// Lists deliveries.
#[utoipa::path(
    get,
    path = "/api/v1/deliveries",
    tag = "deliveries",
    params(Query<DeliveryList>),
    responses(
        (status = 200, description = "A page of deliveries", body = Page<ListedDelivery>),
        (status = 404, description = "The project is not known"),
    )
)]
async fn list_deliveries(
    State(context): Shared,
    query: Query<DeliveryList>,
) -> Result<PrettyJson<Page<ListedDelivery>>, Problem> {
    let filter = DeliveryFilter {
        phase: query.word("phase")?,
        newest_first: query.newest_first()?,
        limit: query.limit()?,
        ..delivery_filter(&query, &context).await?
    };
    Ok(PrettyJson(context.store.deliveries(&filter).await?.into()))
}

/// Parameters of the list of parked deliveries.
struct ParkedList;

impl Params for ParkedList {
    const PARAMS: &'static [Param] = &[LIMIT, AFTER];
}

/// Lists the parked deliveries, which an operator must look at.
#[utoipa::path(
    get,
    path = "/api/v1/parked",
    tag = "deliveries",
    params(Query<ParkedList>),
    responses((status = 200, description = "A page of parked deliveries", body = Page<ListedDelivery>))
)]
async fn list_parked(
    State(context): Shared,
    query: Query<ParkedList>,
) -> Result<PrettyJson<Page<ListedDelivery>>, Problem> {
    let filter = DeliveryFilter {
        phase: Some("parked"),
        after: query.after(),
        limit: query.limit()?,
        ..DeliveryFilter::default()
    };
    Ok(PrettyJson(context.store.deliveries(&filter).await?.into()))
}

/// Returns a delivery, with the decision on it.
#[utoipa::path(
    get,
    path = "/api/v1/deliveries/{delivery}",
    tag = "deliveries",
    params(DeliveryPath),
    responses(
        (status = 200, description = "The delivery", body = ListedDelivery),
        (status = 404, description = "There is no such delivery"),
    )
)]
async fn show_delivery(
    State(context): Shared,
    path: Result<Path<DeliveryPath>, PathRejection>,
) -> Result<PrettyJson<ListedDelivery>, Problem> {
    let filter = DeliveryFilter {
        id: Some(delivery_id(path)?),
        limit: 1,
        ..DeliveryFilter::default()
    };
    let found = context.store.deliveries(&filter).await?;
    if let Some(row) = found.unreadable.first() {
        return Err(StoreError::Unread(row.to_string()).into());
    }
    let delivery = found.items.into_iter().next();
    delivery.map(PrettyJson).ok_or_else(unknown_delivery)
}

/// Returns the raw body of a delivery.
#[utoipa::path(
    get,
    path = "/api/v1/deliveries/{delivery}/body",
    tag = "deliveries",
    params(DeliveryPath),
    responses(
        (status = 200, description = "The bytes as they were received", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "There is no such delivery"),
        (status = 410, description = "The body was kept for its period, and is gone"),
    )
)]
async fn show_body(
    State(context): Shared,
    path: Result<Path<DeliveryPath>, PathRejection>,
) -> Result<Response, Problem> {
    let delivery = delivery_id(path)?;
    match context
        .store
        .body(delivery)
        .await?
        .ok_or_else(unknown_delivery)?
    {
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
