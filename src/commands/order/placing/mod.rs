//! Placing of an order: the steps from a form to numbers that work. After any interruption the sequence can be resumed.
//!
//! The form goes straight from its file to Sinch. The service's journal has only the steps, and no registration data.

mod comparison;
mod create;
mod doubt;
mod dry_run;
pub(super) mod ending;
mod follow;
pub(super) mod follower;
pub(super) mod form_file;
mod journal;
mod on_the_way;
mod patience;

mod ready;
pub(super) mod registration;
mod service;
mod step_error;
mod uploads;

use std::path::Path;

use number_order::{Id, StepKind, StepOutcome};
use order_form::{Rules, check_links, check_offer};
use sinch_numbers::api::{Client, Lookup, NumberType};

use self::create::Created;
use self::ending::Ending;
use self::follower::{Follower, Progress};
use self::form_file::FormFile;
use self::journal::{Journal, Placement, ordered_by};
use self::patience::patiently;
use self::step_error::StepError;
use crate::commands::command_error::CommandError;
use crate::commands::output::print_error;
use crate::commands::{project_client, shown};

/// A placement under way.
pub(super) struct Placing {
    pub follower: Follower,
    journal: Journal,
    file: FormFile,
    rules: Rules,
    /// `true` if the order was created elsewhere, so that its steps do not belong in the journal.
    is_foreign: bool,
    quiet: bool,
}

impl Placing {
    /// Reads the form, and looks up what it must fulfil.
    pub async fn open(
        config: Option<&Path>,
        options: &project_client::Options,
        form: &Path,
        progress: Progress,
    ) -> Result<Placing, CommandError> {
        let follower = Follower::open(config, options, progress)?;
        let file = FormFile::read(form)?;
        let project = follower.client.project();
        let reference = file.form.reference();
        let journal = Journal::new(follower.service.clone(), project, reference);
        let rules = file.rules(&follower.client).await?;
        Ok(Placing {
            follower,
            journal,
            file,
            rules,
            is_foreign: false,
            quiet: options.json,
        })
    }

    /// Checks the form against the rules, and warns of what is doubtful.
    ///
    /// # Errors
    ///
    /// Fails if Sinch would refuse the form for sure.
    pub fn check(&self) -> Result<(), CommandError> {
        FormFile::judge(self.file.findings(&self.rules), print_error)
    }

    /// Returns the reference of the form.
    pub fn reference(&self) -> &str {
        self.file.form.reference()
    }

    /// Creates the order and goes on until its numbers are ready; with `wait` false, stops where it would have to wait
    /// for Sinch.
    pub async fn place(
        &self,
        second_order_risked: bool,
        wait: bool,
    ) -> Result<(Ending, Option<Id>), CommandError> {
        match self.create(second_order_risked).await? {
            Created::MayBe(doubt) => Ok((Ending::MayBeCreated(doubt), None)),
            Created::Order(order) => {
                self.follower.is_known.set(true);
                self.follower.say(&format!("order {order}"));
                self.compare(&order).await?;
                let ending = self.follow(&order, wait).await?;
                Ok((ending, Some(order)))
            }
        }
    }

    /// Creates the order, and takes no further step.
    pub async fn create_only(
        &self,
        second_order_risked: bool,
    ) -> Result<(Ending, Option<Id>), CommandError> {
        match self.create(second_order_risked).await? {
            Created::MayBe(doubt) => Ok((Ending::MayBeCreated(doubt), None)),
            Created::Order(order) => {
                self.follower.is_known.set(true);
                self.compare(&order).await?;
                Ok((Ending::Done, Some(order)))
            }
        }
    }

    /// Makes an existing order the subject of this placement. If the journal does not have it, its steps are not
    /// recorded.
    ///
    /// # Errors
    ///
    /// Fails if the form is that of another order, or no longer says what was ordered.
    pub async fn adopt(&mut self, order: &Id) -> Result<(), CommandError> {
        let placement = self.journal.find().await?;
        let own = placement
            .as_ref()
            .and_then(|placement| placement.standing.order());
        if let Some(own) = own.filter(|own| *own != order) {
            return Err(CommandError::usage(format!(
                "this is the form of the order {own}, not of {order}: name the form of this order"
            )));
        }
        self.is_foreign = own.is_none();
        self.follower.is_known.set(own.is_some());
        if let Some(placement) = placement.filter(|_| !self.is_foreign) {
            self.check_reference(&placement)?;
        }
        self.compare(order).await
    }

    /// Checks that the form orders what its reference stands for.
    fn check_reference(&self, placement: &Placement) -> Result<(), CommandError> {
        if placement
            .ordered
            .can_stand_for(&ordered_by(&self.file.form))
        {
            return Ok(());
        }
        Err(self.journal.reference_conflict(&placement.ordered))
    }

    /// Compares the form with the order, and prints deviations that are no contradictions.
    ///
    /// # Errors
    ///
    /// Fails if the form contradicts the order.
    async fn compare(&self, order: &Id) -> Result<(), CommandError> {
        let Some(answer) = self.follower.fetch(order).await? else {
            return Ok(());
        };
        let is_over = matches!(answer.content.state.text(), Some("REJECTED" | "EXPIRED"));
        let ordered = self.file.form.new_order(None);
        let compared = comparison::compare(&ordered, &answer.content);
        if !is_over && !compared.differences.is_empty() {
            return Err(CommandError::form(format!(
                "the form no longer says what the order {order} was created with: {}. Put that back; to order \
                 something else, give the form another reference",
                compared.differences.join("; ")
            )));
        }
        for note in &compared.notes {
            self.follower.say(note);
        }
        Ok(())
    }

    /// Warns of an order that may not bring what is expected: nothing is linked to its numbers, or Sinch does not list
    /// their type for the region. Its list is a hint, so this refuses nothing, and a list that cannot be had is no
    /// hindrance.
    async fn warn_of_order(&self) {
        let offer = match self.follower.client.list_regions(&[]).await {
            Ok(answer) => check_offer(&self.file.form, &answer.content),
            Err(error) => {
                print_error(shown::line(&format!("warning: {error}")));
                None
            }
        };
        for finding in check_links(&self.file.form).into_iter().chain(offer) {
            print_error(shown::line(&format!("warning: {finding}")));
        }
    }

    /// Prints why Sinch blocked the order, in the words of its review team, and warns of a correction that corrects none
    /// of the data. The words can name persons, so they go to the terminal and nowhere else.
    async fn print_reasons(&self, order: &Id) -> Result<(), CommandError> {
        let Some(registration) = self.registration(order).await? else {
            return Ok(());
        };
        if !self.quiet {
            super::reasons::print(&registration);
        }
        if self.has_data_of(&registration) {
            print_error(
                "warning: Sinch has the form's data exactly as it is, so this corrects the documents at most",
            );
        }
        Ok(())
    }

    async fn begin_step(&self, kind: &StepKind) -> Result<Option<i64>, CommandError> {
        if self.is_foreign {
            return Ok(None);
        }
        let begun = self.journal.begin_step(kind).await?;
        Ok(Some(begun.id))
    }

    async fn end_step(&self, step: Option<i64>, outcome: StepOutcome) -> Result<(), CommandError> {
        if let Some(step) = step {
            self.journal.end_step(step, outcome, None).await?;
        }
        Ok(())
    }
}

/// Looks up what an order of this region and type requires.
pub(super) async fn look_up(
    client: &Client,
    region: &str,
    number_type: &NumberType,
) -> Result<Lookup, CommandError> {
    let look_up = async || client.look_up_requirements(region, number_type).await;
    Ok(patiently(look_up).await?)
}

/// Returns the rules in the answer of a lookup.
pub(super) fn rules(lookup: &Lookup) -> Rules {
    match lookup {
        Lookup::Requirements(answer) => Rules::understand(&answer.content),
        Lookup::NothingRequired(_) => Rules::default(),
    }
}

/// Converts the result of a step's calls to its outcome.
fn outcome_of<T>(done: &Result<T, StepError>) -> StepOutcome {
    match done {
        Ok(_) => StepOutcome::Succeeded,
        Err(error) => error.outcome(),
    }
}
