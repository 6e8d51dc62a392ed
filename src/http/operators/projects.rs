//! Operators' requests about a whole project.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

use super::{Context, Shared, path_params, project_id};
use crate::http::problem::Problem;
use crate::store::Holdings;
use number_order::Id;

/// Time for which one request to drop a project removes rows. The next request continues.
const DROP_FOR: Duration = Duration::from_secs(2);

/// Pause after each step of dropping a project, as a multiple of the step's duration. During the pause the writer is
/// free for others.
const PAUSE_FACTOR: u32 = 9;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route(
            "/api/v1/projects/{project}",
            get(show_project).delete(drop_project),
        )
        .route("/api/v1/projects/{project}/resume", post(resume))
}

/// Closes a project's circuit at once, because an operator has removed the cause. The project's fetches go on.
async fn resume(State(context): Shared, path: ProjectPath) -> Result<StatusCode, Problem> {
    match context.settings.projects.get(&project_in(path)?) {
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
    let detail = "orders of this project are not fetched: it says api = \"off\"";
    Problem::with_detail(StatusCode::CONFLICT, detail)
}

/// Refuses a project whose orders are not fetched, so that no response promises a fetch that is never sent.
pub(super) fn may_be_fetched(context: &Context, project: &Id) -> Result<(), Problem> {
    match context.settings.projects.get(project) {
        Some(Some(_)) => Ok(()),
        Some(None) => Err(api_off()),
        None => Err(unknown_project()),
    }
}

/// Parameters of a request's path that names a project.
pub(super) type ProjectPath = Result<Path<String>, PathRejection>;

pub(super) fn project_in(path: ProjectPath) -> Result<Id, Problem> {
    project_id(path_params(path, unknown_project)?)
}

/// Refuses a mistyped project, to distinguish it from one that has nothing to list. A project that is no longer
/// configured may have something.
pub(super) async fn must_be_known(context: &Context, project: &Id) -> Result<(), Problem> {
    let is_configured = context.settings.projects.contains_key(project);
    if is_configured || context.store.knows(project).await? {
        return Ok(());
    }
    Err(unknown_project())
}

/// A project as the operators' API shows it.
#[derive(Serialize)]
struct Project {
    /// `true` if the configuration has the project.
    configured: bool,
    #[serde(flatten)]
    holdings: Holdings,
}

/// Returns the size of a project's holdings, which an operator should know before dropping them.
async fn show_project(State(context): Shared, path: ProjectPath) -> Result<Json<Project>, Problem> {
    let project = project_in(path)?;
    let holdings = context.store.holdings(&project).await?;
    Ok(Json(Project {
        configured: context.settings.projects.contains_key(&project),
        holdings: holdings.ok_or_else(nothing_stored)?,
    }))
}

/// Result of a request to drop a project: the holdings that it removed, and those that are left.
#[derive(Serialize)]
struct Dropped {
    removed: Holdings,
    left: Holdings,
}

/// Removes what is left of a project that is not configured. It removes some rows at a time, so that callbacks of other
/// projects do not wait. If rows are left after a while, the operator must send the request again.
async fn drop_project(State(context): Shared, path: ProjectPath) -> Result<Json<Dropped>, Problem> {
    let project = project_in(path)?;
    if context.settings.projects.contains_key(&project) {
        let detail =
            "this project is configured: take it out of the configuration and restart first";
        return Err(Problem::with_detail(StatusCode::CONFLICT, detail));
    }
    if let Some(replica) = context.store.served_by(&project).await? {
        let detail = format!(
            "replica {replica} serves this project: take it out of the configuration of every replica, and restart them, first"
        );
        return Err(Problem::with_detail(StatusCode::CONFLICT, detail));
    }
    if context.store.holdings(&project).await?.is_none() {
        return Err(nothing_stored());
    }
    let began = Instant::now();
    let mut removed = Holdings::default();
    while began.elapsed() < DROP_FOR {
        let step_began = Instant::now();
        let step = context.store.drop_some(project.clone()).await?;
        if step == Holdings::default() {
            break;
        }
        removed.orders += step.orders;
        removed.deliveries += step.deliveries;
        removed.placements += step.placements;
        tokio::time::sleep(step_began.elapsed() * PAUSE_FACTOR).await;
    }
    let left = context.store.holdings(&project).await?.unwrap_or_default();
    let Holdings {
        orders,
        deliveries,
        placements,
    } = removed;
    tracing::info!(%project, orders, deliveries, placements, orders_left = left.orders, deliveries_left = left.deliveries, placements_left = left.placements, "dropped what was left of a project");
    Ok(Json(Dropped { removed, left }))
}

fn nothing_stored() -> Problem {
    Problem::with_detail(
        StatusCode::NOT_FOUND,
        "the database has nothing of such a project",
    )
}
