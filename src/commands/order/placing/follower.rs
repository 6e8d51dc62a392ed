//! Follower of an order: reads its state from Sinch, and from the service, which receives its callbacks.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use number_order::Id;
use reqwest::Method;
use serde_json::Value;
use sinch_numbers::api::{Answer, Call, CallError, Client, Failure, NumberOrder};
use tokio::time::Instant;

use super::ending::Ending;
use super::patience::patiently;
use crate::clock;
use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;
use crate::commands::project_client::{self, Options};
use crate::commands::{file, operators, shown};
use crate::config::Operators;

/// Pause between two looks at an order that was just submitted or corrected.
const LOOK: Duration = Duration::from_millis(500);

/// Pause between two questions to the service.
const ASK: Duration = Duration::from_secs(1);

/// Maximum pause before the service is asked again while it lags behind Sinch.
const LAG_MAX: Duration = Duration::from_secs(30);

/// Maximum time for an answer of the service.
const TIMEOUT: Duration = Duration::from_secs(30);

/// State of an order, in Sinch's word; `None`: Sinch does not know the order.
type State = Option<String>;

/// Client of Sinch, and of the service that follows orders.
pub(in crate::commands::order) struct Follower {
    pub(super) client: Client,
    pub(super) service: Operators,
    /// Maximum time for a request to Sinch with its answer.
    pub(super) request_timeout: Duration,
    /// `true` if progress is not printed.
    quiet: bool,
    /// Time until which the order must be submitted, as Sinch last showed it.
    expires_at: Cell<Option<Timestamp>>,
    /// `true` if there is, or was, such an order: Sinch has shown it, or the journal has it.
    pub(super) is_known: Cell<bool>,
    /// Pause before the next question to the service.
    lag: Cell<Duration>,
}

/// Point until which an order is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Until {
    /// Until its review is over.
    Reviewed,
    /// Until it is completed.
    Completed,
    /// Until its numbers work.
    Ready,
}

impl Follower {
    pub fn open(config: Option<&Path>, options: &Options) -> Result<Follower, CommandError> {
        let opened = project_client::open(config, options.project.as_deref())?;
        Ok(Follower {
            client: opened.client,
            service: Operators::load(file(config).as_deref(), std::env::vars_os())?,
            request_timeout: opened.request_timeout,
            quiet: options.json,
            expires_at: Cell::new(None),
            is_known: Cell::new(false),
            lag: Cell::new(ASK),
        })
    }

    /// Waits for an order as far as is asked for. It changes nothing at Sinch.
    pub async fn wait(&self, order: &Id, until: Until) -> Result<Ending, CommandError> {
        loop {
            let state = self.state(order).await?;
            match state.as_deref() {
                Some("COMPLETED") if until == Until::Ready => return self.ready(order, true).await,
                Some("COMPLETED") => return Ok(Ending::Done),
                Some("BLOCKED") => return Ok(Ending::Blocked),
                Some("REJECTED") => return Ok(Ending::Rejected),
                Some("EXPIRED") | None => return Ok(Ending::Expired),
                Some(state) => {
                    self.say(&format!("{state}: waiting"));
                    self.wait_while(order, state).await?;
                }
            }
        }
    }

    /// Fetches the order, and returns the ending that its state means.
    pub async fn ending_now(&self, order: &Id) -> Result<Ending, CommandError> {
        Ok(match self.state(order).await?.as_deref() {
            Some("IN_REVIEW") => Ending::InReview,
            Some("BLOCKED") => Ending::Blocked,
            Some("REJECTED") => Ending::Rejected,
            Some("EXPIRED") | None => Ending::Expired,
            Some(_) => Ending::Done,
        })
    }

    /// Returns `true` once the order has left the state; `false` if it has not within the time.
    pub(super) async fn leaves(
        &self,
        order: &Id,
        state: &str,
        within: Duration,
    ) -> Result<bool, CommandError> {
        let until = Instant::now() + within;
        loop {
            if self.state(order).await?.as_deref() != Some(state) {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the service confirms a state other than the given one. The caller has just seen that state at Sinch.
    ///
    /// The service may lag behind Sinch at first, so each call that finds it behind makes the next call wait longer.
    pub(super) async fn wait_while(&self, order: &Id, state: &str) -> Result<(), CommandError> {
        let path = format!("/api/v1/orders/{}/{order}", self.client.project());
        self.request_fetch(&path).await?;
        let mut wait = self.lag.get();
        loop {
            tokio::time::sleep(wait).await;
            let known = self.known(&path).await?;
            match known["confirmed"].as_str() {
                Some(confirmed) if confirmed == state => self.lag.set(ASK),
                Some(_) => {
                    self.lag.set((self.lag.get() * 2).min(LAG_MAX));
                    return Ok(());
                }
                None => {}
            }
            if let Some(reason) = known["parked"]["text"].as_str() {
                self.say(&format!("the service fetches the order no more: {reason}"));
                return Err(CommandError::failure(
                    "see to the service first, then run the same command again",
                ));
            }
            wait = ASK;
        }
    }

    /// Returns what the service knows of the order.
    async fn known(&self, path: &str) -> Result<Value, CommandError> {
        let get = operators::send(&self.service, Method::GET, path, Vec::new(), TIMEOUT);
        let text = get.await.map_err(CommandError::failure)?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Makes the order known to the service, and due for a fetch.
    async fn request_fetch(&self, path: &str) -> Result<(), CommandError> {
        for (method, path) in [
            (Method::PUT, path),
            (Method::POST, &format!("{path}/fetch")),
        ] {
            let sent = operators::send(&self.service, method, path, Vec::new(), TIMEOUT);
            sent.await.map_err(CommandError::failure)?;
        }
        Ok(())
    }

    /// Fetches the state of an order from Sinch.
    pub(super) async fn state(&self, order: &Id) -> Result<State, CommandError> {
        let Some(answer) = self.fetch(order).await? else {
            if self.is_known.get() {
                return Ok(None);
            }
            return Err(CommandError::failure(format!(
                "Sinch does not know the order {order}: check its id and the project; an order that has expired is forgotten, too"
            )));
        };
        self.is_known.set(true);
        let state = answer.content.state.text().map(str::to_owned);
        if state.is_none() {
            return Err(CommandError::failure(
                "Sinch shows the order without a state; try again later",
            ));
        }
        // After the submit the reservation no longer matters.
        let expires_at = answer.content.expire_time.text();
        let expires_at = expires_at.filter(|_| state.as_deref() == Some("CREATED"));
        self.expires_at
            .set(expires_at.and_then(|text| text.parse().ok()));
        Ok(state)
    }

    /// Fetches an order; `None` if Sinch does not know it.
    pub(super) async fn fetch(
        &self,
        order: &Id,
    ) -> Result<Option<Answer<NumberOrder<'static>>>, CommandError> {
        let get = async || {
            self.client
                .get_order(order)
                .await
                .map_err(|request| CallError {
                    call: Call::GetOrder,
                    request,
                    refusal: None,
                })
        };
        match patiently(get).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.request.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Prints progress, with the time that is left until the reservation runs out, unless quiet.
    pub(super) fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        let left = self
            .expires_at
            .get()
            .map(|at| at.as_second() - clock::now().0 / 1_000_000);
        let left = match left {
            None => String::new(),
            Some(left) if left <= 0 => "[reservation over] ".to_owned(),
            Some(left) => format!("[{} left] ", span(left)),
        };
        print_line(format_args!("{left}{}", shown::lines(text)));
    }
}

/// Returns a span in seconds, in whole minutes from two minutes on, or in whole hours from two hours on.
fn span(secs: i64) -> String {
    match secs {
        ..=119 => format!("{secs} s"),
        120..=7199 => format!("{} min", secs / 60),
        _ => format!("{} h", secs / 3600),
    }
}
