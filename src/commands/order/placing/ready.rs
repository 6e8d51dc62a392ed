//! From COMPLETED to numbers that work: each is active, and linked to the ordered services.

use std::time::Duration;

use number_order::{Id, OrderedLink, Readiness};
use sinch_numbers::api::{ActiveNumber, Failure, PhoneNumber};
use tokio::time::Instant;

use super::ending::Ending;
use super::follower::Follower;
use super::on_the_way;
use crate::commands::command_error::CommandError;
use crate::commands::numbers::callback_url;
use crate::sinch;

/// First pause between two looks at a number; each further one is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Time without any scheduled link after which a number is said to be idle. Sinch does not say how long the links of an
/// order take.
const IDLE_AFTER: Duration = Duration::from_secs(600);

/// Number of a completed order that a command waits for.
struct Awaited {
    number: PhoneNumber,
    is_ready: bool,
    /// Last words that were printed of its progress.
    said: String,
    /// Time since which no look has shown a scheduled link.
    idle_since: Option<Instant>,
    /// The number, as Sinch last showed it.
    active: Option<ActiveNumber>,
}

impl Follower {
    /// Waits until every number of a completed order works; with `wait` false, only prints how each stands.
    pub(super) async fn ready(&self, order: &Id, wait: bool) -> Result<Ending, CommandError> {
        let Some(answer) = self.fetch(order).await? else {
            return Err(CommandError::failure(format!(
                "the order is COMPLETED, and Sinch shows it no more; its numbers are among those of: {}",
                self.invocation.command(&["numbers", "list"])
            )));
        };
        let ordered = sinch::ordered_links(&answer.content);
        self.say("COMPLETED");
        let numbers = answer.content.numbers().into_iter();
        let mut numbers = numbers
            .map(|number| Awaited::new(number.phone_number))
            .collect::<Result<Vec<_>, _>>()?;
        let mut pause = FIRST_PAUSE;
        loop {
            for number in numbers.iter_mut().filter(|number| !number.is_ready) {
                self.look_at(number, &ordered).await?;
            }
            if !wait || numbers.iter().all(|number| number.is_ready) {
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(PAUSE_MAX);
        }
        for number in &numbers {
            self.offer_callback_url(number);
        }
        Ok(Ending::Done)
    }

    /// Fetches a number, and prints how it stands if that has changed.
    async fn look_at(
        &self,
        awaited: &mut Awaited,
        ordered: &[OrderedLink],
    ) -> Result<(), CommandError> {
        awaited.active = self.active(&awaited.number).await?;
        let number = awaited.number.as_str();
        let active = awaited.active.as_ref();
        let links = active.map(sinch::links);
        let readiness = Readiness::of(ordered, links.as_deref());
        // A number that was released works until its end, and is no number to count on.
        if let Some(end) = active.and_then(on_the_way::released) {
            return Err(CommandError::failure(format!(
                "{number} was released, and stays until {end}: no link will be made any more"
            )));
        }
        match readiness {
            Readiness::Ready => {
                awaited.is_ready = true;
                self.say(&format!("{number} {}", on_the_way::arrived(ordered)));
            }
            Readiness::Failed { .. } => {
                let command = self.invocation.command(&["numbers", "show", number]);
                let failed = format!("{number}: {readiness}; this says more: {command}");
                let codes = readiness.failure_codes().into_iter();
                let codes = codes.map(|code| code.to_string());
                let lines: Vec<String> = [failed].into_iter().chain(codes).collect();
                return Err(CommandError::failure(lines.join("\n")));
            }
            Readiness::NotActive | Readiness::NotLinked { .. } | Readiness::OnTheWay { .. } => {
                if links.as_deref().is_some_and(on_the_way::is_idle) {
                    awaited.idle_since.get_or_insert_with(Instant::now);
                } else {
                    awaited.idle_since = None;
                }
                let is_idle = awaited
                    .idle_since
                    .is_some_and(|since| since.elapsed() >= IDLE_AFTER);
                let words = on_the_way::words(links.as_deref(), ordered, is_idle);
                if words != awaited.said {
                    self.say(&format!("{number} {words}"));
                    awaited.said = words;
                }
            }
        }
        Ok(())
    }

    /// Prints the command that directs a number's callbacks to the service, if Sinch shows that they do not go there.
    fn offer_callback_url(&self, awaited: &Awaited) {
        let Some(active) = &awaited.active else {
            return;
        };
        let url = active.callback_url();
        let fault = match url.text() {
            Some(url) if callback_url::is_of_project(url, &self.path) => return,
            Some(_) => "has another callback URL than this project's",
            None => "has no callback URL",
        };
        let number = awaited.number.as_str();
        let set = ["numbers", "set-callback-url", number];
        let cure = if self.callback_url.is_some() {
            self.invocation.command(&set)
        } else {
            let with_url = [&set[..], &["URL"]].concat();
            format!(
                "{} (callbacks.public_url is not set, so name the URL)",
                self.invocation.command(&with_url)
            )
        };
        self.say(&format!(
            "{number} {fault}, so the service hears nothing about it from now on. To set it: {cure}"
        ));
    }

    /// Fetches a number; `None` if it is not active yet.
    async fn active(&self, number: &PhoneNumber) -> Result<Option<ActiveNumber>, CommandError> {
        let get = async || match self.client.get_active_number(number).await {
            Err(error) if error.request.failure == Failure::NotFound => Ok(None),
            other => other.map(|answer| Some(answer.content)),
        };
        Ok(self.sinch.outlast(get).await?)
    }
}

impl Awaited {
    fn new(number: String) -> Result<Awaited, CommandError> {
        let number = PhoneNumber::new(number);
        let number = number.map_err(|error| CommandError::failure(error.to_string()))?;
        Ok(Awaited {
            number,
            is_ready: false,
            said: String::new(),
            idle_since: None,
            active: None,
        })
    }
}
