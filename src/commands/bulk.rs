//! Requests about many orders or deliveries, those that are named one after the other: counted first if that is wished, with
//! progress.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::command_error::CommandError;
use super::operators::ServiceError;
use super::order_filter::word;
use super::output::{is_taken, print_error, print_line};
use super::pages::Params;
use super::service::{Service, list, path_with, print_json, read, text};
use super::shown;
use number_order::counted;

/// Time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Orders, one and several.
pub(super) const ORDERS: [&str; 2] = ["order", "orders"];

/// Deliveries, one and several.
pub(super) const DELIVERIES: [&str; 2] = ["delivery", "deliveries"];

/// What is done to many things, and how that is told.
pub(super) struct Bulk {
    /// One of the things, and several: `order`, `orders`.
    pub things: [&'static str; 2],
    /// What has become of one, and of several: `is fetched`, `are fetched`.
    pub done: [&'static str; 2],
    /// What becomes of them without `--dry-run`: `fetched`.
    pub doing: &'static str,
    pub dry_run: bool,
    pub json: bool,
    chosen: u64,
    refused: Vec<Value>,
    reported: Instant,
}

impl Bulk {
    /// Begins with none.
    pub fn new(
        things: [&'static str; 2],
        done: [&'static str; 2],
        doing: &'static str,
        dry_run: bool,
        json: bool,
    ) -> Bulk {
        Bulk {
            things,
            done,
            doing,
            dry_run,
            json,
            chosen: 0,
            refused: Vec::new(),
            reported: Instant::now(),
        }
    }

    /// Counts one that fits, and with `--dry-run` nothing else; otherwise does what `act` does to it. A refusal is told,
    /// and the next one follows, but not if the service is in trouble.
    pub async fn one(
        &mut self,
        name: &str,
        act: impl Future<Output = Result<(), ServiceError>>,
    ) -> Result<(), CommandError> {
        if self.dry_run {
            self.chosen += 1;
            return Ok(());
        }
        match act.await {
            Ok(()) => self.chosen += 1,
            Err(error) if error.is_passing() => {
                return Err(CommandError::service(format!(
                    "{name}: not {}: {error}; {} before",
                    self.doing,
                    in_words(self.chosen, self.things, self.done)
                )));
            }
            Err(error) => {
                print_error(shown::line(&format!("{name}: not {}: {error}", self.doing)));
                let refusal = json!({ "name": name, "text": error.to_string() });
                self.refused.push(refusal);
            }
        }
        self.report();
        Ok(())
    }

    /// Has the service do something to all that the parameters choose, request after request until it is done. Returns the
    /// answers' counts of what is kept.
    pub async fn all(
        &mut self,
        service: &Service,
        path: &str,
        mut params: Params<'_>,
    ) -> Result<Vec<Value>, CommandError> {
        if !params.iter().any(|(_, value)| value.is_some()) {
            params.push(("all", Some("true")));
        }
        params.push(("dry_run", Some(word(self.dry_run))));
        let (mut after, mut kept) = (None::<String>, Vec::new());
        loop {
            let mut page = params.clone();
            page.push(("after", after.as_deref()));
            let answer = service.post(&path_with(path, &page), None).await;
            let answer = answer.map_err(|error| {
                CommandError::service(format!(
                    "not {}: {error}; {} before",
                    self.doing,
                    in_words(self.chosen, self.things, self.done)
                ))
            })?;
            let mut answer: Value = read(&answer)?;
            self.chosen += answer["count"].as_u64().unwrap_or(0);
            for refusal in list(&answer, "refused") {
                let (name, why) = (text(refusal, "name"), text(refusal, "text"));
                print_error(shown::line(&format!("{name}: not {}: {why}", self.doing)));
                self.refused.push(refusal.clone());
            }
            kept.push(answer["kept"].take());
            let Some(next) = answer["next"].as_str() else {
                return Ok(kept);
            };
            after = Some(next.to_owned());
            self.report();
        }
    }

    fn report(&mut self) {
        if self.reported.elapsed() > REPORT_EVERY && is_taken() {
            let so_far = in_words(self.chosen, self.things, ["so far"; 2]);
            print_error(so_far);
            self.reported = Instant::now();
        }
    }

    /// Tells how many there were. Fails if any was refused.
    pub fn end(self) -> Result<(), CommandError> {
        let dry_run = self.dry_run;
        self.end_with(&[("dry_run", dry_run.into())])
    }

    /// Tells how many there were, in JSON with further members.
    pub fn end_with(self, further: &[(&str, Value)]) -> Result<(), CommandError> {
        let Bulk {
            things,
            done,
            doing,
            chosen,
            ..
        } = self;
        if self.json {
            let [_, key] = things;
            let mut told = json!({ key: chosen, "refused": self.refused });
            for (name, value) in further {
                told[*name] = value.clone();
            }
            print_json(&told.to_string());
        } else if self.dry_run {
            let fit = in_words(chosen, things, ["fits", "fit"]);
            print_line(format_args!(
                "{fit}; none is {doing} yet: leave --dry-run out"
            ));
        } else {
            print_line(in_words(chosen, things, done));
        }
        if self.refused.is_empty() {
            return Ok(());
        }
        let refused = in_words(self.refused.len() as u64, things, ["was", "were"]);
        let text = format!("{refused} not {doing}: the reasons stand above");
        Err(CommandError::told(text))
    }
}

/// Returns a number of things, with what is said of one or of several.
fn in_words(number: u64, [thing, things]: [&str; 2], [one, several]: [&str; 2]) -> String {
    let (one, several) = (format!("{thing} {one}"), format!("{things} {several}"));
    counted(number, &one, &several)
}
