//! What retention keeps, and what of it is due to be pruned: by the periods in force, or by others that an operator tries.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::pretty_json::PrettyJson;
use super::query::{Kind, Param, Params, Query, bad_parameter};
use super::{Context, Shared};
use crate::clock;
use crate::explain::{coded_if_any, explained_if_any};
use crate::http::problem::Problem;
use crate::store::{KindReport, RetentionKind, RetentionPeriods, RowCount, StayReason};
use number_order::Time;

const DAY_SECS: f64 = 86_400.0;

/// Bounds of periods, as the configuration has them.
const PERIOD: Kind = Kind::Days(0.00001, 36_500.0);

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(show_retention))
}

/// Periods that are tried instead of those in force.
struct Tried;

impl Params for Tried {
    const PARAMS: &'static [Param] = &[
        Param::new("bodies_days", PERIOD, "period to try for raw bodies"),
        Param::new(
            "deliveries_days",
            PERIOD,
            "period to try for deliveries and fetches; not below bodies_days",
        ),
        Param::new(
            "parked_days",
            PERIOD,
            "period to try for parked deliveries; not below deliveries_days",
        ),
        Param::new(
            "quarantine_days",
            PERIOD,
            "period to try for the quarantine",
        ),
        Param::new(
            "events_days",
            PERIOD,
            "period to try for events and alerts about the service; where orders_days is less, that counts",
        ),
        Param::new(
            "orders_days",
            PERIOD,
            "period to try for closed orders and actions; not below parked_days",
        ),
    ];
}

/// What retention keeps, kind by kind.
#[derive(Serialize, ToSchema)]
struct Retention {
    /// Time of this answer.
    now: Time,
    items: Vec<RetentionItem>,
}

/// What retention keeps of one kind.
#[derive(Serialize, ToSchema)]
struct RetentionItem {
    kind: RetentionKind,
    /// Key in the configuration's section `[retention]` that has the kind's period.
    key: &'static str,
    /// Period by which this answer counts, in days.
    days: f64,
    /// Period in force, in days.
    days_in_force: f64,
    /// Rows that are kept.
    rows: RowCount,
    /// Rows that are removed or emptied once this period is in force: within a minute the retention worker begins.
    due: RowCount,
    /// Time from which the period of the row that came first counts; `null`: there is no row.
    oldest_at: Option<Time>,
    /// Why that row stays although its period is over; `null`: its period is not over, or the row is due.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = coded_if_any::<StayReason>)]
    stays: Option<StayReason>,
}

/// Returns what retention keeps of each kind, and how much of it is due to be removed; with parameters, how much would be by
/// other periods. Nothing is removed by this request.
#[utoipa::path(
    get,
    path = "/api/v1/retention",
    tag = "service",
    params(Query<Tried>),
    responses((status = 200, description = "Each kind with its period and what is due", body = Retention))
)]
async fn show_retention(
    State(context): Shared,
    query: Query<Tried>,
) -> Result<PrettyJson<Retention>, Problem> {
    let in_force = &context.settings.retention;
    let tried = tried(&query, in_force)?;
    let now = clock::now();
    let kinds = context.store.retention_report(&tried, now).await?;
    let item = |report: KindReport| RetentionItem {
        kind: report.kind,
        key: report.kind.key(),
        days: in_days(report.kind.period(&tried)),
        days_in_force: in_days(report.kind.period(in_force)),
        rows: report.rows,
        due: report.due,
        oldest_at: report.oldest_at,
        stays: report.stays,
    };
    let items = kinds.into_iter().map(item).collect();
    Ok(PrettyJson(Retention { now, items }))
}

/// Returns a period in days, as it is written: what floats add behind that is left out.
fn in_days(period: Duration) -> f64 {
    (period.as_secs_f64() / DAY_SECS * 1e9).round() / 1e9
}

/// Returns the periods in force, but for those that the query names.
///
/// # Errors
///
/// Returns the refusal of periods that the configuration could not have.
fn tried(query: &Query<Tried>, in_force: &RetentionPeriods) -> Result<RetentionPeriods, Problem> {
    let period = |name: &str, in_force: Duration| {
        let days = query.days(name)?;
        let period = days.map(|days| Duration::from_secs_f64(days * DAY_SECS));
        Ok::<_, Problem>(period.unwrap_or(in_force))
    };
    let orders = period("orders_days", in_force.orders)?;
    let tried = RetentionPeriods {
        bodies: period("bodies_days", in_force.bodies)?,
        deliveries: period("deliveries_days", in_force.deliveries)?,
        parked: period("parked_days", in_force.parked)?,
        quarantine: period("quarantine_days", in_force.quarantine)?,
        events: period("events_days", in_force.events)?.min(orders),
        orders,
    };
    for ((lower_name, lower), (name, upper)) in [
        (
            ("bodies_days", tried.bodies),
            ("deliveries_days", tried.deliveries),
        ),
        (
            ("deliveries_days", tried.deliveries),
            ("parked_days", tried.parked),
        ),
        (("parked_days", tried.parked), ("orders_days", tried.orders)),
    ] {
        if upper < lower {
            let lower = in_days(lower);
            return Err(bad_parameter(format!(
                "{name}: below {lower_name}; write {lower} or more, or a lower {lower_name} too"
            )));
        }
    }
    Ok(tried)
}
