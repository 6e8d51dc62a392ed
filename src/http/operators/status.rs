//! Health of the service, and its state in figures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, OneOf, Ref, Schema, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::figures::{FigureMap, FigureSource};
use super::pretty_json::PrettyJson;
use super::targets::{self, InWords, TargetView};
use super::{Context, Shared, metrics};
use crate::clock;
use crate::http::problem::Problem;
use crate::metrics::{ApiView, Failing, SecretView};
use crate::store::{AlertRow, ServiceAlertRow};

/// Maximum time for a write before the database counts as stuck.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum number of orders that `/status` shows for each kind of alert.
const ALERTS_MAX: u32 = 20;

/// Returns the routes of the health checks, which are open to every caller that can connect.
pub(super) fn health() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(show_liveness))
        .routes(routes!(show_readiness))
}

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(show_status))
        .routes(routes!(show_metrics))
        .routes(routes!(show_configuration))
}

/// Reports that the process answers.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "health",
    responses((status = 200, description = "The process answers", body = String, content_type = "text/plain"))
)]
async fn show_liveness() -> &'static str {
    "alive\n"
}

/// Reports whether callbacks can be accepted. An outage of Sinch's API is no reason to send them elsewhere.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses(
        (status = 200, description = "Callbacks are accepted", body = String, content_type = "text/plain"),
        (status = 503, description = "Callbacks cannot be accepted; the detail is the reason"),
    )
)]
async fn show_readiness(State(context): Shared) -> Response {
    let mut faults = Vec::new();
    if context.metrics.is_draining() {
        faults.push("draining".to_owned());
    }
    faults.extend(context.store.shortage().map(|error| error.to_string()));
    let write = context.store.probe_write(clock::now());
    match tokio::time::timeout(WRITE_TIMEOUT, write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => faults.push(error.to_string()),
        Err(_) => faults.push("the database does not answer".to_owned()),
    }
    let mut workers = context.metrics.workers();
    for worker in context.metrics.silent_workers() {
        faults.push(match workers.remove(&worker).flatten() {
            Some(failing) => format!("worker {worker} does not get on: {}", failing.error),
            None => format!("worker {worker} is silent"),
        });
    }
    if faults.is_empty() {
        "ready\n".into_response()
    } else {
        Problem::with_detail(StatusCode::SERVICE_UNAVAILABLE, faults.join("; ")).into_response()
    }
}

type ServiceFigures = FigureMap<'static, FigureSource>;
type ApiFigures = FigureMap<'static, ApiView>;
type SecretFigures = FigureMap<'static, SecretView>;
type TargetFigures = FigureMap<'static, TargetView>;

/// State of the service as `/status` answers it: the figures that `/metrics` has too, and values that are no figures.
#[derive(Serialize, ToSchema)]
struct Status<'a> {
    version: &'static str,
    #[serde(flatten)]
    #[schema(value_type = ServiceFigures)]
    figures: FigureMap<'a, FigureSource>,
    /// Orders that need attention: the most urgent of each kind.
    alerts: &'a [AlertRow],
    /// Alerts about the service that fire, the oldest first.
    service_alerts: &'a [ServiceAlertRow],
    api: BTreeMap<&'a str, ApiStatus<'a>>,
    /// Secrets that Sinch has for callbacks, by project, where they are compared with the project's.
    secrets: BTreeMap<&'a str, SecretStatus<'a>>,
    targets: BTreeMap<&'a str, TargetStatus<'a>>,
    /// Workers, each with its failures since its last success.
    #[schema(schema_with = workers)]
    workers: BTreeMap<String, Option<Failing>>,
}

fn workers() -> Object {
    let null = Object::builder().schema_type(Type::Null);
    let failing = Ref::from_schema_name("Failing");
    let worker = OneOf::builder().item(null).item(failing).build();
    Object::builder()
        .schema_type(Type::Object)
        .additional_properties(Some(Schema::from(worker)))
        .build()
}

/// State of the fetches for one project, as `/status` answers it.
#[derive(Serialize, ToSchema)]
struct ApiStatus<'a> {
    #[serde(flatten)]
    #[schema(value_type = ApiFigures)]
    figures: FigureMap<'a, ApiView>,
    #[serde(flatten)]
    texts: &'a ApiView,
}

/// Secret that Sinch has for one project's callbacks, as `/status` answers it.
#[derive(Serialize, ToSchema)]
struct SecretStatus<'a> {
    #[serde(flatten)]
    #[schema(value_type = SecretFigures)]
    figures: FigureMap<'a, SecretView>,
    #[serde(flatten)]
    texts: &'a SecretView,
}

/// A target of notifications, as `/status` answers it.
#[derive(Serialize, ToSchema)]
struct TargetStatus<'a> {
    #[serde(flatten)]
    #[schema(value_type = TargetFigures)]
    figures: FigureMap<'a, TargetView>,
    /// Reasons for which an operator should see to the target.
    attention: Vec<InWords>,
}

async fn figure_source(context: &Context) -> Result<FigureSource, Problem> {
    let now = clock::now();
    let (store, deadlines) = (&context.store, &context.settings.deadlines);
    let mut standing = store.standing(now, deadlines, ALERTS_MAX).await?;
    let targets = std::mem::take(&mut standing.targets).into_iter();
    Ok(FigureSource {
        now,
        metrics: context.metrics.clone(),
        targets: targets.map(|row| TargetView { now, row }).collect(),
        standing,
    })
}

/// Returns the state of the service: counts, queues, refusals, and what needs an operator.
#[utoipa::path(
    get,
    path = "/status",
    tag = "service",
    responses((status = 200, description = "The state of the service", body = Status))
)]
async fn show_status(State(context): Shared) -> Result<Response, Problem> {
    let source = figure_source(&context).await?;
    let views = context.metrics.api_views();
    let api = views.iter().map(|(project, texts)| {
        let figures = FigureMap(texts);
        (project.as_str(), ApiStatus { figures, texts })
    });
    let secret_views = context.metrics.secrets().views();
    let secrets = secret_views.iter().map(|(project, texts)| {
        let figures = FigureMap(texts);
        (project.as_str(), SecretStatus { figures, texts })
    });
    let targets = source.targets.iter().map(|view| {
        let figures = FigureMap(view);
        let attention = targets::attention(&view.row);
        (view.row.name.as_str(), TargetStatus { figures, attention })
    });
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        figures: FigureMap(&source),
        alerts: &source.standing.alerts,
        service_alerts: &source.standing.service_alerts,
        api: api.collect(),
        secrets: secrets.collect(),
        targets: targets.collect(),
        workers: context.metrics.workers(),
    };
    Ok(PrettyJson(status).into_response())
}

/// The configuration in force.
#[derive(Serialize, ToSchema)]
struct Configuration<'a> {
    /// Each key with its `value` in TOML (`null`: not set), its `source` and the `place` there.
    settings: &'a Value,
}

/// Returns the configuration in force, as the start or the last reload read it. A secret is `(hidden)`.
#[utoipa::path(
    get,
    path = "/api/v1/configuration",
    tag = "service",
    responses((status = 200, description = "The configuration", body = Configuration))
)]
async fn show_configuration(State(context): Shared) -> Response {
    let settings = &context.settings.configuration;
    PrettyJson(Configuration { settings }).into_response()
}

/// Returns the figures of the status for Prometheus and similar systems.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses(
        (status = 200, description = "The figures", content(
            (String = "application/openmetrics-text"),
            (String = "text/plain"),
        )),
    )
)]
async fn show_metrics(State(context): Shared, headers: HeaderMap) -> Result<Response, Problem> {
    let form = metrics::Form::accepted(&headers);
    let text = metrics::text(&figure_source(&context).await?, form)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(([(header::CONTENT_TYPE, form.content_type())], text).into_response())
}
