//! Client of the journal of placements, which the running service keeps.

use std::time::Duration;

use number_order::{Id, Standing, StepKind, StepOutcome, Time};
use order_form::Form;
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sinch_numbers::api::Ordered;

use crate::commands::command_error::CommandError;
use crate::commands::operators;
use crate::config::Operators;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Client of the service's journal for one placement.
#[derive(Debug)]
pub(super) struct Journal {
    service: Operators,
    path: String,
}

/// Placement, as the service shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Placement {
    pub standing: Standing,
    pub steps: Vec<Step>,
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
pub(super) struct Begun {
    pub id: i64,
    pub callback_url: Option<String>,
}

impl Journal {
    pub fn new(service: Operators, project: &Id, reference: &str) -> Journal {
        let path = format!("/api/v1/placements/{project}/{reference}");
        Journal { service, path }
    }

    /// Records what the form orders, unless it is recorded already.
    pub async fn begin(&self, form: &Form) -> Result<Placement, CommandError> {
        let (number, quantity) = match form.numbers() {
            Ordered::Number(number) => (Some(number.as_str()), None),
            Ordered::Quantity(quantity) => (None, Some(quantity.requested_quantity)),
        };
        let ordered = json!({
            "region": form.region(),
            "type": form.number_type(),
            "number": number,
            "quantity": quantity,
        });
        self.send(Method::PUT, "", &ordered).await
    }

    pub async fn read(&self) -> Result<Placement, CommandError> {
        self.send(Method::GET, "", &Value::Null).await
    }

    /// Returns the placement; `None` if nothing was recorded.
    pub async fn find(&self) -> Result<Option<Placement>, CommandError> {
        let get = operators::find(&self.service, &self.path, TIMEOUT).await;
        let text = get.map_err(|reason| unusable(&reason))?;
        text.as_deref().map(read).transpose()
    }

    /// Records a step. Its request may be sent once this returns.
    pub async fn begin_step(
        &self,
        kind: &StepKind,
        available_before: Option<bool>,
        second_order_risked: bool,
    ) -> Result<Begun, CommandError> {
        let step = json!({
            "kind": kind,
            "available_before": available_before,
            "second_order_risked": second_order_risked,
        });
        self.send(Method::POST, "/steps", &step).await
    }

    pub async fn end_step(
        &self,
        step: i64,
        outcome: StepOutcome,
        order: Option<&Id>,
    ) -> Result<Placement, CommandError> {
        let end = json!({ "outcome": outcome, "order": order.map(Id::as_str) });
        self.send(Method::PATCH, &format!("/steps/{step}"), &end)
            .await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        below: &str,
        body: &Value,
    ) -> Result<T, CommandError> {
        let path = format!("{}{below}", self.path);
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let answer = operators::send(&self.service, method, &path, body, TIMEOUT).await;
        read(&answer.map_err(|reason| unusable(&reason))?)
    }
}

fn unusable(reason: &str) -> CommandError {
    CommandError::failure(format!("the service's journal cannot be used: {reason}"))
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, CommandError> {
    serde_json::from_str(text).map_err(|_| {
        CommandError::failure(
            "the service's answer is not that of a journal; is it of this version?",
        )
    })
}
