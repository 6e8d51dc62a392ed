//! Operators' requests about what is parked, and about all that is kept of an order.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{JsonBody, Object, Property, read_body};
use super::orders::{OrderPath, key, unknown_order};
use super::{Context, Shared, path_params, row_id};
use crate::clock;
use crate::http::delivery;
use crate::http::problem::Problem;
use crate::store::{DeliveryContent, Dismissed, Kept, NewDelivery, ParkedDelivery, ParkedFound};
use number_order::OrderKey;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(replay))
        .routes(routes!(dismiss_delivery))
        .routes(routes!(dismiss_order))
        .routes(routes!(forget))
}

/// Parameter of a path that names a delivery.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct DeliveryPath {
    /// Id of the delivery.
    #[serde(deserialize_with = "row_id::read")]
    delivery: i64,
}

pub(super) fn unknown_delivery() -> Problem {
    Problem::with_detail(StatusCode::NOT_FOUND, "there is no such delivery")
}

fn not_parked(what: &str) -> Problem {
    Problem::with_detail(StatusCode::CONFLICT, format!("the {what} is not parked"))
}

/// Returns the id of the delivery that a path names.
pub(super) fn delivery_id(path: Result<Path<DeliveryPath>, PathRejection>) -> Result<i64, Problem> {
    Ok(path_params(path, unknown_delivery)?.delivery)
}

/// Has a parked delivery processed again: this program may understand what an earlier one did not, or the cause is removed.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{delivery}/replay",
    tag = "deliveries",
    params(DeliveryPath),
    responses(
        (status = 202, description = "The delivery waits again, under another id"),
        (status = 404, description = "There is no such delivery"),
        (status = 409, description = "The delivery is not parked, or is not understood now either"),
    )
)]
async fn replay(
    State(context): Shared,
    path: Result<Path<DeliveryPath>, PathRejection>,
) -> Result<StatusCode, Problem> {
    replay_delivery(&context, delivery_id(path)?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Has one parked delivery processed again.
pub(super) async fn replay_delivery(context: &Context, delivery: i64) -> Result<(), Problem> {
    let parked = match context.store.parked(delivery).await? {
        ParkedFound::Parked(parked) => parked,
        ParkedFound::NotParked => return Err(not_parked("delivery")),
        ParkedFound::Unknown => return Err(unknown_delivery()),
    };
    let again = read_again(parked)?;
    if context.store.replay(delivery, again).await? {
        tracing::info!(delivery, "made a parked delivery wait to be processed anew");
        Ok(())
    } else {
        Err(not_parked("delivery"))
    }
}

/// Reads a parked delivery as a new one would be read. One that is not understood would be parked again, so it is refused.
fn read_again(parked: ParkedDelivery) -> Result<NewDelivery, Problem> {
    let ParkedDelivery {
        project,
        callback_key,
        received_at,
        body,
    } = parked;
    let again = delivery::read(project, callback_key, received_at, Bytes::from(body)).delivery;
    match &again.subject {
        DeliveryContent::NotUnderstood(reason) => {
            let detail = format!("the delivery is not understood now either: {reason}");
            Err(Problem::with_detail(StatusCode::CONFLICT, detail))
        }
        DeliveryContent::Order { .. } | DeliveryContent::Other(_) => Ok(again),
    }
}

/// Notes that an operator has seen to a parked delivery: it needs no attention any more.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{delivery}/dismiss",
    tag = "deliveries",
    params(DeliveryPath),
    responses(
        (status = 204, description = "The delivery needs no attention any more"),
        (status = 404, description = "There is no such delivery"),
        (status = 409, description = "The delivery is not parked"),
    )
)]
async fn dismiss_delivery(
    State(context): Shared,
    path: Result<Path<DeliveryPath>, PathRejection>,
) -> Result<StatusCode, Problem> {
    dismiss_one_delivery(&context, delivery_id(path)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Dismisses one parked delivery.
pub(super) async fn dismiss_one_delivery(context: &Context, delivery: i64) -> Result<(), Problem> {
    match context
        .store
        .dismiss_delivery(delivery, clock::now())
        .await?
    {
        Dismissed::Done => {
            tracing::info!(delivery, "an operator dismissed a parked delivery");
            Ok(())
        }
        Dismissed::NotParked => Err(not_parked("delivery")),
        Dismissed::Unknown => Err(unknown_delivery()),
    }
}

/// Notes that an operator has seen to a parked order: it needs no attention until an event or a fetch of its own.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{project}/{order}/dismiss",
    tag = "orders",
    params(OrderPath),
    responses(
        (status = 204, description = "The order needs no attention any more"),
        (status = 404, description = "No such order is known"),
        (status = 409, description = "The order is not parked"),
    )
)]
async fn dismiss_order(
    State(context): Shared,
    path: Result<Path<OrderPath>, PathRejection>,
) -> Result<StatusCode, Problem> {
    dismiss_one_order(&context, key(path)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Dismisses one parked order.
pub(super) async fn dismiss_one_order(context: &Context, key: OrderKey) -> Result<(), Problem> {
    let (project, order) = (key.project.clone(), key.order.clone());
    match context.store.dismiss_order(key, clock::now()).await? {
        Dismissed::Done => {
            tracing::info!(%project, %order, "an operator dismissed a parked order");
            Ok(())
        }
        Dismissed::NotParked => Err(not_parked("order")),
        Dismissed::Unknown => Err(unknown_order()),
    }
}

/// Body of a request to forget an order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForgetRequest {
    /// `true`: count what is kept; `false`: remove it.
    dry_run: bool,
}

impl Object for ForgetRequest {
    const PROPERTIES: &'static [Property] = &[Property {
        name: "dry_run",
        is_needed: true,
        values: "true to count what is kept, false to remove it",
    }];
}

/// What is kept about an order, or was until it was forgotten.
#[derive(Serialize, ToSchema)]
struct Forgotten {
    kept: Kept,
    dry_run: bool,
}

/// Removes an order with all that is kept about it, or counts that only.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{project}/{order}/forget",
    tag = "orders",
    params(OrderPath),
    request_body = ForgetRequest,
    responses(
        (status = 200, description = "How much is kept, or was", body = Forgotten),
        (status = 404, description = "No such order is known"),
    )
)]
async fn forget(
    State(context): Shared,
    path: Result<Path<OrderPath>, PathRejection>,
    body: JsonBody,
) -> Result<Json<Forgotten>, Problem> {
    let key = key(path)?;
    let ForgetRequest { dry_run } = read_body(body)?;
    let kept = forget_order(&context, key, dry_run).await?;
    Ok(Json(Forgotten { kept, dry_run }))
}

/// Removes one order with all that is kept about it, or counts that only.
pub(super) async fn forget_order(
    context: &Context,
    key: OrderKey,
    dry_run: bool,
) -> Result<Kept, Problem> {
    if dry_run {
        return context.store.kept(&key).await?.ok_or_else(unknown_order);
    }
    let (project, order) = (key.project.clone(), key.order.clone());
    let kept = context.store.forget(key).await?;
    let kept = kept.ok_or_else(unknown_order)?;
    tracing::info!(%project, %order, "forgot an order with all that was kept about it");
    Ok(kept)
}
