//! Requests about all orders that a filter chooses: they are fetched, dismissed or forgotten.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ALL, BulkDone, DRY_RUN, Done, TOGETHER, dry_run, each};
use crate::http::operators::orders::{AFTER_ORDER, ORDER_FILTER, fetch_order, order_filter};
use crate::http::operators::parked::{dismiss_one_order, forget_order};
use crate::http::operators::query::{Param, Params, Query, bad_parameter};
use crate::http::operators::{Context, Shared};
use crate::http::problem::Problem;
use crate::store::{OrderFilter, OrderRow};
use number_order::{Id, OrderKey};

/// Number of orders that are forgotten together. Each is many rows.
const FORGOTTEN_TOGETHER: u32 = 8;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(fetch_orders))
        .routes(routes!(dismiss_orders))
        .routes(routes!(forget_orders))
}

/// Parameters of a request about orders.
struct ChosenOrders;

impl Params for ChosenOrders {
    const PARAMS: &'static [Param] = ORDER_FILTER;
    const ALSO: &'static [Param] = &[ALL, DRY_RUN, AFTER_ORDER];
}

fn key(row: &OrderRow) -> Option<OrderKey> {
    Some(OrderKey {
        project: Id::new(row.project.as_str())?,
        order: Id::new(row.order.as_str())?,
    })
}

/// Does something to each order that a filter chooses.
async fn each_order<F>(
    context: &Arc<Context>,
    filter: OrderFilter,
    dry_run: bool,
    act: impl Fn(Arc<Context>, OrderKey) -> F,
) -> Result<Json<BulkDone>, Problem>
where
    F: Future<Output = Done> + Send + 'static,
{
    // What is parked and was dismissed is dismissed already.
    let leaves_out = |row: &OrderRow| filter.parked == Some(true) && row.dismissed_at.is_some();
    let list = |after| {
        let filter = OrderFilter {
            after,
            ..filter.clone()
        };
        async move { context.store.orders(&filter).await }
    };
    each(dry_run, filter.after.clone(), list, |row: OrderRow| {
        let key = key(&row).filter(|_| !leaves_out(&row))?;
        let action = act(context.clone(), key);
        Some(async move { (row.order, action.await) })
    })
    .await
}

/// Requests a fetch of all orders that fit.
#[utoipa::path(
    post,
    path = "/api/v1/bulk/orders/fetch",
    tag = "bulk",
    params(Query<ChosenOrders>),
    responses(
        (status = 200, description = "How many are fetched as soon as slots, rate limit and circuit allow", body = BulkDone),
        (status = 404, description = "The project is not known"),
    )
)]
async fn fetch_orders(
    State(context): Shared,
    query: Query<ChosenOrders>,
) -> Result<Json<BulkDone>, Problem> {
    let dry_run = dry_run(&query)?;
    let filter = OrderFilter {
        limit: TOGETHER,
        ..order_filter(&query, &context).await?
    };
    each_order(&context, filter, dry_run, move |context, key| async move {
        if !dry_run {
            fetch_order(&context, key).await?;
        }
        Ok(None)
    })
    .await
}

/// Notes that an operator has seen to all parked orders that fit, and that nobody has dismissed.
#[utoipa::path(
    post,
    path = "/api/v1/bulk/orders/dismiss",
    tag = "bulk",
    params(Query<ChosenOrders>),
    responses(
        (status = 200, description = "How many need no attention any more", body = BulkDone),
        (status = 404, description = "The project is not known"),
    )
)]
async fn dismiss_orders(
    State(context): Shared,
    query: Query<ChosenOrders>,
) -> Result<Json<BulkDone>, Problem> {
    let dry_run = dry_run(&query)?;
    let filter = order_filter(&query, &context).await?;
    if filter.parked == Some(false) {
        let detail = "parked: only what is parked can be dismissed; leave it out";
        return Err(bad_parameter(detail.to_owned()));
    }
    let filter = OrderFilter {
        parked: Some(true),
        limit: TOGETHER,
        ..filter
    };
    each_order(&context, filter, dry_run, move |context, key| async move {
        if !dry_run {
            dismiss_one_order(&context, key).await?;
        }
        Ok(None)
    })
    .await
}

/// Removes all orders that fit, each with all that is kept about it, or counts that only.
#[utoipa::path(
    post,
    path = "/api/v1/bulk/orders/forget",
    tag = "bulk",
    params(Query<ChosenOrders>),
    responses(
        (status = 200, description = "How many are removed, and how much was kept about them", body = BulkDone),
        (status = 404, description = "The project is not known"),
    )
)]
async fn forget_orders(
    State(context): Shared,
    query: Query<ChosenOrders>,
) -> Result<Json<BulkDone>, Problem> {
    let dry_run = dry_run(&query)?;
    let filter = OrderFilter {
        limit: FORGOTTEN_TOGETHER,
        ..order_filter(&query, &context).await?
    };
    each_order(&context, filter, dry_run, move |context, key| async move {
        forget_order(&context, key, dry_run).await.map(Some)
    })
    .await
}
