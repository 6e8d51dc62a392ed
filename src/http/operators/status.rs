//! Whether the service is well, and how things stand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

use super::{Context, Shared, id, metrics, path};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::{ConditionRow, Summary, Which};
use crate::vitals::{ApiView, Count, Refusal};

/// How long a write may take before the database counts as stuck.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// The most orders of a kind that the status shows as needing attention.
const CONDITIONS_MAX: u32 = 20;

/// Open to whoever can connect.
pub(super) fn health() -> Router<Arc<Context>> {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/status", get(status))
        .route("/metrics", get(measure))
        .route("/api/v1/projects/{project}/resume", post(resume))
}

/// Whether callbacks can be taken. That Sinch's API is down is no reason to send them elsewhere.
async fn ready(State(context): Shared) -> Response {
    let mut faults = Vec::new();
    if context.vitals.is_draining() {
        faults.push("draining".to_owned());
    }
    faults.extend(context.store.little_space().map(|error| error.to_string()));
    let write = context.store.beat(clock::now());
    match tokio::time::timeout(WRITE_TIMEOUT, write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => faults.push(error.to_string()),
        Err(_) => faults.push("the database does not answer".to_owned()),
    }
    for worker in context.vitals.silent_workers() {
        faults.push(format!("worker {worker} is silent"));
    }
    match faults.is_empty() {
        true => "ready\n".into_response(),
        false => {
            Problem::with_detail(StatusCode::SERVICE_UNAVAILABLE, faults.join("; ")).into_response()
        }
    }
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    uptime_secs: u64,
    draining: bool,
    /// By how much the time of day was set since the start; a restart follows it.
    clock_set_by_secs: i64,
    #[serde(flatten)]
    summary: Summary,
    /// Orders that need attention: the most urgent of each kind.
    conditions: Vec<ConditionRow>,
    callbacks_accepted: BTreeMap<&'static str, Count>,
    callbacks_refused: BTreeMap<Refusal, Count>,
    api: BTreeMap<String, ApiView>,
    silent_workers: Vec<String>,
    /// Lines of the log that nobody read in time.
    log_lines_dropped: u64,
}

async fn status(State(context): Shared) -> Result<Json<Status>, Problem> {
    let vitals = &context.vitals;
    let (now, deadlines) = (clock::now(), &context.settings.deadlines);
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_secs: vitals.uptime().as_secs(),
        draining: vitals.is_draining(),
        clock_set_by_secs: clock::set_by_secs(),
        summary: context.store.summary(now).await?,
        conditions: context
            .store
            .conditions(now, deadlines, Which::All, CONDITIONS_MAX)
            .await?,
        callbacks_accepted: vitals.accepted_counts(),
        callbacks_refused: vitals.refused_counts(),
        api: vitals.api_views(),
        silent_workers: vitals.silent_workers(),
        log_lines_dropped: vitals.log_lines_dropped(),
    }))
}

async fn measure(State(context): Shared) -> Result<Response, Problem> {
    let now = clock::now();
    let summary = context.store.summary(now).await?;
    let text = metrics::text(&context.vitals, &summary, now)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

/// An operator has seen to the trouble: asking for the project goes on at once.
async fn resume(
    State(context): Shared,
    asked: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    match context.settings.projects.get(&id(path(asked)?)?) {
        Some(Some(resume)) => {
            resume.notify_one();
            Ok(StatusCode::ACCEPTED)
        }
        Some(None) => Err(api_off()),
        None => Err(unknown_project()),
    }
}

pub(super) fn unknown_project() -> Problem {
    Problem::with_detail(StatusCode::NOT_FOUND, "no such project is configured")
}

pub(super) fn api_off() -> Problem {
    let detail = "Sinch is not asked for this project: it says api = \"off\"";
    Problem::with_detail(StatusCode::CONFLICT, detail)
}
