//! Placing of an order: the steps from a form to numbers that work. After any interruption the sequence can be resumed.
//!
//! The form goes straight from its file to Sinch. The service's journal has only the steps, and no registration data.

mod create;
pub(super) mod ending;
mod follow;
pub(super) mod follower;
pub(super) mod form_file;
mod journal;
mod patience;
mod ready;
mod registration;
mod uploads;

use std::path::Path;

use number_order::{Id, Standing, StepKind, StepOutcome};
use order_form::Rules;
use sinch_numbers::api::{CallError, Client, Lookup, NumberType, Repeat};

use self::create::Created;
use self::ending::Ending;
use self::follower::Follower;
use self::form_file::FormFile;
use self::journal::Journal;
use self::patience::patiently;
use crate::commands::command_error::CommandError;
use crate::commands::project_client;

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
    ) -> Result<Placing, CommandError> {
        let follower = Follower::open(config, options)?;
        let file = FormFile::read(form)?;
        let project = follower.client.project();
        let journal = Journal::new(follower.service.clone(), project, file.form.reference());
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

    /// Checks the form against the rules, and prints what it finds.
    ///
    /// # Errors
    ///
    /// Fails if Sinch would refuse the form for sure.
    pub fn check(&self) -> Result<(), CommandError> {
        self.file.judge(&self.rules, self.quiet)
    }

    /// Creates the order and goes on until its numbers are ready; with `wait` false, stops where it would have to wait
    /// for Sinch.
    pub async fn place(
        &self,
        second_order_risked: bool,
        wait: bool,
    ) -> Result<(Ending, Option<Id>), CommandError> {
        match self.create(second_order_risked).await? {
            Created::MayBe => Ok((Ending::MayBeCreated, None)),
            Created::Order(order) => {
                self.follower.is_known.set(true);
                self.follower.say(&format!("order {order}"));
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
        Ok(match self.create(second_order_risked).await? {
            Created::MayBe => (Ending::MayBeCreated, None),
            Created::Order(order) => (Ending::Done, Some(order)),
        })
    }

    /// Turns to an existing order. If the journal does not have it, its steps are not recorded.
    ///
    /// # Errors
    ///
    /// Fails if the form is that of another order.
    pub async fn adopt(&mut self, order: &Id) -> Result<(), CommandError> {
        let placement = self.journal.find().await?;
        let own = placement.and_then(|placement| placement.standing.order().cloned());
        if let Some(own) = own.as_ref().filter(|own| *own != order) {
            return Err(CommandError::usage(format!(
                "this is the form of the order {own}, not of {order}: name the form of this order"
            )));
        }
        self.is_foreign = own.is_none();
        self.follower.is_known.set(own.is_some());
        Ok(())
    }

    /// Prints Sinch's reasons. They can name persons, so they go to the terminal and nowhere else.
    pub async fn print_reasons(&self, order: &Id) -> Result<(), CommandError> {
        if let (Some(registration), false) = (self.registration(order).await?, self.quiet) {
            super::reasons::print(&registration);
        }
        Ok(())
    }

    /// Prints what [`Placing::place`] would do.
    pub async fn explain(&self) -> Result<(), CommandError> {
        let placement = self.journal.find().await?;
        let standing = placement.map(|placement| placement.standing);
        let standing = standing.unwrap_or(Standing::NotCreated);
        let form = &self.file.form;
        let create = format!(
            "create an order for {} {}",
            form.region(),
            form.number_type().as_str()
        );
        let first = match &standing {
            Standing::NotCreated => create,
            Standing::MayBeCreated { .. } => "find out if the order was created".to_owned(),
            Standing::Created { order } => format!("go on with the order {order}"),
            Standing::CreatedSeveral { .. } => {
                format!("go on with the last order, since it was {standing}")
            }
        };
        let mut steps = vec![first];
        if form.has_registration() {
            steps.push("register the form's data".to_owned());
        }
        steps.extend(
            self.file
                .documents()
                .map(|document| format!("upload {}", document.id)),
        );
        steps.push("submit it, and wait for the review, and until its numbers work".to_owned());
        self.follower.say(&format!(
            "Nothing was done. It would: {}.",
            steps.join("; ")
        ));
        Ok(())
    }

    async fn begin_step(&self, kind: &StepKind) -> Result<Option<i64>, CommandError> {
        if self.is_foreign {
            return Ok(None);
        }
        let begun = self.journal.begin_step(kind, None, false).await?;
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

/// Converts the result of a step's call to its outcome.
fn outcome_of<T>(done: &Result<T, CallError>) -> StepOutcome {
    match done {
        Ok(_) => StepOutcome::Succeeded,
        Err(error) if error.repeat() == Repeat::Forbidden => StepOutcome::Refused,
        Err(_) => StepOutcome::Unknown,
    }
}
