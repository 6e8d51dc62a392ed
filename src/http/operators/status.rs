//! Whether the service is well, and how things stand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::figures::{API_FIGURES, FIGURES, Facts, Shown};
use super::readable::Readable;
use super::{Context, Shared, metrics};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::ConditionRow;
use crate::vitals::{ApiView, Failing};

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
    let mut workers = context.vitals.workers();
    for worker in context.vitals.silent_workers() {
        faults.push(match workers.remove(&worker).flatten() {
            Some(failing) => format!("worker {worker} does not get on: {}", failing.error),
            None => format!("worker {worker} is silent"),
        });
    }
    match faults.is_empty() {
        true => "ready\n".into_response(),
        false => {
            Problem::with_detail(StatusCode::SERVICE_UNAVAILABLE, faults.join("; ")).into_response()
        }
    }
}

/// How things stand: figures from the one list of them, and what is no figure.
#[derive(Serialize)]
struct Status<'a> {
    version: &'static str,
    #[serde(flatten)]
    figures: Shown<'a, Facts>,
    /// Orders that need attention: the most urgent of each kind.
    conditions: &'a [ConditionRow],
    api: BTreeMap<&'a str, ApiStatus<'a>>,
    /// What runs for good, each with what has failed since it last got on.
    workers: BTreeMap<String, Option<Failing>>,
}

/// How asking for a project goes.
#[derive(Serialize)]
struct ApiStatus<'a> {
    #[serde(flatten)]
    figures: Shown<'a, ApiView>,
    #[serde(flatten)]
    words: &'a ApiView,
}

async fn facts(context: &Context) -> Result<Facts, Problem> {
    let now = clock::now();
    let (store, deadlines) = (&context.store, &context.settings.deadlines);
    Ok(Facts {
        now,
        vitals: context.vitals.clone(),
        standing: store.standing(now, deadlines, CONDITIONS_MAX).await?,
    })
}

async fn status(State(context): Shared) -> Result<Response, Problem> {
    let facts = facts(&context).await?;
    let views = context.vitals.api_views();
    let api = views.iter().map(|(project, words)| {
        let figures = Shown {
            figures: API_FIGURES,
            facts: words,
        };
        (project.as_str(), ApiStatus { figures, words })
    });
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        figures: Shown {
            figures: FIGURES,
            facts: &facts,
        },
        conditions: &facts.standing.conditions,
        api: api.collect(),
        workers: context.vitals.workers(),
    };
    Ok(Readable(status).into_response())
}

async fn measure(State(context): Shared) -> Result<Response, Problem> {
    let text = metrics::text(&facts(&context).await?)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
