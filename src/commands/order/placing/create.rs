//! Creating the order, at most once.

use std::time::Duration;

use number_order::{Id, Standing, StepKind, StepOutcome, judge_lost_create};
use sinch_numbers::api::{Failure, Ordered, PhoneNumber, Repeat};

use super::Placing;
use super::journal::{Placement, Step};
use super::patience::patiently;
use crate::clock;
use crate::commands::command_error::CommandError;

/// Pause between two looks at the journal, while a create may still be under way.
const LOOK: Duration = Duration::from_millis(250);

/// Maximum number of creates in one run. A create is repeated only if the one before had no effect.
const CREATES_MAX: u32 = 3;

/// Result of creating an order.
pub(super) enum Created {
    /// There is an order.
    Order(Id),
    /// An order may exist, and nothing shows if it does.
    MayBe,
}

impl Placing {
    /// Creates the order unless one exists or may exist. With `second_order_risked`, creates it although one may exist.
    pub(super) async fn create(&self, second_order_risked: bool) -> Result<Created, CommandError> {
        let mut placement = self.journal.begin(&self.file.form).await?;
        let mut requested = 0;
        loop {
            if requested == CREATES_MAX {
                return Err(CommandError::failure(
                    "Sinch does not take the order: every answer was lost, and no order was seen; try again later",
                ));
            }
            placement = match &placement.standing {
                Standing::Created { order } => return Ok(Created::Order(order.clone())),
                Standing::CreatedSeveral { orders } => {
                    self.follower.say(&placement.standing.to_string());
                    return orders.last().cloned().map(Created::Order).ok_or_else(|| {
                        CommandError::failure(
                            "the journal names no order; is the service of this version?",
                        )
                    });
                }
                Standing::NotCreated => {
                    requested += 1;
                    match self.request(&placement, false).await? {
                        Some(placement) => placement,
                        None => return Ok(Created::MayBe),
                    }
                }
                Standing::MayBeCreated { step } => {
                    let open = placement.steps.iter().find(|known| known.id == *step);
                    match self.find_out(open).await? {
                        Some(placement) => placement,
                        None if second_order_risked => {
                            match self.request(&placement, true).await? {
                                Some(placement) => placement,
                                None => return Ok(Created::MayBe),
                            }
                        }
                        None => return Ok(Created::MayBe),
                    }
                }
            };
        }
    }

    /// Requests a create, and returns the placement with its outcome; `None` if an earlier create may have taken the
    /// number.
    async fn request(
        &self,
        before: &Placement,
        second_order_risked: bool,
    ) -> Result<Option<Placement>, CommandError> {
        let number = self.number();
        let available = match number {
            Some(number) => Some(self.is_available(number).await?),
            None => None,
        };
        // A create that was taken to have no effect, or has no known outcome, may be the one that has the number.
        let may_be_taken_by_us = before.steps.iter().any(|step| {
            step.kind == StepKind::Create && step.outcome != Some(StepOutcome::Refused)
        });
        if available == Some(false) {
            if may_be_taken_by_us {
                return Ok(None);
            }
            return Err(CommandError::failure(
                "the number cannot be had: it is taken or reserved, or there is no such number; `order search` finds others",
            ));
        }
        let kind = StepKind::Create;
        let begun = self
            .journal
            .begin_step(&kind, available, second_order_risked)
            .await?;
        if begun.callback_url.is_none() {
            self.follower.say("callbacks.public_url is not set: the order has no callback URL, and is followed by fetches alone");
        }
        let order = self.file.form.new_order(begun.callback_url);
        let (outcome, order, refusal) = match self.follower.client.create_order(&order).await {
            Ok(answer) => match answer.content.id_number_order.text().and_then(Id::new) {
                Some(order) => (StepOutcome::Succeeded, Some(order), None),
                None => (StepOutcome::Unknown, None, None),
            },
            Err(error) if error.repeat() == Repeat::FindOutFirst => {
                self.follower.say(&error.told().to_string());
                (StepOutcome::Unknown, None, None)
            }
            Err(error) => (StepOutcome::Refused, None, Some(error)),
        };
        let placement = self
            .journal
            .end_step(begun.id, outcome, order.as_ref())
            .await?;
        match refusal {
            Some(error) if may_be_taken_by_us => {
                self.follower.say(&error.told().to_string());
                Ok(None)
            }
            Some(error) => Err(error.into()),
            None => Ok(Some(placement)),
        }
    }

    /// Finds out what became of a create that has no known outcome. Returns the placement with the outcome found;
    /// `None` if it stays unknown.
    ///
    /// Another run, or Sinch, may still be working on the create, so the availability of the number counts only after
    /// the time for which a request may last.
    async fn find_out(&self, open: Option<&Step>) -> Result<Option<Placement>, CommandError> {
        let Some(open) = open else { return Ok(None) };
        self.follower
            .say("an earlier create has no known outcome: finding out");
        let wait = self
            .follower
            .request_timeout
            .saturating_sub(clock::now().since(open.begun_at));
        let until = tokio::time::Instant::now() + wait;
        loop {
            let placement = self.journal.read().await?;
            if placement.standing != (Standing::MayBeCreated { step: open.id }) {
                return Ok(Some(placement));
            }
            if tokio::time::Instant::now() >= until {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let available = match self.number() {
            Some(number) => Some(self.is_available(number).await?),
            None => None,
        };
        match judge_lost_create(open.available_before, available) {
            StepOutcome::NoEffectSeen => {
                let outcome = StepOutcome::NoEffectSeen;
                self.journal
                    .end_step(open.id, outcome, None)
                    .await
                    .map(Some)
            }
            StepOutcome::Succeeded | StepOutcome::Refused | StepOutcome::Unknown => Ok(None),
        }
    }

    /// Returns the ordered number; `None` if Sinch chooses.
    fn number(&self) -> Option<&PhoneNumber> {
        match self.file.form.numbers() {
            Ordered::Number(number) => Some(number),
            Ordered::Quantity(_) => None,
        }
    }

    async fn is_available(&self, number: &PhoneNumber) -> Result<bool, CommandError> {
        match patiently(async || self.follower.client.get_available_number(number).await).await {
            Ok(_) => Ok(true),
            Err(error) if error.request.failure == Failure::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
