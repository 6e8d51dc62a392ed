//! Client of the journal of placements, which the running service keeps.

use std::rc::Rc;

use number_order::{CallbackKey, Id, Standing, StepKind, StepOutcome, Time};
use order_form::Form;
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sinch_numbers::api::Ordered as Numbers;

use super::service::Service;
use crate::commands::command_error::CommandError;
use crate::commands::operators::ServiceError;
use crate::store::Ordered;

/// Client of the service's journal for one placement.
pub(super) struct Journal {
    service: Rc<Service>,
    reference: String,
    path: String,
}

/// Placement, as the service shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Placement {
    #[serde(flatten)]
    pub ordered: Ordered,
    pub standing: Standing,
    pub steps: Vec<Step>,
}

/// Returns the numbers that a form orders.
pub(super) fn ordered_by(form: &Form) -> Ordered {
    let (number, quantity) = match form.numbers() {
        Numbers::Number(number) => (Some(number.as_str().to_owned()), None),
        Numbers::Quantity(quantity) => (None, Some(quantity.requested_quantity)),
    };
    Ordered {
        region: form.region().to_owned(),
        number_type: form.number_type().as_str().to_owned(),
        number,
        quantity,
    }
}

/// Returns the numbers as a person names them: "AU MOBILE, number = +61…".
fn named(ordered: &Ordered) -> String {
    let numbers = match (&ordered.number, ordered.quantity) {
        (Some(number), _) => format!("number = {number}"),
        (None, Some(quantity)) => format!("quantity = {quantity}"),
        (None, None) => "a number that the service has forgotten".to_owned(),
    };
    format!("{} {}, {numbers}", ordered.region, ordered.number_type)
}

/// Step of a placement.
#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub id: i64,
    pub kind: StepKind,
    pub begun_at: Time,
    pub outcome: Option<StepOutcome>,
    pub available_before: Option<bool>,
}

/// A step that was recorded, and whose request may be sent.
#[derive(Debug, Deserialize)]
pub(super) struct BegunStep {
    pub id: i64,
    pub callback_url: Option<String>,
}

impl Journal {
    pub fn new(service: Rc<Service>, project: &Id, reference: &str) -> Journal {
        Journal {
            service,
            reference: reference.to_owned(),
            path: format!("/api/v1/placements/{project}/{reference}"),
        }
    }

    /// Records what the form orders, unless it is recorded already.
    ///
    /// # Errors
    ///
    /// Fails if the reference stands for other numbers.
    pub async fn begin(&self, form: &Form) -> Result<Placement, CommandError> {
        let ordered = ordered_by(form);
        let body = json!(ordered).to_string();
        match self
            .service
            .send(Method::PUT, &self.path, body.as_bytes())
            .await
        {
            Ok(text) => read(&text),
            Err(error) if error.is_conflict() => {
                Err(self.reference_conflict(&self.read().await?.ordered))
            }
            Err(error) => Err(unusable(&error)),
        }
    }

    /// Returns the error of a form that no longer orders what its reference stands for.
    pub fn reference_conflict(&self, ordered: &Ordered) -> CommandError {
        CommandError::form(format!(
            "the reference {} stands for {}, and the form orders something else now: put that back, or give \
             the form another reference to order again",
            self.reference,
            named(ordered)
        ))
    }

    pub async fn read(&self) -> Result<Placement, CommandError> {
        let get = self.service.send(Method::GET, &self.path, &[]).await;
        read(&get.map_err(|error| unusable(&error))?)
    }

    /// Returns the placement; `None` if nothing was recorded.
    pub async fn find(&self) -> Result<Option<Placement>, CommandError> {
        let text = self.service.find(&self.path).await;
        let text = text.map_err(|error| unusable(&error))?;
        text.as_deref().map(read).transpose()
    }

    /// Records a create. Its request may be sent once this returns. `None`: the journal has another create by now, of
    /// another command. Where an answer of the service is lost, its callback key tells this create from those of other
    /// runs.
    pub async fn begin_create(
        &self,
        available_before: Option<bool>,
        second_order_risked: bool,
    ) -> Result<Option<BegunStep>, CommandError> {
        let key = CallbackKey::random(|below| fastrand::usize(..below));
        let step = json!({
            "kind": StepKind::Create,
            "available_before": available_before,
            "second_order_risked": second_order_risked,
            "callback_key": key,
        })
        .to_string();
        let path = format!("{}/steps", self.path);
        match self
            .service
            .send(Method::POST, &path, step.as_bytes())
            .await
        {
            Ok(text) => read(&text).map(Some),
            Err(error) if error.is_conflict() => Ok(None),
            Err(error) => Err(unusable(&error)),
        }
    }

    /// Records a step on an existing order. Its request may be sent once this returns.
    pub async fn begin_step(&self, kind: &StepKind) -> Result<BegunStep, CommandError> {
        let path = format!("{}/steps", self.path);
        let step = json!({ "kind": kind }).to_string();
        // A step that is recorded twice has one more line in the journal, and no other effect.
        let sent = self.service.send(Method::POST, &path, step.as_bytes());
        read(&sent.await.map_err(|error| unusable(&error))?)
    }

    pub async fn end_step(
        &self,
        step: i64,
        outcome: StepOutcome,
        order: Option<&Id>,
    ) -> Result<Placement, CommandError> {
        let path = format!("{}/steps/{step}", self.path);
        let end = json!({ "outcome": outcome, "order": order.map(Id::as_str) }).to_string();
        let sent = self.service.send(Method::PATCH, &path, end.as_bytes());
        read(&sent.await.map_err(|error| unusable(&error))?)
    }
}

/// Returns the error of a command whose request to the journal failed. A refusal because of what the journal records is
/// quoted as it is.
fn unusable(error: &ServiceError) -> CommandError {
    CommandError::service(if error.is_conflict() {
        error.to_string()
    } else {
        format!("the service's journal cannot be used: {error}")
    })
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, CommandError> {
    serde_json::from_str(text).map_err(|_| {
        CommandError::service(
            "the service's answer is not that of a journal; is it of this version?",
        )
    })
}
