//! Registration of a form's data, and upload of its documents.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use number_order::{Id, StepKind, StepOutcome};
use order_form::{Document, FormDocument};
use sinch_numbers::api::{CallError, Failure, Registration, Upload};
use tokio::time::Instant;

use super::patience::patiently;
use super::uploads::{self, Next};
use super::{Placing, outcome_of};
use crate::commands::command_error::CommandError;

/// Maximum time for Sinch to take the uploads.
const UPLOADS_MAX: Duration = Duration::from_secs(120);

/// Pause between two looks at the uploads.
const LOOK: Duration = Duration::from_millis(500);

impl Placing {
    /// Registers the form's data. With `only_changes`, skips data that Sinch already has.
    pub async fn register(&self, order: &Id, only_changes: bool) -> Result<(), CommandError> {
        if !self.file.form.has_registration() {
            return Ok(());
        }
        let data = self.file.form.data();
        let registered = if only_changes {
            self.registration(order).await?
        } else {
            None
        };
        if registered
            .and_then(|registration| registration.data())
            .as_ref()
            == Some(&data)
        {
            return Ok(());
        }
        let put = async || self.follower.client.put_registration(order, &data).await;
        self.step(&StepKind::Register, put).await?;
        self.follower.say("registered");
        Ok(())
    }

    /// Uploads the form's documents, and waits until Sinch has taken them. With `only_changes`, skips those that Sinch
    /// already has.
    pub async fn upload(&self, order: &Id, only_changes: bool) -> Result<(), CommandError> {
        let documents: Vec<&FormDocument> = self.file.documents().collect();
        if documents.is_empty() {
            return Ok(());
        }
        let mut uploaded = self.uploaded().await?;
        if !only_changes {
            for document in &documents {
                self.send_document(order, document).await?;
                uploaded.insert(document.id.clone());
            }
        }
        let mut tries: u32 = 0;
        let until = Instant::now() + UPLOADS_MAX;
        loop {
            let registration = self.registration(order).await?;
            let mut waits = false;
            for document in &documents {
                let shown = uploads::status(registration.as_ref(), &document.id, &document.file);
                match uploads::next(shown.as_deref(), uploaded.contains(&document.id)) {
                    Next::Nothing => {}
                    Next::Wait => waits = true,
                    Next::Upload => {
                        tries += 1;
                        self.send_document(order, document).await?;
                        uploaded.insert(document.id.clone());
                        waits = true;
                    }
                }
            }
            if !waits {
                return Ok(());
            }
            if Instant::now() >= until || tries > 3 * documents.len() as u32 {
                return Err(CommandError::failure(
                    "Sinch has not taken all documents yet: run the same command again later, or send another file",
                ));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Uploads one document.
    async fn send_document(&self, order: &Id, document: &FormDocument) -> Result<(), CommandError> {
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
                .upload_attachment(order, &attachment, &upload)
                .await
        };
        self.step(&kind, send).await?;
        self.follower.say(&format!("uploaded: {}", document.id));
        Ok(())
    }

    /// Takes a step whose call may be repeated: records it, makes its call with repeats, and records the outcome.
    pub(super) async fn step<T>(
        &self,
        kind: &StepKind,
        call: impl AsyncFn() -> Result<T, CallError>,
    ) -> Result<T, CommandError> {
        let begun = self.begin_step(kind).await?;
        let done = patiently(call).await;
        self.end_step(begun, outcome_of(&done)).await?;
        Ok(done?)
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
