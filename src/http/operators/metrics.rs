//! The same figures for monitoring, as OpenMetrics text.
//!
//! They are put together when asked for, so that nothing has to be kept in step. Labels are closed sets:
//! states, reasons, projects; never an order's id.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::order::Time;
use crate::store::Summary;
use crate::vitals::Vitals;

/// What the text is to be served as.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = [(&'static str, String); 1];

/// All figures, as text.
pub(super) fn text(
    vitals: &Vitals,
    summary: &Summary,
    now: Time,
) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("sinch_callbacks");
    for (name, help, value) in gauges(vitals, summary, now) {
        registry.register(name, help, ConstGauge::new(value));
    }
    let build = Family::<Labels, Gauge>::default();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    build.get_or_create(&[("version", version)]).set(1);
    registry.register("build_info", "What runs", build);

    let accepted = Family::<Labels, Counter>::default();
    for (kind, tally) in vitals.accepted_counts() {
        let labels = [("kind", kind.to_owned())];
        accepted.get_or_create(&labels).inc_by(tally.count);
    }
    registry.register("callbacks_accepted", "Callbacks answered 200", accepted);
    let refused = Family::<Labels, Counter>::default();
    for (reason, tally) in vitals.refused_counts() {
        let labels = [("reason", format!("{reason:?}").to_lowercase())];
        refused.get_or_create(&labels).inc_by(tally.count);
    }
    registry.register("callbacks_refused", "Requests not answered 200", refused);

    let dropped = Counter::<u64>::default();
    dropped.inc_by(vitals.log_lines_dropped());
    let help = "Lines of the log that nobody read in time";
    registry.register("log_lines_dropped", help, dropped);

    let orders = Family::<Labels, Gauge>::default();
    for count in &summary.orders_by_state {
        let labels = [("state", count.state.clone())];
        orders.get_or_create(&labels).set(count.orders);
    }
    registry.register(
        "orders",
        "Orders by state, provisional before confirmed",
        orders,
    );
    let failures = Family::<Labels, Gauge>::default();
    let paused = Family::<Labels, Gauge>::default();
    for (project, view) in vitals.api_views() {
        let labels = [("project", project)];
        failures.get_or_create(&labels).set(view.failures.into());
        let is_paused = view.paused_until.is_some().into();
        paused.get_or_create(&labels).set(is_paused);
    }
    let help = "Tries in a row that failed through the provider";
    registry.register("api_failures", help, failures);
    registry.register(
        "api_paused",
        "Whether asking for the project pauses",
        paused,
    );

    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn gauges(
    vitals: &Vitals,
    summary: &Summary,
    now: Time,
) -> [(&'static str, &'static str, f64); 16] {
    let age = |at: Option<Time>| at.map_or(0.0, |at| now.since(at).as_secs_f64());
    let convergence = &summary.convergence;
    let untold = convergence.untold as f64 / convergence.changes.max(1) as f64;
    let silent = vitals.silent_workers().len();
    [
        (
            "uptime_seconds",
            "Since the start",
            vitals.uptime().as_secs_f64(),
        ),
        (
            "oldest_news_age_seconds",
            "Age of the oldest delivery nobody has looked at",
            age(summary.oldest_news_at),
        ),
        (
            "orders_to_ask",
            "Orders that wait for an answer now",
            summary.orders_to_ask as f64,
        ),
        (
            "oldest_ask_age_seconds",
            "How long the first of them has waited",
            age(summary.oldest_ask_at),
        ),
        (
            "orders_unsettled",
            "Orders of which something is open",
            summary.orders_unsettled as f64,
        ),
        (
            "oldest_unsettled_age_seconds",
            "For how long something has been open about the first of them",
            age(summary.oldest_unsettled_at),
        ),
        (
            "orders_parked",
            "Orders nobody asks about any more",
            summary.orders_parked as f64,
        ),
        (
            "deliveries_waiting",
            "Deliveries nobody has looked at",
            summary.deliveries_waiting as f64,
        ),
        (
            "deliveries_parked",
            "Deliveries an operator must look at",
            summary.deliveries_parked as f64,
        ),
        (
            "convergence_p50_seconds",
            "Half of the last changes were confirmed within this",
            convergence.p50_secs,
        ),
        (
            "convergence_p90_seconds",
            "Nine in ten of the last changes were",
            convergence.p90_secs,
        ),
        (
            "convergence_untold_ratio",
            "Share of the last changes that no event had told of",
            untold,
        ),
        (
            "database_bytes",
            "Size of the database file",
            summary.database_bytes as f64,
        ),
        (
            "wal_bytes",
            "Size of its write-ahead log",
            summary.wal_bytes as f64,
        ),
        (
            "disk_free_bytes",
            "Bytes that are free on its disk",
            summary.disk_free_bytes as f64,
        ),
        (
            "silent_workers",
            "Workers that have not shown themselves lately",
            silent as f64,
        ),
    ]
}
