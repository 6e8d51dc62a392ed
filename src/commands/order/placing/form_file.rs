//! The form's file, and the files that it names.

use std::borrow::Cow;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use order_form::{Files, Finding, Form, FormDocument, Rules, Severity, check};
use sinch_numbers::api::Client;

use crate::commands::command_error::CommandError;
use crate::commands::file_fault::FileFault;
use crate::commands::shown;

/// A form that was read, and the folder to which its paths are relative.
#[derive(Debug)]
pub(in crate::commands::order) struct FormFile {
    pub form: Form,
    folder: PathBuf,
}

impl FormFile {
    /// Reads a form.
    ///
    /// # Errors
    ///
    /// Returns all faults of the form. No message contains a value of the registration.
    pub fn read(path: &Path) -> Result<FormFile, CommandError> {
        let unread = |error: std::io::Error| {
            let fault = FileFault::from(error);
            CommandError::form(format!("{}: {fault}", path.display()))
        };
        let text = fs::read(path).map_err(unread)?;
        let text = String::from_utf8(text).map_err(|_| {
            CommandError::form(format!(
                "{}: it is no UTF-8 text; save it as UTF-8",
                path.display()
            ))
        })?;
        let form = Form::read(&text).map_err(|faults| {
            let lines = faults.iter();
            CommandError::forms(lines.map(|fault| format!("{}: {fault}", path.display())))
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(FormFile { form, folder })
    }

    /// Returns the content of a file that the form names.
    pub fn open(&self, file: &str) -> Result<Vec<u8>, CommandError> {
        fs::read(self.folder.join(file)).map_err(|error| {
            let fault = FileFault::from(error);
            CommandError::form(format!("a document of the form: {fault}"))
        })
    }

    /// Returns the documents for which the form names a file.
    pub fn documents(&self) -> impl Iterator<Item = &FormDocument> {
        let documents = self.form.documents().iter();
        documents.filter(|document| !document.file.is_empty())
    }

    /// Looks up what the form must fulfil.
    pub async fn rules(&self, client: &Client) -> Result<Rules, CommandError> {
        let form = &self.form;
        let lookup = super::look_up(client, form.region(), form.number_type()).await?;
        Ok(super::rules(&lookup))
    }

    /// Compares the form with the rules, and returns what was found.
    pub fn findings(&self, rules: &Rules) -> Vec<Finding> {
        check(&self.form, rules, self)
    }

    /// Hands each finding that is only doubtful to `warn`, as a warning.
    ///
    /// # Errors
    ///
    /// Returns all findings for which Sinch would certainly refuse the form.
    pub fn judge(findings: Vec<Finding>, warn: impl Fn(String)) -> Result<(), CommandError> {
        let (refused, doubtful): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .partition(|finding| finding.severity() == Severity::Refused);
        for finding in doubtful {
            warn(shown::line(&format!("warning: {finding}")));
        }
        if refused.is_empty() {
            return Ok(());
        }
        Err(CommandError::forms(refused.iter()))
    }
}

impl Files for FormFile {
    fn content(&self, file: &str) -> Result<Cow<'_, [u8]>, ErrorKind> {
        let content = fs::read(self.folder.join(file));
        content.map(Cow::Owned).map_err(|error| error.kind())
    }
}
