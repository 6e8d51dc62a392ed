//! Secrets of callbacks: what each has verified, and which of them made a signature. No answer has a secret in it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::projects::{ProjectPath, project_in, unknown_project};
use super::query::{Kind, Param, Params, Query};
use super::{Context, Shared};
use crate::clock;
use crate::http::problem::Problem;
use crate::metrics::SecretCount;
use number_order::{Id, Time};
use sinch_numbers::signature;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(show_secrets))
        .routes(routes!(verify_signature))
}

/// Secrets of a project as the operators' API shows them.
#[derive(Serialize, ToSchema)]
struct ProjectSecrets {
    /// Time of this answer.
    now: Time,
    /// Time from which on callbacks are counted: the start, or the last reload.
    since: Time,
    /// Secrets that are in force, in their order; none if callbacks need no signature.
    secrets: Vec<SecretCount>,
    /// Names of all processes that serve the project from a shared database, this one too; empty if it has its own.
    replicas: Vec<String>,
}

/// Returns the secrets that verify callbacks of a project, by their places, with what each has verified.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/secrets",
    tag = "projects",
    params(ProjectPath),
    responses(
        (status = 200, description = "The secrets, without their content", body = ProjectSecrets),
        (status = 404, description = "No such project is configured"),
    )
)]
async fn show_secrets(
    State(context): Shared,
    path: Result<Path<ProjectPath>, PathRejection>,
) -> Result<Json<ProjectSecrets>, Problem> {
    let project = project_in(path)?;
    in_force(&context, &project)?;
    let counts = context.metrics.secrets().counts_of(&project);
    let now = clock::now();
    Ok(Json(ProjectSecrets {
        now,
        since: context.metrics.counted_since(now),
        secrets: counts.unwrap_or_default(),
        replicas: context.store.serving(&project).await?,
    }))
}

/// Returns the secrets of a project that are in force.
fn in_force<'a>(context: &'a Context, project: &Id) -> Result<&'a [SecretString], Problem> {
    let secrets = context.settings.secrets.get(project);
    secrets.map(Vec::as_slice).ok_or_else(unknown_project)
}

/// A text with a signature. It stands in the query, so that it is recorded nowhere.
struct Signed;

impl Params for Signed {
    const PARAMS: &'static [Param] = &[
        Param::needed(
            "text",
            Kind::Text,
            "write what was signed, as a callback's body is",
        ),
        Param::needed(
            "signature",
            Kind::Text,
            "write the text's HMAC-SHA1 in 40 lower-case hex digits",
        ),
    ];
}

/// The secret that made a signature.
#[derive(Serialize, ToSchema)]
struct SigningSecret {
    /// Place of the secret in the configuration; `null`: none that is in force made the signature.
    secret: Option<String>,
}

/// Finds the secret that made a signature, as the callback listener does. So a client that knows a secret finds out that it is
/// in force, and sends it nowhere.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/secrets/verify",
    tag = "projects",
    params(ProjectPath, Query<Signed>),
    responses(
        (status = 200, description = "The secret, by its place", body = SigningSecret),
        (status = 404, description = "No such project is configured"),
    )
)]
async fn verify_signature(
    State(context): Shared,
    path: Result<Path<ProjectPath>, PathRejection>,
    query: Query<Signed>,
) -> Result<Json<SigningSecret>, Problem> {
    let project = project_in(path)?;
    let secrets = in_force(&context, &project)?;
    let [text, signature] = ["text", "signature"].map(|name| query.text(name).unwrap_or_default());
    let index = signature::verified_by(secrets, text.as_bytes(), signature.as_bytes());
    let counts = context.metrics.secrets().counts_of(&project);
    let secret = index.and_then(|index| Some(counts?.get(index)?.secret.clone()));
    Ok(Json(SigningSecret { secret }))
}
