//! Callbacks that were refused and are perhaps genuine: they are listed, judged again, and dismissed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{JsonBody, Object, Property, read_body};
use super::pretty_json::PrettyJson;
use super::projects::must_be_known;
use super::query::{Kind, LIMIT, Param, Params, Query, SORT, since, until};
use super::{Context, Page, Shared, path_params, row_id};
use crate::http::problem::Problem;
use crate::http::reverify::{Refused, judge};
use crate::store::{Accepted, NewDelivery, QuarantineFilter, QuarantineReason, QuarantineRow};
use number_order::Id;

/// Time after which a request to judge callbacks again answers, so that no caller waits long for it.
const REVERIFY_FOR: Duration = Duration::from_secs(2);

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list_quarantine))
        .routes(routes!(reverify))
        .routes(routes!(dismiss_quarantined))
}

/// Parameters by which the quarantine can be listed.
struct QuarantineList;

impl Params for QuarantineList {
    const PARAMS: &'static [Param] = &[
        Param::new("project", Kind::Id, "to the path of this project"),
        Param::new(
            "reason",
            Kind::Words(|| QuarantineReason::VARIANTS.to_vec()),
            "refused for this reason",
        ),
        since("first received at this time or later"),
        until("first received before this time"),
        SORT,
        LIMIT,
        Param::after("^q[0-9a-f]{16}$"),
    ];
}

/// Lists callbacks that were refused and are perhaps genuine.
#[utoipa::path(
    get,
    path = "/api/v1/quarantine",
    tag = "deliveries",
    params(Query<QuarantineList>),
    responses(
        (status = 200, description = "A page of the quarantine", body = Page<QuarantineRow>),
        (status = 404, description = "The project is not known"),
    )
)]
async fn list_quarantine(
    State(context): Shared,
    query: Query<QuarantineList>,
) -> Result<PrettyJson<Page<QuarantineRow>>, Problem> {
    let reason = query.word("reason")?;
    let [since, until] = query.period()?;
    let filter = QuarantineFilter {
        project: query.id("project")?,
        reason: reason.and_then(|code| code.parse().ok()),
        since,
        until,
        newest_first: query.newest_first()?,
        after: query.after(),
        limit: query.limit()?,
    };
    if let Some(project) = &filter.project {
        must_be_known(&context, project).await?;
    }
    Ok(PrettyJson(context.store.quarantined(&filter).await?.into()))
}

/// Body of a request to judge callbacks again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReverifyRequest {
    /// `true`: count what would be admitted; `false`: admit it.
    dry_run: bool,
    /// Project whose callbacks alone are judged.
    project: Option<Id>,
    /// Reason for which the callbacks were refused that alone are judged.
    reason: Option<QuarantineReason>,
    /// Where to go on: the `next` of the answer before.
    after: Option<i64>,
}

impl Object for ReverifyRequest {
    const PROPERTIES: &'static [Property] = &[
        Property {
            name: "dry_run",
            is_needed: true,
            values: "true to count what would be admitted, false to admit it",
        },
        Property {
            name: "project",
            is_needed: false,
            values: "the id of a project, to judge its callbacks only",
        },
        Property {
            name: "reason",
            is_needed: false,
            values: "wrong-signature or unknown-source, to judge those callbacks only",
        },
        Property {
            name: "after",
            is_needed: false,
            values: "the next of the answer before, to go on there",
        },
    ];
}

/// What became of callbacks that were judged again.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Reverified {
    /// Callbacks that are in the inbox now; in a dry run, that would be.
    admitted: u64,
    /// Callbacks that were in the inbox already.
    duplicates: u64,
    /// Callbacks that stay, by the reason for which they are still refused.
    refused: Counts,
    dry_run: bool,
    /// Where the next request goes on; `null`: all were judged.
    next: Option<i64>,
}

/// Callbacks that stay, by the reason for which they are still refused.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = StillRefused)]
struct Counts {
    /// Their signature is missing, or by none of the project's secrets.
    wrong_signature: u64,
    /// Their source is not allowed.
    unknown_source: u64,
    /// Their project is not configured.
    not_configured: u64,
}

impl Reverified {
    fn refuse(&mut self, reason: Refused) {
        let count = match reason {
            Refused::WrongSignature => &mut self.refused.wrong_signature,
            Refused::UnknownSource => &mut self.refused.unknown_source,
            Refused::NotConfigured => &mut self.refused.not_configured,
        };
        *count += 1;
    }

    fn count(&mut self, accepted: &[Option<Accepted>]) {
        for accepted in accepted.iter().flatten() {
            match accepted {
                Accepted::New | Accepted::Conflict => self.admitted += 1,
                Accepted::Duplicate => self.duplicates += 1,
            }
        }
    }
}

/// Judges callbacks of the quarantine by the configuration as it is now, and admits those that pass both checks, some at a
/// time, so that callbacks do not wait. If some are left after a while, the operator must send another request.
#[utoipa::path(
    post,
    path = "/api/v1/quarantine/reverify",
    tag = "deliveries",
    request_body = ReverifyRequest,
    responses(
        (status = 200, description = "What became of them, or would", body = Reverified),
        (status = 404, description = "The project is not known"),
    )
)]
async fn reverify(State(context): Shared, body: JsonBody) -> Result<Json<Reverified>, Problem> {
    let request: ReverifyRequest = read_body(body)?;
    let (project, reason) = (request.project, request.reason);
    if let Some(project) = &project {
        must_be_known(&context, project).await?;
    }
    let began = Instant::now();
    let mut done = Reverified {
        dry_run: request.dry_run,
        next: Some(request.after.unwrap_or(0)),
        ..Reverified::default()
    };
    while began.elapsed() < REVERIFY_FOR
        && let Some(after) = done.next
    {
        let store = &context.store;
        let part = store
            .quarantine_part(after, project.as_ref(), reason)
            .await?;
        let mut genuine: Vec<(i64, NewDelivery)> = Vec::new();
        for callback in part.rows {
            let id = callback.id;
            match judge(&context.settings.callbacks, callback) {
                Ok(delivery) => genuine.push((id, delivery)),
                Err(reason) => done.refuse(reason),
            }
        }
        if request.dry_run {
            done.admitted += genuine.len() as u64;
        } else if !genuine.is_empty() {
            done.count(&store.admit(genuine).await?);
        }
        done.next = part.last;
    }
    if !request.dry_run {
        let Reverified {
            admitted,
            duplicates,
            refused,
            ..
        } = &done;
        let (wrong_signature, unknown_source) = (refused.wrong_signature, refused.unknown_source);
        tracing::info!(
            admitted,
            duplicates,
            wrong_signature,
            unknown_source,
            "judged the quarantine anew"
        );
    }
    Ok(Json(done))
}

fn unknown() -> Problem {
    let what = "there is no such callback in the quarantine";
    Problem::with_detail(StatusCode::NOT_FOUND, what)
}

/// Parameter of a path that names a callback in the quarantine.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct CallbackPath {
    /// Id of the callback.
    #[serde(deserialize_with = "row_id::read")]
    callback: i64,
}

/// Removes a callback from the quarantine: an operator has seen that it is none.
#[utoipa::path(
    post,
    path = "/api/v1/quarantine/{callback}/dismiss",
    tag = "deliveries",
    params(CallbackPath),
    responses(
        (status = 204, description = "The callback is not in the quarantine any more"),
        (status = 404, description = "There is no such callback in the quarantine"),
    )
)]
async fn dismiss_quarantined(
    State(context): Shared,
    path: Result<Path<CallbackPath>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let CallbackPath { callback } = path_params(path, unknown)?;
    if !context.store.dismiss_quarantined(callback).await? {
        return Err(unknown());
    }
    tracing::info!(
        callback,
        "an operator dismissed a callback of the quarantine"
    );
    Ok(StatusCode::NO_CONTENT)
}
