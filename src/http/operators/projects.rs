//! Operators' requests about a whole project.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::pretty_json::PrettyJson;
use super::{Context, Page, Shared, path_params};
use crate::http::problem::Problem;
use crate::store::{Holdings, Listing};
use number_order::Id;

/// Time for which one request to drop a project removes rows. The next request continues.
const DROP_FOR: Duration = Duration::from_secs(2);

/// Pause after each step of dropping a project, as a multiple of the step's duration. During the pause the writer is
/// free for others.
const PAUSE_FACTOR: u32 = 9;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list_projects))
        .routes(routes!(show_project))
        .routes(routes!(drop_project))
        .routes(routes!(resume_project))
}

/// Closes a project's circuit at once, because an operator has removed the cause. The project's fetches go on.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/resume",
    tag = "projects",
    params(ProjectPath),
    responses(
        (status = 202, description = "The circuit closes"),
        (status = 404, description = "No such project is configured"),
        (status = 409, description = "The project's orders are not fetched"),
    )
)]
async fn resume_project(
    State(context): Shared,
    path: Result<Path<ProjectPath>, PathRejection>,
) -> Result<StatusCode, Problem> {
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

/// Parameter of a path that names a project.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ProjectPath {
    /// Sinch's id of the project.
    project: Id,
}

/// Returns the project that a path names.
pub(super) fn project_in(path: Result<Path<ProjectPath>, PathRejection>) -> Result<Id, Problem> {
    Ok(path_params(path, unknown_project)?.project)
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

/// A project in the list.
#[derive(Serialize, ToSchema)]
struct ListedProject {
    /// Sinch's project id.
    project: String,
    /// `true` if the configuration has the project.
    configured: bool,
    /// `true` if its orders are fetched.
    fetched: bool,
}

/// Lists all projects: those of the configuration, and those of which the database has something.
#[utoipa::path(
    get,
    path = "/api/v1/projects",
    tag = "projects",
    responses((status = 200, description = "All projects", body = Page<ListedProject>))
)]
async fn list_projects(State(context): Shared) -> Result<PrettyJson<Page<ListedProject>>, Problem> {
    let configured = &context.settings.projects;
    let mut names: BTreeSet<String> = context.store.projects().await?.into_iter().collect();
    names.extend(configured.keys().map(Id::to_string));
    let items = names.into_iter().map(|project| {
        let api = Id::new(project.as_str()).and_then(|id| configured.get(&id));
        ListedProject {
            project,
            configured: api.is_some(),
            fetched: api.is_some_and(Option::is_some),
        }
    });
    let listing = Listing {
        items: items.collect(),
        unreadable: Vec::new(),
        next: None,
    };
    Ok(PrettyJson(listing.into()))
}

/// A project as the operators' API shows it.
#[derive(Serialize, ToSchema)]
struct Project {
    /// `true` if the configuration has the project.
    configured: bool,
    #[serde(flatten)]
    holdings: Holdings,
}

/// Returns the size of a project's holdings, which an operator should know before dropping them.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}",
    tag = "projects",
    params(ProjectPath),
    responses(
        (status = 200, description = "The project", body = Project),
        (status = 404, description = "The database has nothing of such a project"),
    )
)]
async fn show_project(
    State(context): Shared,
    path: Result<Path<ProjectPath>, PathRejection>,
) -> Result<Json<Project>, Problem> {
    let project = project_in(path)?;
    let holdings = context.store.holdings(&project).await?;
    Ok(Json(Project {
        configured: context.settings.projects.contains_key(&project),
        holdings: holdings.ok_or_else(nothing_stored)?,
    }))
}

/// Result of a request to drop a project: the holdings that it removed, and those that are left.
#[derive(Serialize, ToSchema)]
struct Dropped {
    removed: Holdings,
    left: Holdings,
}

/// Removes what is left of a project that is not configured. It removes some rows at a time, so that callbacks of other
/// projects do not wait. If rows are left after a while, the operator must send the request again.
#[utoipa::path(
    delete,
    path = "/api/v1/projects/{project}",
    tag = "projects",
    params(ProjectPath),
    responses(
        (status = 200, description = "What was removed in about two seconds, and what is left", body = Dropped),
        (status = 404, description = "The database has nothing of such a project"),
        (status = 409, description = "The project is configured"),
    )
)]
async fn drop_project(
    State(context): Shared,
    path: Result<Path<ProjectPath>, PathRejection>,
) -> Result<Json<Dropped>, Problem> {
    let project = project_in(path)?;
    if context.settings.projects.contains_key(&project) {
        let detail =
            "this project is configured: take it out of the configuration and restart first";
        return Err(Problem::with_detail(StatusCode::CONFLICT, detail));
    }
    if let Some(replica) = context.store.serving(&project).await?.first() {
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
        removed.quarantined += step.quarantined;
        removed.placements += step.placements;
        tokio::time::sleep(step_began.elapsed() * PAUSE_FACTOR).await;
    }
    let left = context.store.holdings(&project).await?.unwrap_or_default();
    let Holdings {
        orders,
        deliveries,
        quarantined,
        placements,
    } = removed;
    tracing::info!(%project, orders, deliveries, quarantined, placements, orders_left = left.orders, deliveries_left = left.deliveries, quarantined_left = left.quarantined, placements_left = left.placements, "dropped what was left of a project");
    Ok(Json(Dropped { removed, left }))
}

fn nothing_stored() -> Problem {
    Problem::with_detail(
        StatusCode::NOT_FOUND,
        "the database has nothing of such a project",
    )
}
