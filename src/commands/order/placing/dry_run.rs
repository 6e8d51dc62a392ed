//! What `order place` would do next, without any of it being done.

use number_order::{Id, Standing};
use serde_json::json;

use super::Placing;
use super::create::cannot_be_had;
use super::uploads::{self, NextAction};
use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;
use crate::commands::shown;

/// Steps that placing a form would take.
#[derive(Default)]
struct Plan {
    /// Facts that were found out, each a sentence.
    facts: Vec<String>,
    steps: Vec<String>,
    order: Option<Id>,
    state: Option<String>,
    /// `true` if the ordered number can be had; `None` if that was not asked.
    available: Option<bool>,
}

impl Placing {
    /// Prints what [`Placing::place`] would do, by the journal and by what Sinch shows.
    ///
    /// # Errors
    ///
    /// Fails where placing would fail for a reason that shows already.
    pub async fn dry_run(&self) -> Result<(), CommandError> {
        let placement = self.journal.find().await?;
        if let Some(placement) = &placement {
            self.check_reference(placement)?;
        }
        let mut plan = Plan::default();
        let standing = placement.as_ref().map(|placement| &placement.standing);
        match standing.unwrap_or(&Standing::NotCreated) {
            Standing::NotCreated => {
                self.warn_of_order().await;
                self.plan_create(&mut plan).await?;
            }
            Standing::MayBeCreated { .. } => {
                plan.facts.push(
                    "A create of this form has no known outcome, so an order may exist".to_owned(),
                );
                self.find_availability(&mut plan).await?;
                plan.steps.push(match plan.available {
                    Some(true) => {
                        "create the order again, since the number is available".to_owned()
                    }
                    Some(false) | None => {
                        "find out if the order was created, and create none before that".to_owned()
                    }
                });
            }
            standing @ (Standing::Created { .. } | Standing::CreatedSeveral { .. }) => {
                let order = standing.order().cloned();
                plan.facts.push(format!("The order was {standing}"));
                if let Some(order) = order {
                    self.follower.is_known.set(true);
                    self.compare(&order).await?;
                    self.plan_rest(&mut plan, order).await?;
                }
            }
        }
        self.print(&plan);
        Ok(())
    }

    async fn plan_create(&self, plan: &mut Plan) -> Result<(), CommandError> {
        self.find_availability(plan).await?;
        if let (Some(number), Some(false)) = (self.number(), plan.available) {
            return Err(cannot_be_had(number));
        }
        let form = &self.file.form;
        let product = format!("{} {}", form.region(), form.number_type().as_str());
        plan.steps.push(format!("create an order for {product}"));
        if form.has_registration() {
            plan.steps.push("register the form's data".to_owned());
        }
        let documents = self.file.documents();
        let uploads = documents.map(|document| format!("upload {}", document.id));
        plan.steps.extend(uploads);
        plan.add(&[
            "submit it",
            "wait for the review",
            "wait until its numbers work",
        ]);
        Ok(())
    }

    async fn find_availability(&self, plan: &mut Plan) -> Result<(), CommandError> {
        if let Some(number) = self.number() {
            let is_available = self.is_available(number).await?;
            plan.available = Some(is_available);
            plan.facts.push(format!(
                "{} {} at present",
                number.as_str(),
                if is_available {
                    "can be had"
                } else {
                    "cannot be had"
                }
            ));
        }
        Ok(())
    }

    /// Plans the steps that an existing order still needs.
    async fn plan_rest(&self, plan: &mut Plan, order: Id) -> Result<(), CommandError> {
        let state = self.follower.state(&order).await?;
        plan.facts.push(format!("Its state is {state}"));
        match state.as_str() {
            "CREATED" if self.was_submitted().await? => {
                plan.add(&["wait for the review", "wait until its numbers work"]);
            }
            "CREATED" => {
                if self.file.form.has_registration() && !self.is_registered(&order).await? {
                    plan.steps.push("register the form's data".to_owned());
                }
                let registration = self.registration(&order).await?;
                for sending in self.sendings().await? {
                    let document = sending.document;
                    let shown = uploads::shown(registration.as_ref(), &document.id, &document.file);
                    if sending.next(shown.as_ref()) == NextAction::Upload {
                        plan.steps.push(format!("upload {}", document.id));
                    }
                }
                plan.add(&[
                    "submit it",
                    "wait for the review",
                    "wait until its numbers work",
                ]);
            }
            "BLOCKED" => plan.facts.push(
                "`order place` corrects nothing: correct the form, and run `order fix`".to_owned(),
            ),
            "REJECTED" | "EXPIRED" => plan
                .facts
                .push("It is over: a new order needs a form with a new reference".to_owned()),
            "COMPLETED" => plan.add(&["wait until its numbers work"]),
            _ => plan.add(&["wait for the review", "wait until its numbers work"]),
        }
        plan.state = Some(state);
        plan.order = Some(order);
        Ok(())
    }

    fn print(&self, plan: &Plan) {
        if self.quiet {
            let plan = json!({
                "reference": self.reference(),
                "order": plan.order.as_ref().map(Id::as_str),
                "state": plan.state,
                "available": plan.available,
                "next": plan.steps.first(),
                "steps": plan.steps,
                "facts": plan.facts,
            });
            print_line(shown::json(&json!({ "dry_run": plan }).to_string()));
            return;
        }
        for fact in &plan.facts {
            print_line(shown::line(&format!("{fact}.")));
        }
        let would = match plan.steps.split_first() {
            None => "It would do nothing.".to_owned(),
            Some((next, [])) => format!("Next it would {next}."),
            Some((next, rest)) => format!("Next it would {next}; then {}.", rest.join("; ")),
        };
        print_line(shown::line(&format!("Nothing was done. {would}")));
    }
}

impl Plan {
    fn add(&mut self, steps: &[&str]) {
        self.steps.extend(steps.iter().map(|&step| step.to_owned()));
    }
}
