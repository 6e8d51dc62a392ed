//! Creation of an order, at most once.

use std::time::Duration;

use number_order::{Id, Standing, StepKind, StepOutcome, judge_lost_create, lost_order_ends_at};
use sinch_numbers::api::{Failure, NumberOrder, Ordered, PhoneNumber, Repeat};

use super::Placing;
use super::doubt::Doubt;
use super::journal::{BegunStep, Placement, Step};
use super::patience::patiently;
use crate::clock;
use crate::commands::command_error::CommandError;

/// Pause between two looks at the journal, while a create may still be under way.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// Maximum number of creates in one run. A create is repeated only if the one before had no effect.
const CREATES_MAX: u32 = 3;

/// Result of creating an order.
pub(super) enum Created {
    /// The order exists.
    Order(Id),
    /// An order may exist: no answer shows whether Sinch made one.
    MayBe(Doubt),
}

impl Placing {
    /// Creates the order unless one exists or may exist. With `second_order_risked`, creates it once although one may
    /// exist.
    pub(super) async fn create(
        &self,
        mut second_order_risked: bool,
    ) -> Result<Created, CommandError> {
        let mut placement = self.journal.begin(&self.file.form).await?;
        let mut requested = 0;
        loop {
            let mut is_risk_taken = false;
            match &placement.standing {
                Standing::Created { order } => return Ok(Created::Order(order.clone())),
                Standing::CreatedSeveral { orders } => {
                    self.follower.say(&placement.standing.to_string());
                    return orders.last().cloned().map(Created::Order).ok_or_else(|| {
                        CommandError::service(
                            "the journal names no order; is the service of this version?",
                        )
                    });
                }
                Standing::NotCreated if requested == 0 => self.warn_of_order().await,
                Standing::NotCreated => {}
                Standing::MayBeCreated { step } => {
                    let open = placement.steps.iter().find(|known| known.id == *step);
                    if let Some(found) = self.find_out(open).await? {
                        placement = found;
                        continue;
                    }
                    if !second_order_risked {
                        return self.doubt(&placement).await.map(Created::MayBe);
                    }
                    is_risk_taken = true;
                    second_order_risked = false;
                }
            }
            if requested == CREATES_MAX {
                return Err(CommandError::failure(
                    "the create was tried three times, and no order was seen; try again later",
                ));
            }
            requested += 1;
            placement = match self.request(&placement, is_risk_taken).await? {
                Some(placement) => placement,
                None => return self.doubt(&placement).await.map(Created::MayBe),
            };
        }
    }

    /// Requests a create, and returns the placement with its outcome; `None` if an earlier create may have taken the
    /// number. Where another command has begun a create by then, requests none, and returns the placement with that.
    async fn request(
        &self,
        before: &Placement,
        is_risk_taken: bool,
    ) -> Result<Option<Placement>, CommandError> {
        let number = self.number();
        let available = match number {
            Some(number) => Some(self.is_available(number).await?),
            None => None,
        };
        let may_be_ours = may_hold_numbers(before);
        if let (Some(false), Some(number), false) = (available, number, is_risk_taken) {
            let now = self.journal.read().await?;
            if now.standing != before.standing {
                return Ok(Some(now));
            }
            if may_be_ours {
                return Ok(None);
            }
            return Err(cannot_be_had(number));
        }
        // From here on a create may be under way, whose outcome must be recorded.
        let _uninterrupted = self.follower.uninterrupted.lock().await;
        match self.journal.begin_create(available, is_risk_taken).await? {
            Some(begun) => self.send_create(begun, may_be_ours).await,
            None => self.journal.read().await.map(Some),
        }
    }

    /// Sends a create that is recorded, and records its outcome.
    async fn send_create(
        &self,
        begun: BegunStep,
        may_be_ours: bool,
    ) -> Result<Option<Placement>, CommandError> {
        if begun.callback_url.is_none() {
            self.follower.say("callbacks.public_url is not set: the order has no callback URL, and is followed by fetches alone");
        }
        let order = self.file.form.new_order(begun.callback_url);
        let (outcome, order, refusal) = match self.follower.client.create_order(&order).await {
            Ok(answer) => match id_of(&answer.content) {
                Some(order) => (StepOutcome::Succeeded, Some(order), None),
                None => (StepOutcome::Unknown, None, None),
            },
            Err(error) if error.repeat() == Repeat::FindOutFirst => {
                self.follower.say(&error.told().to_string());
                (StepOutcome::Unknown, None, None)
            }
            Err(error) => (StepOutcome::Refused, None, Some(error)),
        };
        if let Some(order) = &order {
            self.follower.say(&format!("created: order {order}"));
        }
        let placement = self
            .journal
            .end_step(begun.id, outcome, order.as_ref())
            .await?;
        match refusal {
            Some(error) if may_be_ours => {
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
        let wait = self
            .follower
            .request_timeout
            .saturating_sub(clock::now().since(open.begun_at));
        self.follower.say(if open.outcome.is_none() && !wait.is_zero() {
            "another command may be creating the order right now: waiting for what becomes of it"
        } else {
            "an earlier create has no known outcome: finding out"
        });
        let until = tokio::time::Instant::now() + wait;
        loop {
            let placement = self.journal.read().await?;
            if placement.standing != (Standing::MayBeCreated { step: open.id }) {
                return Ok(Some(placement));
            }
            if tokio::time::Instant::now() >= until {
                break;
            }
            tokio::time::sleep(LOOK_PAUSE).await;
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

    /// Returns what is known of the last create that may have made an order.
    ///
    /// # Errors
    ///
    /// Fails if any order of that create is over by now and the project does not have the number: someone else has it.
    pub(super) async fn doubt(&self, placement: &Placement) -> Result<Doubt, CommandError> {
        let last = placement
            .steps
            .iter()
            .rfind(|step| may_have_made_order(step));
        let begun_at = last.map_or_else(clock::now, |step| step.begun_at);
        let number = self.number();
        let is_ours = match number {
            Some(number) => self.is_active(number).await?,
            None => false,
        };
        let doubt = Doubt {
            number: number.cloned(),
            is_ours,
            can_get_callback: self.follower.callback_url.is_some(),
            is_open: last.is_some_and(|step| step.outcome.is_none()),
            begun_at,
            ends_at: lost_order_ends_at(begun_at),
            now: clock::now(),
        };
        match number.filter(|_| doubt.is_over() && !is_ours) {
            Some(number) => Err(CommandError::failure(format!(
                "the create of {begun_at} had no known outcome, and no order was heard of until {}: an order that it made \
                 has run out by now, since Sinch documents 48 hours as the longest reservation. {} is not available, so \
                 somebody else has it: take another number, and another reference",
                doubt.ends_at,
                number.as_str()
            ))),
            None => Ok(doubt),
        }
    }

    /// Returns the ordered number; `None` if Sinch chooses.
    pub(super) fn number(&self) -> Option<&PhoneNumber> {
        match self.file.form.numbers() {
            Ordered::Number(number) => Some(number),
            Ordered::Quantity(_) => None,
        }
    }

    pub(super) async fn is_available(&self, number: &PhoneNumber) -> Result<bool, CommandError> {
        match patiently(async || self.follower.client.get_available_number(number).await).await {
            Ok(_) => Ok(true),
            Err(error) if error.request.failure == Failure::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns `true` if the project has the number.
    async fn is_active(&self, number: &PhoneNumber) -> Result<bool, CommandError> {
        let get = async || match self.follower.client.get_active_number(number).await {
            Ok(_) => Ok(true),
            Err(error) if error.request.failure == Failure::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        Ok(patiently(get).await?)
    }
}

/// Returns the error of a number that is not available.
pub(super) fn cannot_be_had(number: &PhoneNumber) -> CommandError {
    CommandError::failure(format!(
        "{} cannot be had: it is taken or reserved, or there is no such number; `order search` finds others",
        number.as_str()
    ))
}

/// Returns `true` if the step is a create that was not refused: one that was taken to have no effect, or has no known
/// outcome, may have made an order all the same.
fn may_have_made_order(step: &Step) -> bool {
    step.kind == StepKind::Create && step.outcome != Some(StepOutcome::Refused)
}

/// Returns `true` if an order that was created earlier, and of which nothing is known, may still have the number.
fn may_hold_numbers(placement: &Placement) -> bool {
    let now = clock::now();
    placement
        .steps
        .iter()
        .any(|step| may_have_made_order(step) && now < lost_order_ends_at(step.begun_at))
}

fn id_of(order: &NumberOrder<'_>) -> Option<Id> {
    order.id_number_order.text().and_then(Id::new)
}
