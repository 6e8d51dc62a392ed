//! Follower of an order: reads its state from Sinch, and from the service, which receives its callbacks.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use number_order::Id;
use reqwest::Method;
use serde_json::Value;
use sinch_numbers::api::{Answer, Call, CallError, Client, Failure, NumberOrder};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ending::{Ending, SeenOrder};
use super::patience::Outages;
use super::service::Service;
use crate::clock;
use crate::commands::command_error::CommandError;
use crate::commands::invocation::Invocation;
use crate::commands::output::{print_error, print_line};
use crate::commands::project_client::{self, Options};
use crate::commands::{file, shown};
use crate::config::Operators;

/// Pause between two looks at an order that was just submitted or corrected.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Pause between two questions to the service.
const ASK_PAUSE: Duration = Duration::from_secs(1);

/// Maximum pause before the service is asked again while it lags behind Sinch, or judges an order that Sinch does not
/// show.
const LAG_MAX: Duration = Duration::from_secs(30);

/// Final states of an order, in Sinch's words.
const FINAL_STATES: [&str; 3] = ["COMPLETED", "REJECTED", "EXPIRED"];

/// Client of Sinch, and of the service that follows orders.
pub(in crate::commands::order) struct Follower {
    pub(super) client: Client,
    pub(super) service: Rc<Service>,
    /// Outages of Sinch, which a wait outlasts.
    pub(super) sinch: Outages,
    /// Maximum time for a request to Sinch with its answer.
    pub request_timeout: Duration,
    /// Path at which the service takes the project's callbacks.
    pub(super) path: String,
    /// URL at which the service takes the project's callbacks; `None`: the configuration does not say.
    pub(super) callback_url: Option<String>,
    pub invocation: Invocation,
    progress: Progress,
    /// Last of the lines that are not said twice in a row.
    waiting: RefCell<String>,
    /// Time until which the order must be submitted, as Sinch last showed it.
    expires_at: Cell<Option<Timestamp>>,
    /// `true` if there is, or was, such an order: Sinch has shown it, or the journal has it.
    pub(super) is_known: Cell<bool>,
    /// State and numbers of the order, as Sinch last showed them.
    seen: RefCell<SeenOrder>,
    /// Pause before the next question to the service.
    lag: Cell<Duration>,
    /// Lock that is held while a create is under way. Ctrl-C waits for it, so that the create's outcome is recorded.
    pub uninterrupted: Mutex<()>,
}

/// Destination of the lines that tell a command's progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Progress goes to standard output.
    Output,
    /// Progress goes to standard error, since standard output has nothing but the result.
    Error,
    /// No progress is printed.
    None,
}

/// Point in an order's life until which a command waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Until {
    /// The review of the order is over.
    Reviewed,
    /// The order is completed.
    Completed,
    /// The numbers of the order work: they are active, and linked as ordered.
    Ready,
}

impl Follower {
    pub fn open(
        config: Option<&Path>,
        options: &Options,
        progress: Progress,
    ) -> Result<Follower, CommandError> {
        let project = options.project.as_deref();
        let opened = project_client::open(config, project)?;
        let operators = Operators::load(file(config).as_deref(), std::env::vars_os())?;
        Ok(Follower {
            client: opened.client,
            service: Rc::new(Service::new(operators)),
            sinch: Outages::of_sinch(),
            request_timeout: opened.request_timeout,
            callback_url: project_client::callback_url(config, &opened.path)?,
            path: opened.path,
            invocation: Invocation::new(config, project),
            progress: if options.json {
                Progress::None
            } else {
                progress
            },
            waiting: RefCell::default(),
            expires_at: Cell::new(None),
            is_known: Cell::new(false),
            seen: RefCell::default(),
            lag: Cell::new(ASK_PAUSE),
            uninterrupted: Mutex::default(),
        })
    }

    /// Waits until an order has come as far as `until`, or cannot come further. Changes nothing at Sinch.
    pub async fn wait(&self, order: &Id, until: Until) -> Result<Ending, CommandError> {
        loop {
            match self.state(order).await?.as_str() {
                "COMPLETED" if until == Until::Ready => return self.ready(order, true).await,
                "COMPLETED" => return Ok(Ending::Done),
                "BLOCKED" => return Ok(Ending::Blocked),
                "REJECTED" => return Ok(Ending::Rejected),
                "EXPIRED" => return Ok(Ending::Expired),
                state => {
                    self.say_once(&format!("{state}: waiting"));
                    self.wait_while(order, state).await?;
                }
            }
        }
    }

    /// Fetches the order, and returns the ending that its state means.
    pub async fn ending_now(&self, order: &Id) -> Result<Ending, CommandError> {
        Ok(match self.state(order).await?.as_str() {
            "IN_REVIEW" => Ending::InReview,
            "BLOCKED" => Ending::Blocked,
            "REJECTED" => Ending::Rejected,
            "EXPIRED" => Ending::Expired,
            _ => Ending::Done,
        })
    }

    /// Returns the order as Sinch last showed it.
    pub fn seen(&self) -> SeenOrder {
        self.seen.borrow().clone()
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
            if self.state(order).await? != state {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Waits until the service confirms a state other than the given one. The caller has just seen that state at Sinch.
    ///
    /// The service may lag behind Sinch at first, so each call that finds it behind makes the next call wait longer.
    pub(super) async fn wait_while(&self, order: &Id, state: &str) -> Result<(), CommandError> {
        self.request_fetch(order).await?;
        let mut wait = self.lag.get();
        loop {
            tokio::time::sleep(wait).await;
            wait = ASK_PAUSE;
            let known = self.known(order).await?;
            if known.is_null() {
                // The service was restored from an older backup, or its project was dropped.
                self.request_fetch(order).await?;
            }
            match known["confirmed"].as_str() {
                Some(confirmed) if confirmed == state => self.lag.set(ASK_PAUSE),
                Some(_) => {
                    self.lag.set((self.lag.get() * 2).min(LAG_MAX));
                    return Ok(());
                }
                None => {}
            }
            refuse_parked(&known)?;
        }
    }

    /// Returns what the service knows of the order; `null` if it knows nothing.
    async fn known(&self, order: &Id) -> Result<Value, CommandError> {
        let text = self.service.find(&self.path_of(order)).await?;
        let text = text.unwrap_or_default();
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Makes the order known to the service, and due for a fetch.
    async fn request_fetch(&self, order: &Id) -> Result<(), CommandError> {
        let path = self.path_of(order);
        self.service.send(Method::PUT, &path, &[]).await?;
        let fetch = format!("{path}/fetch");
        self.service.send(Method::POST, &fetch, &[]).await?;
        Ok(())
    }

    fn path_of(&self, order: &Id) -> String {
        format!("/api/v1/orders/{}/{order}", self.client.project())
    }

    /// Returns the state of an order, in Sinch's word. Where Sinch does not show the order, the service decides if it is
    /// gone: a single 404 can come from a part of Sinch that lags behind.
    pub(super) async fn state(&self, order: &Id) -> Result<String, CommandError> {
        loop {
            if let Some(answer) = self.fetch(order).await? {
                return self.shown_state(&answer.content);
            }
            let known = self.known(order).await?;
            if !self.is_known.get() && known["confirmed"].is_null() {
                return Err(CommandError::failure(format!(
                    "Sinch does not know the order {order}: check its id and the project; an order that has expired is \
                     forgotten, too"
                )));
            }
            if let Some(end) = self.judged(order, known).await? {
                self.seen.borrow_mut().state = Some(end.clone());
                return Ok(end);
            }
        }
    }

    fn shown_state(&self, order: &NumberOrder<'_>) -> Result<String, CommandError> {
        let Some(state) = order.state.text() else {
            return Err(CommandError::failure(
                "Sinch shows the order without a state; try again later",
            ));
        };
        // After the submit the reservation no longer matters.
        let expires_at = order.expire_time.text().filter(|_| state == "CREATED");
        self.expires_at
            .set(expires_at.and_then(|text| text.parse().ok()));
        Ok(state.to_owned())
    }

    /// Waits for the service's judgement of an order that Sinch has just answered with 404. Returns the final state that
    /// the service has confirmed, or `None` if Sinch shows the order again.
    ///
    /// # Errors
    ///
    /// Fails if the service parks the order without a judgement.
    async fn judged(&self, order: &Id, mut known: Value) -> Result<Option<String>, CommandError> {
        let mut wait = ASK_PAUSE;
        let mut is_asked = false;
        loop {
            let confirmed = known["confirmed"].as_str();
            if let Some(end) = confirmed.filter(|state| FINAL_STATES.contains(state)) {
                return Ok(Some(end.to_owned()));
            }
            if is_asked {
                refuse_parked(&known)?;
            } else {
                self.say(
                    "Sinch does not show the order (404): the service finds out if it is gone",
                );
                self.request_fetch(order).await?;
                is_asked = true;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LAG_MAX);
            if self.fetch(order).await?.is_some() {
                return Ok(None);
            }
            known = self.known(order).await?;
        }
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
        match self.sinch.outlast(get).await {
            Ok(answer) => {
                self.is_known.set(true);
                let numbers = answer.content.numbers().into_iter();
                *self.seen.borrow_mut() = SeenOrder {
                    state: answer.content.state.text().map(str::to_owned),
                    numbers: numbers.map(|number| number.phone_number).collect(),
                };
                Ok(Some(answer))
            }
            Err(error) if error.request.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Prints for what the command waits, unless that was the last progress: the service may have lagged behind Sinch, so
    /// that the same wait goes on.
    pub(super) fn say_once(&self, text: &str) {
        if *self.waiting.borrow() != text {
            self.say(text);
            text.clone_into(&mut self.waiting.borrow_mut());
        }
    }

    /// Prints progress, with the time that is left until the reservation runs out, to its destination.
    pub(super) fn say(&self, text: &str) {
        self.waiting.borrow_mut().clear();
        let left = self
            .expires_at
            .get()
            .map(|at| at.as_second() - clock::now().0 / 1_000_000);
        let left = match left {
            None => String::new(),
            Some(left) if left <= 0 => "[reservation over] ".to_owned(),
            Some(left) => format!("[{} left] ", span(left)),
        };
        let line = format!("{left}{}", shown::lines(text));
        match self.progress {
            Progress::Output => print_line(line),
            Progress::Error => print_error(line),
            Progress::None => {}
        }
    }
}

/// Fails if the service has parked the order, so that it fetches it no more; the error has the service's reason.
fn refuse_parked(known: &Value) -> Result<(), CommandError> {
    match known["parked"]["text"].as_str() {
        None => Ok(()),
        Some(reason) => Err(CommandError::service(format!(
            "the service fetches the order no more: {reason}; see to that first, then run the same command again"
        ))),
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
