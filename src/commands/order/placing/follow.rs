//! Steps between an order's creation and its end: registration, documents, submit, review.

use std::time::Duration;

use number_order::{Id, StepKind, StepOutcome};

use super::Placing;
use super::ending::Ending;
use super::journal::Step;
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
                    self.follower.say("submitted: waiting for Sinch");
                    self.follower.wait_while(order, "CREATED").await?;
                }
                "CREATED" => {
                    self.register(order, true).await?;
                    self.upload(order, true).await?;
                    // Where nothing is required, the order may be completed already.
                    if self.follower.state(order).await? == "CREATED" {
                        submitted = self.submit(order).await?;
                    }
                }
                "IN_REVIEW" if !wait => return Ok(Ending::InReview),
                "IN_REVIEW" => {
                    self.follower.say("IN_REVIEW: waiting for Sinch");
                    self.follower.wait_while(order, "IN_REVIEW").await?;
                }
                "COMPLETED" => return self.follower.ready(order, wait).await,
                "BLOCKED" => return Ok(Ending::Blocked),
                "REJECTED" => return Ok(Ending::Rejected),
                "EXPIRED" => return Ok(Ending::Expired),
                other => {
                    self.follower.say(&format!(
                        "Sinch says {other}, which is no state that this program knows: waiting"
                    ));
                    self.follower.wait_while(order, other).await?;
                }
            }
        }
    }

    /// Sends a corrected form for a BLOCKED order, and follows it. For an order in another state it sends no
    /// correction.
    pub async fn fix(&self, order: &Id, wait: bool) -> Result<Ending, CommandError> {
        let state = self.follower.state(order).await?;
        if state == "BLOCKED" {
            // A correction may be a file of the same name, and Sinch may wait for the data to be sent again. The data
            // comes last, since it may begin the review, and no document is taken after that.
            self.upload(order, false).await?;
            self.register(order, false).await?;
            // Nothing says if a corrected registration is enough, so the state tells.
            if !self
                .follower
                .leaves(order, "BLOCKED", LOOK_PAUSE * 4)
                .await?
            {
                self.submit_from(order, "BLOCKED").await?;
            }
        } else {
            self.follower.say(&format!(
                "the order is {state}, not BLOCKED: no correction is sent"
            ));
        }
        self.follow(order, wait).await
    }

    /// Submits the order. Returns `true` if Sinch answered with success, or the state shows the submit.
    pub async fn submit(&self, order: &Id) -> Result<bool, CommandError> {
        self.submit_from(order, "CREATED").await
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
    async fn submit_from(&self, order: &Id, from: &str) -> Result<bool, CommandError> {
        let begun = self.begin_step(&StepKind::Submit).await?;
        let done = self.follower.client.submit_order(order).await;
        let outcome = super::outcome_of(&done);
        self.end_step(begun, outcome).await?;
        match done {
            Ok(_) => self.follower.say("submitted"),
            Err(error) if self.follower.leaves(order, from, LOOK_PAUSE).await? => {
                self.follower
                    .say(&format!("submitted, though the answer said: {error}"));
            }
            Err(error) if outcome == StepOutcome::Refused => return Err(error.into()),
            Err(error) => self.follower.say(&error.told().to_string()),
        }
        let left = self.follower.leaves(order, from, SUBMIT_LAG_MAX).await?;
        Ok(left || outcome == StepOutcome::Succeeded)
    }
}
