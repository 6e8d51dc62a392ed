//! From COMPLETED to numbers that work: each is active, and linked to the ordered services.

use std::time::Duration;

use number_order::{Id, OrderedLink, Readiness};
use sinch_numbers::api::{ActiveNumber, Failure, PhoneNumber};

use super::ending::Ending;
use super::follower::Follower;
use super::patience::patiently;
use crate::commands::command_error::CommandError;
use crate::sinch;

/// First pause between two looks at a number; each further one is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

const PAUSE_MAX: Duration = Duration::from_secs(30);

impl Follower {
    /// Waits until every number of a completed order works; with `wait` false, only prints which do.
    pub(super) async fn ready(&self, order: &Id, wait: bool) -> Result<Ending, CommandError> {
        let Some(answer) = self.fetch(order).await? else {
            return Ok(Ending::Expired);
        };
        let ordered = sinch::ordered_links(&answer.content);
        self.say("COMPLETED");
        for number in answer.content.numbers() {
            let number = PhoneNumber::new(number.phone_number);
            let number = number.map_err(|error| CommandError::failure(error.to_string()))?;
            self.until_ready(&number, &ordered, wait).await?;
        }
        Ok(Ending::Done)
    }

    async fn until_ready(
        &self,
        number: &PhoneNumber,
        ordered: &[OrderedLink],
        wait: bool,
    ) -> Result<(), CommandError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let active = self.active(number).await?;
            let readiness = readiness(active.as_ref(), ordered);
            match readiness {
                Readiness::Ready => {
                    self.say(&format!("{} is ready", number.as_str()));
                    let has_url =
                        active.is_some_and(|active| active.callback_url().text().is_some());
                    if !has_url {
                        self.say("Sinch shows no callback URL of this number: no event about it will come");
                    }
                    return Ok(());
                }
                Readiness::Failed { .. } => {
                    return Err(CommandError::failure(format!(
                        "{}: {readiness}; `numbers show` tells more",
                        number.as_str()
                    )));
                }
                Readiness::NotActive | Readiness::NotLinked { .. } | Readiness::OnTheWay { .. }
                    if !wait =>
                {
                    self.say(&format!("{} is on its way", number.as_str()));
                    return Ok(());
                }
                Readiness::NotActive | Readiness::NotLinked { .. } | Readiness::OnTheWay { .. } => {
                    tokio::time::sleep(pause).await;
                }
            }
            pause = (pause * 3 / 2).min(PAUSE_MAX);
        }
    }

    /// Fetches a number; `None` if it is not active yet.
    async fn active(&self, number: &PhoneNumber) -> Result<Option<ActiveNumber>, CommandError> {
        let get = async || match self.client.get_active_number(number).await {
            Err(error) if error.request.failure == Failure::NotFound => Ok(None),
            other => other.map(|answer| Some(answer.content)),
        };
        Ok(patiently(get).await?)
    }
}

/// Returns the readiness of a number; `None` if it is not active.
fn readiness(number: Option<&ActiveNumber>, ordered: &[OrderedLink]) -> Readiness {
    let links = number.map(sinch::links);
    Readiness::of(ordered, links.as_deref())
}
