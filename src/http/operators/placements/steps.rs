//! Steps of a placement: a client records that one begins before it sends the request to Sinch, and its outcome afterwards.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use utoipa::openapi::{Schema, schema};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{PlacementPath, checked_reference, placement_in, unknown_placement};
use crate::clock;
use crate::explain::word;
use crate::http::operators::body::{JsonBody, Object, Property, read_body, unusable};
use crate::http::operators::projects::may_be_fetched;
use crate::http::operators::{Context, Shared, import, path_params, row_id};
use crate::http::problem::Problem;
use crate::store::{NewStep, PlacementRow, StepBegun, StepEnded, StepUpdate};
use number_order::{CallbackKey, Id, StepKind, StepOutcome};

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(begin_step))
        .routes(routes!(end_step))
}

fn unknown_step() -> Problem {
    let detail = "there is no such step of a placement";
    Problem::with_detail(StatusCode::NOT_FOUND, detail)
}

/// Request that the beginning of a step be recorded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::operators) struct BeginStep {
    #[schema(schema_with = step_kind)]
    kind: StepKind,
    /// Only of a create: `true` if the ordered number can be had now.
    available_before: Option<bool>,
    /// `true` if an operator accepts the risk of a second order.
    #[serde(default)]
    second_order_risked: bool,
    /// Only of a create: its callback key. The request can be repeated with it until it is answered.
    callback_key: Option<CallbackKey>,
}

/// Returns the schema of a kind of step: its code, and of a document its id.
fn step_kind() -> Schema {
    let plain = StepKind::VARIANTS.iter().copied();
    let plain = word(&plain.filter(|code| *code != "attach").collect::<Vec<_>>());
    let text = schema::Object::builder().schema_type(schema::Type::String);
    let object = || {
        let object = schema::Object::builder().schema_type(schema::Type::Object);
        object.required("code")
    };
    let fields = schema::Object::builder().schema_type(schema::Type::Object);
    let fields = fields.property("attachment", text).required("attachment");
    let attach = object().property("code", word(&["attach"]));
    let attach = attach.property("fields", fields).required("fields");
    let null = schema::Object::builder().schema_type(schema::Type::Null);
    schema::OneOf::builder()
        .item(object().property("code", plain).property("fields", null))
        .item(attach)
        .into()
}

impl Object for BeginStep {
    const PROPERTIES: &'static [Property] = &[
        Property {
            name: "kind",
            is_needed: true,
            values: "{\"code\": \"create\"}, or with the code \"register\" or \"submit\", or {\"code\": \"attach\", \
                     \"fields\": {\"attachment\": \"the document's id\"}}",
        },
        Property {
            name: "available_before",
            is_needed: false,
            values: "true or false, or leave it out",
        },
        Property {
            name: "second_order_risked",
            is_needed: false,
            values: "true or false, or leave it out",
        },
        Property {
            name: "callback_key",
            is_needed: false,
            values: "26 random lower-case letters and digits, or leave it out",
        },
    ];
}

/// Answer that the beginning of a step is recorded.
#[derive(Serialize, ToSchema)]
struct StepRecorded {
    /// Id of the step within the journal.
    id: i64,
    /// URL for callbacks about the order that the step creates; `null` if the step is no create, or if it is not known
    /// how Sinch reaches the service.
    callback_url: Option<String>,
}

/// Records that a step of a placement begins. Its request may be sent to Sinch once this is answered.
#[utoipa::path(
    post,
    path = "/api/v1/placements/{project}/{reference}/steps",
    tag = "placements",
    params(PlacementPath),
    request_body = BeginStep,
    responses(
        (status = 201, description = "The step is recorded, and its request may be sent", body = StepRecorded),
        (status = 404, description = "Nothing was placed under this reference, or no such project is configured"),
        (status = 409, description = "The step may not begin, or the project's orders are not fetched"),
    )
)]
async fn begin_step(
    State(context): Shared,
    path: Result<Path<PlacementPath>, PathRejection>,
    body: JsonBody,
) -> Result<(StatusCode, Json<StepRecorded>), Problem> {
    let (project, reference) = placement_in(path)?;
    may_be_fetched(&context, &project)?;
    let begin: BeginStep = read_body(body)?;
    let is_create = begin.kind == StepKind::Create;
    let key = is_create.then(|| {
        let random = || CallbackKey::random(|below| fastrand::usize(..below));
        begin.callback_key.unwrap_or_else(random)
    });
    let own_url = context.settings.callback_urls.get(&project);
    let callback_url = own_url.zip(key.as_ref());
    let callback_url = callback_url.map(|(url, key)| format!("{url}/{}", key.as_str()));
    let step = NewStep {
        project,
        reference,
        kind: begin.kind,
        available_before: begin.available_before.filter(|_| is_create),
        callback_key: key,
        second_order_risked: begin.second_order_risked,
        now: clock::now(),
    };
    match context.store.begin_step(step).await? {
        StepBegun::Begun(id) => Ok((StatusCode::CREATED, Json(StepRecorded { id, callback_url }))),
        StepBegun::Refused(refusal) => Err(Problem::with_detail(
            StatusCode::CONFLICT,
            refusal.to_string(),
        )),
        StepBegun::UnknownPlacement => Err(unknown_placement()),
    }
}

/// Request that the outcome of a step be recorded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::operators) struct EndStep {
    outcome: StepOutcome,
    /// Only of a create: the order that it made.
    order: Option<Id>,
}

impl Object for EndStep {
    const PROPERTIES: &'static [Property] = &[
        Property {
            name: "outcome",
            is_needed: true,
            values: "\"succeeded\", \"refused\", \"unknown\" or \"no-effect-seen\"",
        },
        Property {
            name: "order",
            is_needed: false,
            values: "the id of the order that the create made, or leave it out",
        },
    ];
}

/// Parameters of a path that names a step of a placement.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct StepPath {
    /// Sinch's id of the project.
    project: Id,
    /// Reference of the placement, from its form.
    #[param(pattern = "^[a-z0-9-]{1,64}$")]
    reference: String,
    /// Id of the step within the journal.
    #[serde(deserialize_with = "row_id::read")]
    step: i64,
}

/// Records the outcome of a placement's step. The service watches a created order from then on.
#[utoipa::path(
    patch,
    path = "/api/v1/placements/{project}/{reference}/steps/{step}",
    tag = "placements",
    params(StepPath),
    request_body = EndStep,
    responses(
        (status = 200, description = "The outcome is recorded", body = PlacementRow),
        (status = 404, description = "There is no such step"),
        (status = 409, description = "The step cannot have this outcome"),
    )
)]
async fn end_step(
    State(context): Shared,
    path: Result<Path<StepPath>, PathRejection>,
    body: JsonBody,
) -> Result<Json<PlacementRow>, Problem> {
    let StepPath {
        project,
        reference,
        step,
    } = path_params(path, unknown_step)?;
    let reference = checked_reference(reference)?;
    let end: EndStep = read_body(body)?;
    if let Some(order) = &end.order {
        import::named(order.as_str()).map_err(|why| unusable(format!("order: {why}")))?;
    }
    let update = StepUpdate {
        project: project.clone(),
        reference: reference.clone(),
        step,
        outcome: end.outcome,
        order: end.order,
        now: clock::now(),
    };
    match context.store.end_step(update).await? {
        StepEnded::Ended => {}
        StepEnded::Refused(refusal) => {
            let refusal = refusal.to_string();
            return Err(Problem::with_detail(StatusCode::CONFLICT, refusal));
        }
        StepEnded::UnknownStep => {
            let found = context.store.placement(&project, &reference).await?;
            let placement = found.ok_or_else(unknown_placement)?;
            let detail = format!("{} has no step {step}", placement.reference);
            return Err(unknown_step().detailed(detail));
        }
    }
    let found = context.store.placement(&project, &reference).await?;
    found.map(Json).ok_or_else(unknown_placement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::operators::body::tests::refused;

    #[test]
    fn what_is_no_step_is_refused_with_the_property_and_the_cure() {
        for (body, expected) in [
            ("{}", "kind: missing; write {"),
            (r#"{"kind": "create"}"#, "kind: write {"),
            (r#"{"kind": {"code": "buy"}}"#, "kind: write {"),
            (r#"{"kind": {"code": "attach"}}"#, "kind: write {"),
            (
                r#"{"kind": {"code": "submit"}, "available_before": 1}"#,
                "available_before: write true",
            ),
            (
                r#"{"kind": {"code": "submit"}, "second_order_risked": "x"}"#,
                "second_order_risked: write true",
            ),
            (
                r#"{"kind": {"code": "create"}, "callback_key": "A"}"#,
                "callback_key: write 26 random",
            ),
        ] {
            let said = refused::<BeginStep, _>(body, Ok).expect(body);
            assert!(
                said.contains(expected) && !said.contains("expected"),
                "{body}: {said}"
            );
        }
        for (body, expected) in [
            ("{}", "outcome: missing; write "),
            (r#"{"outcome": "done"}"#, "outcome: write "),
            (
                r#"{"outcome": "succeeded", "order": "a/b"}"#,
                "order: write the id",
            ),
            (
                r#"{"outcome": "succeeded", "name": "x"}"#,
                "there is no such property; write outcome, order",
            ),
        ] {
            let said = refused::<EndStep, _>(body, Ok).expect(body);
            assert!(
                said.contains(expected) && !said.contains("expected"),
                "{body}: {said}"
            );
        }
    }

    /// Tests that the cures name every word of the lists.
    #[test]
    fn every_word_of_a_step_is_named_by_its_cure() {
        let (kind, outcome) = (
            BeginStep::PROPERTIES[0].values,
            EndStep::PROPERTIES[0].values,
        );
        for (values, words) in [(kind, StepKind::VARIANTS), (outcome, StepOutcome::VARIANTS)] {
            for word in words {
                assert!(values.contains(&format!("\"{word}\"")), "{values}");
            }
        }
    }
}
