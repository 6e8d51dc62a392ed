//! Requests about all parked deliveries that a filter chooses: they are replayed or dismissed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ALL, BulkDone, DRY_RUN, Done, TOGETHER, dry_run, each};
use crate::http::operators::deliveries::{AFTER, DELIVERY_FILTER, delivery_filter};
use crate::http::operators::parked::{dismiss_one_delivery, replay_delivery};
use crate::http::operators::query::{Param, Params, Query};
use crate::http::operators::{Context, Shared};
use crate::http::problem::Problem;
use crate::store::{DeliveryFilter, ListedDelivery};

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(replay_deliveries))
        .routes(routes!(dismiss_deliveries))
}

/// Parameters of a request about parked deliveries.
struct ChosenDeliveries;

impl Params for ChosenDeliveries {
    const PARAMS: &'static [Param] = DELIVERY_FILTER;
    const ALSO: &'static [Param] = &[ALL, DRY_RUN, AFTER];
}

/// Does something to each parked delivery that a query chooses, and that nobody has dismissed.
async fn each_delivery<F>(
    context: &Arc<Context>,
    query: &Query<ChosenDeliveries>,
    dry_run: bool,
    act: impl Fn(Arc<Context>, i64) -> F,
) -> Result<Json<BulkDone>, Problem>
where
    F: Future<Output = Done> + Send + 'static,
{
    let filter = DeliveryFilter {
        phase: Some("parked"),
        limit: TOGETHER,
        ..delivery_filter(query, context).await?
    };
    let newest = DeliveryFilter {
        newest_first: true,
        limit: 1,
        ..DeliveryFilter::default()
    };
    let newest = context.store.deliveries(&newest).await?;
    let newest = newest.items.first().map_or(0, |row| row.delivery.id);
    let list = |after| {
        let filter = DeliveryFilter {
            after,
            ..filter.clone()
        };
        async move {
            let mut page = context.store.deliveries(&filter).await?;
            // One that is replayed comes under another id, and may be parked again.
            if page.items.iter().any(|row| row.delivery.id > newest) {
                page.items.retain(|row| row.delivery.id <= newest);
                page.next = None;
            }
            Ok(page)
        }
    };
    each(
        dry_run,
        filter.after.clone(),
        list,
        |row: ListedDelivery| {
            let delivery = row.delivery.id;
            let action = row
                .delivery
                .dismissed_at
                .is_none()
                .then(|| act(context.clone(), delivery))?;
            Some(async move { (delivery.to_string(), action.await) })
        },
    )
    .await
}

/// Has all parked deliveries that fit processed again.
#[utoipa::path(
    post,
    path = "/api/v1/bulk/deliveries/replay",
    tag = "bulk",
    params(Query<ChosenDeliveries>),
    responses(
        (status = 200, description = "How many wait again, each under another id", body = BulkDone),
        (status = 404, description = "The project is not known"),
    )
)]
async fn replay_deliveries(
    State(context): Shared,
    query: Query<ChosenDeliveries>,
) -> Result<Json<BulkDone>, Problem> {
    let dry_run = dry_run(&query)?;
    each_delivery(
        &context,
        &query,
        dry_run,
        move |context, delivery| async move {
            if !dry_run {
                replay_delivery(&context, delivery).await?;
            }
            Ok(None)
        },
    )
    .await
}

/// Notes that an operator has seen to all parked deliveries that fit.
#[utoipa::path(
    post,
    path = "/api/v1/bulk/deliveries/dismiss",
    tag = "bulk",
    params(Query<ChosenDeliveries>),
    responses(
        (status = 200, description = "How many need no attention any more", body = BulkDone),
        (status = 404, description = "The project is not known"),
    )
)]
async fn dismiss_deliveries(
    State(context): Shared,
    query: Query<ChosenDeliveries>,
) -> Result<Json<BulkDone>, Problem> {
    let dry_run = dry_run(&query)?;
    each_delivery(
        &context,
        &query,
        dry_run,
        move |context, delivery| async move {
            if !dry_run {
                dismiss_one_delivery(&context, delivery).await?;
            }
            Ok(None)
        },
    )
    .await
}
