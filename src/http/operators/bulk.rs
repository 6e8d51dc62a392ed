//! Requests about all orders or deliveries that a filter chooses. Each one is a write of its own, so that nothing holds up
//! callbacks for long, and a request works for a while only: the next one goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::task::JoinSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::deliveries::{self, DELIVERY_FILTER, delivery_filter};
use super::orders::{AFTER_ORDER, ORDER_FILTER, fetch_order, order_filter};
use super::parked::{dismiss_one_delivery, dismiss_one_order, forget_order, replay_delivery};
use super::query::{Kind, Param, Params, Query, bad_parameter};
use super::{Context, Shared};
use crate::http::problem::Problem;
use crate::store::{
    Cursor, DeliveryFilter, Kept, ListedDelivery, Listing, OrderFilter, OrderRow, StoreError,
};
use number_order::{Id, OrderKey};

/// Time for which one request works.
const WORK_FOR: Duration = Duration::from_secs(2);

/// Number of writes that are handed over together, and so share commits.
const TOGETHER: u32 = 64;

/// Number of orders that are forgotten together. Each is many rows.
const FORGOTTEN_TOGETHER: u32 = 8;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(fetch_orders))
        .routes(routes!(dismiss_orders))
        .routes(routes!(forget_orders))
        .routes(routes!(replay_deliveries))
        .routes(routes!(dismiss_deliveries))
}

const ALL: Param = Param::new(
    "all",
    Kind::Flag,
    "`true`: all of them, where no other parameter chooses",
);
const DRY_RUN: Param = Param::needed(
    "dry_run",
    Kind::Flag,
    "write `true` to count them only, or `false`",
);

/// Parameters of a request about orders.
struct ChosenOrders;

impl Params for ChosenOrders {
    const PARAMS: &'static [Param] = ORDER_FILTER;
    const ALSO: &'static [Param] = &[ALL, DRY_RUN, AFTER_ORDER];
}

/// Parameters of a request about parked deliveries.
struct ChosenDeliveries;

impl Params for ChosenDeliveries {
    const PARAMS: &'static [Param] = DELIVERY_FILTER;
    const ALSO: &'static [Param] = &[ALL, DRY_RUN, deliveries::AFTER];
}

/// What came of a request about all that fits.
#[derive(Default, Serialize, ToSchema)]
struct BulkDone {
    /// Number of those to which it was done, or would be.
    count: u64,
    /// `true`: they were counted only.
    dry_run: bool,
    /// What is kept about the orders that are forgotten, or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Kept>,
    /// Those to which it was not done.
    refused: Vec<Refused>,
    /// Value of the parameter `after` with which the same request goes on; `null`: it is done.
    #[schema(value_type = Option<String>)]
    next: Option<Cursor>,
}

/// One to which it was not done.
#[derive(Serialize, ToSchema)]
struct Refused {
    /// Sinch's order id, or the id of the delivery.
    name: String,
    /// Reason, in words.
    text: String,
}

/// Result of what is done to one: what was kept of it, where that is counted.
type Done = Result<Option<Kept>, Problem>;

/// Does something to each item of a list, page by page, until its end or until the time is over. Where the database does not
/// answer, it ends with that.
async fn each<T, L, F>(
    dry_run: bool,
    mut after: Option<Cursor>,
    list: impl Fn(Option<Cursor>) -> L,
    act: impl Fn(T) -> Option<F>,
) -> Result<Json<BulkDone>, Problem>
where
    L: Future<Output = Result<Listing<T>, StoreError>>,
    F: Future<Output = (String, Done)> + Send + 'static,
{
    let began = Instant::now();
    let mut all = BulkDone {
        dry_run,
        ..BulkDone::default()
    };
    loop {
        let page = list(after).await?;
        let mut together = JoinSet::new();
        for action in page.items.into_iter().filter_map(&act) {
            together.spawn(action);
        }
        while let Some(ended) = together.join_next().await {
            let ended = ended.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR))?;
            all.add(ended)?;
        }
        after = page.next;
        if after.is_none() || began.elapsed() >= WORK_FOR {
            all.next = after;
            return Ok(Json(all));
        }
    }
}

impl BulkDone {
    fn add(&mut self, (name, done): (String, Done)) -> Result<(), Problem> {
        match done {
            Ok(kept) => {
                self.count += 1;
                if let Some(kept) = kept {
                    *self.kept.get_or_insert_default() += kept;
                }
            }
            Err(problem) if problem.status().is_server_error() => return Err(problem),
            Err(problem) => self.refused.push(Refused {
                name,
                text: problem.detail().unwrap_or_default().to_owned(),
            }),
        }
        Ok(())
    }
}

/// Returns `true` if the query asks for a dry run.
///
/// # Errors
///
/// Returns the refusal of a query that chooses nothing, so that nobody means all by mistake.
fn dry_run<P: Params>(query: &Query<P>) -> Result<bool, Problem> {
    let all = query.flag(ALL.name)? == Some(true);
    if query.chooses() || all {
        return Ok(query.flag(DRY_RUN.name)? == Some(true));
    }
    let detail = "say which, by a filter; or all of them, by all=true";
    Err(bad_parameter(detail.to_owned()))
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

/// Has all parked deliveries that fit processed anew.
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
