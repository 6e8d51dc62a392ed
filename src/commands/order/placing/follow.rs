//! Steps between an order's creation and its end: registration, documents, submit, review.

use std::time::Duration;

use number_order::{Id, StepKind, StepOutcome};

use super::Placing;
use super::ending::Ending;
use super::journal::Step;
use super::registration::Target;
use super::step_error::StepError;
use crate::commands::command_error::CommandError;

/// Time for which an order may stay CREATED after its submit before it is submitted again.
const SUBMIT_LAG_MAX: Duration = Duration::from_secs(20);

/// Pause between two looks at an order that was just submitted or corrected.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

impl Placing {
    /// Takes an order from any state to its end; with `wait` false, stops at Sinch's review.
    pub(super) async fn follow(&self, order: &Id, wait: bool) -> Result<Ending, CommandError> {
        let mut submitted = self.was_submitted().await?;
        loop {
            let state = self.follower.state(order).await?;
            match state.as_str() {
                // Sinch may show a submit only after a while.
                "CREATED" if submitted && !wait => return Ok(Ending::InReview),
                "CREATED" if submitted => {
                    self.follower.say_once("submitted: waiting for Sinch");
                    self.follower.wait_while(order, "CREATED").await?;
                }
                "CREATED" => {
                    let done = self.take_steps(order).await;
                    submitted = self.unless_moved_on(order, "CREATED", done).await?;
                }
                "IN_REVIEW" if !wait => return Ok(Ending::InReview),
                "IN_REVIEW" => {
                    self.follower.say_once("IN_REVIEW: waiting for Sinch");
                    self.follower.wait_while(order, "IN_REVIEW").await?;
                }
                "COMPLETED" => return self.follower.ready(order, wait).await,
                "BLOCKED" => return Ok(Ending::Blocked),
                "REJECTED" => return Ok(Ending::Rejected),
                "EXPIRED" => return Ok(Ending::Expired),
                other => {
                    self.follower.say_once(&format!(
                        "Sinch says {other}, which is no state that this program knows: waiting"
                    ));
                    self.follower.wait_while(order, other).await?;
                }
            }
        }
    }

    /// Registers, uploads and submits what an order in the state CREATED needs. Returns `true` if it was submitted.
    async fn take_steps(&self, order: &Id) -> Result<bool, StepError> {
        let from = "CREATED";
        let target = Target {
            order,
            from: Some(from),
        };
        self.register(target, true).await?;
        self.upload(target, true).await?;
        // Where nothing is required, the order may be completed already.
        if self.follower.state(order).await? != from {
            return Ok(false);
        }
        self.submit_from(order, from).await
    }

    /// Returns the result of steps. Where one of them failed since the order has left the state `from`, returns `false`:
    /// another command, or Sinch, has moved it on, and the caller goes on from where it stands.
    async fn unless_moved_on(
        &self,
        order: &Id,
        from: &str,
        done: Result<bool, StepError>,
    ) -> Result<bool, CommandError> {
        let error = match done {
            Err(error) => error,
            Ok(done) => return Ok(done),
        };
        let may_be_late =
            matches!(error, StepError::MovedOn { .. }) || error.outcome() == StepOutcome::Refused;
        if may_be_late && self.follower.leaves(order, from, LOOK_PAUSE * 4).await? {
            self.follower.say(&format!(
                "the order is not {from} any more: going on from where it stands"
            ));
            return Ok(false);
        }
        Err(error.into())
    }

    /// Sends a corrected form for a BLOCKED order, and follows it. For an order in another state it sends no
    /// correction.
    pub async fn fix(&self, order: &Id, wait: bool) -> Result<Ending, CommandError> {
        let state = self.follower.state(order).await?;
        if state == "BLOCKED" {
            self.print_reasons(order).await?;
            let done = self.send_correction(order).await;
            self.unless_moved_on(order, "BLOCKED", done).await?;
        } else {
            self.follower.say(&format!(
                "the order is {state}, not BLOCKED: no correction is sent"
            ));
        }
        self.follow(order, wait).await
    }

    /// Sends the form as a correction of a BLOCKED order. Returns `true` if it was submitted.
    async fn send_correction(&self, order: &Id) -> Result<bool, StepError> {
        let from = "BLOCKED";
        let target = Target {
            order,
            from: Some(from),
        };
        // A correction may be a file of the same name, and Sinch may wait for the data to be sent again. The data comes
        // last, since it may begin the review, and no document is taken after that.
        self.upload(target, false).await?;
        self.register(target, false).await?;
        // Nothing says if a corrected registration is enough, so the state tells.
        if self.follower.leaves(order, from, LOOK_PAUSE * 4).await? {
            return Ok(false);
        }
        self.submit_from(order, from).await
    }

    /// Submits the order. Returns `true` if Sinch answered with success, or the state shows the submit.
    pub async fn submit(&self, order: &Id) -> Result<bool, CommandError> {
        Ok(self.submit_from(order, "CREATED").await?)
    }

    /// Returns `true` if the journal has a submit that Sinch has confirmed.
    pub(super) async fn was_submitted(&self) -> Result<bool, CommandError> {
        if self.is_foreign {
            return Ok(false);
        }
        let steps = self.journal.read().await?.steps;
        let confirmed = |step: &Step| {
            step.kind == StepKind::Submit && step.outcome == Some(StepOutcome::Succeeded)
        };
        Ok(steps.iter().any(confirmed))
    }

    /// Submits the order, and waits up to [`SUBMIT_LAG_MAX`] until it leaves the state `from`.
    ///
    /// If the answer is lost and the state does not change, [`Placing::follow`] submits again.
    async fn submit_from(&self, order: &Id, from: &'static str) -> Result<bool, StepError> {
        let target = Target {
            order,
            from: Some(from),
        };
        let submit = async || self.follower.client.submit_order(order).await;
        let done = self.step(target, &StepKind::Submit, submit).await;
        let outcome = super::outcome_of(&done);
        match done {
            Ok(_) => self.follower.say("submitted"),
            Err(error @ (StepError::MovedOn { .. } | StepError::Other(_))) => return Err(error),
            Err(error) if self.follower.leaves(order, from, LOOK_PAUSE).await? => {
                self.follower
                    .say(&format!("submitted, though the answer said: {error}"));
            }
            Err(error) if outcome == StepOutcome::Refused => return Err(error),
            Err(error) => self.follower.say(&CommandError::from(error).to_string()),
        }
        let left = self.follower.leaves(order, from, SUBMIT_LAG_MAX).await?;
        Ok(left || outcome == StepOutcome::Succeeded)
    }
}
