//! Registration of a form's data, and upload of its documents.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use number_order::{Id, StepKind, StepOutcome};
use order_form::{Document, FormDocument};
use sinch_numbers::api::{CallError, Failure, Registration, Upload};
use tokio::time::Instant;

use super::patience::patiently;
use super::step_error::StepError;
use super::uploads::{self, NextAction, ShownUpload};
use super::{Placing, outcome_of};
use crate::commands::command_error::CommandError;

/// Maximum time for Sinch to take the uploads.
const UPLOADS_MAX: Duration = Duration::from_secs(120);

/// Maximum number of times that one document is uploaded in a run.
const UPLOADS_OF_ONE: u32 = 4;

/// Time after an upload within which a status FAILED may still be about the upload before it.
const FAILED_LAG: Duration = Duration::from_secs(20);

/// Pause between two looks at the uploads.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Order on which a step acts.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands::order) struct Target<'a> {
    pub order: &'a Id,
    /// State for which the step is meant; `None`: the user asked for the step, whatever the state.
    pub from: Option<&'static str>,
}

/// Document on its way to Sinch.
pub(super) struct Sending<'a> {
    pub document: &'a FormDocument,
    /// `true` if an upload was answered with success, in this run or, by the journal, in an earlier one.
    uploaded: bool,
    /// Number of uploads in this run.
    count: u32,
    /// What Sinch showed of the document just before the last upload of this run, and the time of that upload.
    before: Option<(Option<ShownUpload>, Instant)>,
}

impl Sending<'_> {
    /// Returns the next action, by what the registration shows.
    pub fn next(&self, shown: Option<&ShownUpload>) -> NextAction {
        let is_old = self
            .before
            .as_ref()
            .is_some_and(|(before, at)| before.as_ref() == shown && at.elapsed() < FAILED_LAG);
        let status = shown.and_then(|shown| shown.status.as_deref());
        uploads::next(status, self.uploaded, is_old)
    }
}

impl Placing {
    /// Registers the form's data. With `only_changes`, skips data that Sinch already has.
    pub async fn register(&self, target: Target<'_>, only_changes: bool) -> Result<(), StepError> {
        let order = target.order;
        if !self.file.form.has_registration() || only_changes && self.is_registered(order).await? {
            return Ok(());
        }
        let data = self.file.form.data();
        let put = async || self.follower.client.put_registration(order, &data).await;
        self.step(target, &StepKind::Register, put).await?;
        self.follower.say("registered");
        Ok(())
    }

    /// Returns `true` if Sinch has the form's data.
    pub(super) async fn is_registered(&self, order: &Id) -> Result<bool, CommandError> {
        let registration = self.registration(order).await?;
        Ok(registration.is_some_and(|registration| self.has_data_of(&registration)))
    }

    /// Returns `true` if the registration has the form's data.
    pub(super) fn has_data_of(&self, registration: &Registration) -> bool {
        registration.data().as_ref() == Some(&self.file.form.data())
    }

    /// Uploads the form's documents, and waits until Sinch has taken them. With `only_changes`, skips those that Sinch
    /// already has.
    pub async fn upload(&self, target: Target<'_>, only_changes: bool) -> Result<(), StepError> {
        let order = target.order;
        let mut sendings = self.sendings().await?;
        if sendings.is_empty() {
            return Ok(());
        }
        let until = Instant::now() + UPLOADS_MAX;
        let mut sends_all = !only_changes;
        loop {
            let registration = self.registration(order).await?;
            let mut waits = false;
            for sending in &mut sendings {
                let FormDocument { id, file, .. } = sending.document;
                let shown = uploads::shown(registration.as_ref(), id, file);
                match sending.next(shown.as_ref()) {
                    NextAction::Nothing if !sends_all => {}
                    NextAction::Wait if !sends_all => waits = true,
                    NextAction::Upload | NextAction::Nothing | NextAction::Wait => {
                        if sending.count == UPLOADS_OF_ONE {
                            return Err(unusable(id));
                        }
                        self.send_document(target, sending, shown).await?;
                        waits = true;
                    }
                }
            }
            sends_all = false;
            if !waits {
                return Ok(());
            }
            if Instant::now() >= until {
                let error = CommandError::failure(
                    "Sinch has not taken all documents yet: run the same command again later",
                );
                return Err(error.into());
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Returns the form's documents, none of them uploaded in this run yet.
    pub(super) async fn sendings(&self) -> Result<Vec<Sending<'_>>, CommandError> {
        let documents: Vec<&FormDocument> = self.file.documents().collect();
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let uploaded = self.uploaded().await?;
        let sendings = documents.into_iter().map(|document| Sending {
            document,
            uploaded: uploaded.contains(&document.id),
            count: 0,
            before: None,
        });
        Ok(sendings.collect())
    }

    /// Uploads one document. `before` is what Sinch showed of it just before.
    async fn send_document(
        &self,
        target: Target<'_>,
        sending: &mut Sending<'_>,
        before: Option<ShownUpload>,
    ) -> Result<(), StepError> {
        let document = sending.document;
        let content = self.file.open(&document.file)?;
        let rules = self
            .rules
            .documents
            .iter()
            .find(|rule| rule.id == document.id);
        let media_type = rules
            .cloned()
            .unwrap_or_else(Document::default)
            .media_type(&content);
        let attachment = Id::new(document.id.as_str()).ok_or_else(|| {
            CommandError::failure(
                "the id of a document cannot stand in a path; take it from `order requirements`",
            )
        })?;
        let upload = Upload::new(
            uploads::file_name(Path::new(&document.file)),
            media_type,
            content,
        );
        let upload = upload.map_err(|error| CommandError::failure(error.to_string()))?;
        let upload = match &document.document_type {
            Some(document_type) => upload.with_document_type(document_type),
            None => upload,
        };
        let kind = StepKind::Attach {
            attachment: document.id.clone(),
        };
        let send = async || {
            self.follower
                .client
                .upload_attachment(target.order, &attachment, &upload)
                .await
        };
        self.step(target, &kind, send).await?;
        let said = if sending.count == 0 {
            format!("uploaded: {}", document.id)
        } else {
            format!(
                "uploaded again: {}, since Sinch has shown the upload as FAILED; it gives no reason, and no cure is \
                 known but another try",
                document.id
            )
        };
        self.follower.say(&said);
        sending.uploaded = true;
        sending.count += 1;
        sending.before = Some((before, Instant::now()));
        Ok(())
    }

    /// Takes a step whose call may be repeated: records it, makes its call with repeats, and records the outcome.
    pub(super) async fn step<T>(
        &self,
        target: Target<'_>,
        kind: &StepKind,
        call: impl AsyncFn() -> Result<T, CallError>,
    ) -> Result<T, StepError> {
        let outages = self.follower.service.outages();
        let begun = self.begin_step(kind).await?;
        let is_interrupted = Cell::new(self.follower.service.outages() != outages);
        let is_sent = Cell::new(false);
        let send = async || {
            if is_interrupted.replace(true) {
                self.stands(target, is_sent.get()).await?;
            }
            is_sent.set(true);
            Ok(call().await?)
        };
        let done = patiently(send).await;
        self.end_step(begun, outcome_of(&done)).await?;
        done
    }

    /// Checks after an outage that the order is still in the state for which a step is meant: another command, or Sinch,
    /// may have moved it on.
    ///
    /// # Errors
    ///
    /// Fails if it is in another one. `is_sent` says that a request of the step may have taken effect.
    pub(super) async fn stands(&self, target: Target<'_>, is_sent: bool) -> Result<(), StepError> {
        let Some(from) = target.from else {
            return Ok(());
        };
        if self.follower.state(target.order).await? == from {
            return Ok(());
        }
        Err(StepError::MovedOn {
            outcome: if is_sent {
                StepOutcome::Unknown
            } else {
                StepOutcome::Refused
            },
        })
    }

    /// Fetches the registration; `None` if there is none.
    pub(super) async fn registration(
        &self,
        order: &Id,
    ) -> Result<Option<Registration>, CommandError> {
        match patiently(async || self.follower.client.get_registration(order).await).await {
            Ok(answer) => Ok(Some(answer.content)),
            Err(error) if error.request.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the ids of the documents whose upload the journal shows as succeeded.
    async fn uploaded(&self) -> Result<BTreeSet<String>, CommandError> {
        if self.is_foreign {
            return Ok(BTreeSet::new());
        }
        let steps = self
            .journal
            .find()
            .await?
            .map_or_else(Vec::new, |placement| placement.steps);
        let done = |outcome: Option<StepOutcome>| outcome == Some(StepOutcome::Succeeded);
        let ids = steps
            .into_iter()
            .filter(|step| done(step.outcome))
            .filter_map(|step| match step.kind {
                StepKind::Attach { attachment } => Some(attachment),
                StepKind::Create | StepKind::Register | StepKind::Submit => None,
            });
        Ok(ids.collect())
    }
}

/// Returns the error of a document that Sinch shows as FAILED after each upload.
fn unusable(id: &str) -> StepError {
    let error = CommandError::failure(format!(
        "Sinch could not use the document {id}, uploaded {UPLOADS_OF_ONE} times: send another file, or run the same \
         command again later"
    ));
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_from_before_an_upload_is_not_taken_for_its_own() {
        let document = FormDocument {
            id: "passport".to_owned(),
            file: "passport.pdf".to_owned(),
            document_type: None,
        };
        let failed = |updated_at: &str| ShownUpload {
            status: Some("FAILED".to_owned()),
            updated_at: Some(updated_at.to_owned()),
        };
        let sent = |before: Option<ShownUpload>| Sending {
            document: &document,
            uploaded: true,
            count: 1,
            before: Some((before, Instant::now())),
        };
        for (before, then) in [
            (None, NextAction::Upload),
            (Some(failed("1")), NextAction::Upload),
            (Some(failed("2")), NextAction::Wait),
        ] {
            let next = sent(before.clone()).next(Some(&failed("2")));
            assert_eq!(next, then, "{before:?}");
        }
    }
}
