//! The form's file, and the files that it names.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use order_form::{Files, Finding, Form, FormDocument, Rules, Severity, check};
use sinch_numbers::api::Client;

use crate::commands::command_error::CommandError;
use crate::commands::file_fault::FileFault;
use crate::commands::shown;
use crate::files::{read_limited, read_text_limited};

/// Maximum size of a form, in bytes: far more than any form has.
const FORM_MAX_BYTES: u64 = 1024 * 1024;

/// Maximum size of a document, in bytes. Sinch publishes no limit; this one is for the memory of the program, which
/// holds the whole document.
const DOCUMENT_MAX_BYTES: u64 = 64 * 1024 * 1024;

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
        let text = read_text_limited(path, FORM_MAX_BYTES).map_err(|error| {
            let fault = FileFault::from(error);
            CommandError::form(format!("{}: {fault}", path.display()))
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
        self.read_document(file).map_err(|error| {
            let fault = FileFault::from(error);
            CommandError::form(format!("a document of the form: {fault}"))
        })
    }

    fn read_document(&self, file: &str) -> io::Result<Vec<u8>> {
        read_limited(&self.folder.join(file), DOCUMENT_MAX_BYTES)
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
        let content = self.read_document(file);
        content.map(Cow::Owned).map_err(|error| error.kind())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    const FORM: &str =
        "reference = \"form\"\n[order]\nregion = \"AU\"\ntype = \"MOBILE\"\nquantity = 1\n";

    /// Makes a pipe that nobody ever writes to, a file that is larger than the limit by a byte, and names for what else
    /// is no form and no document.
    fn unusable_files(folder: &Path, max_bytes: u64) -> [(PathBuf, &'static str); 4] {
        let [pipe, large] = ["pipe", "large"].map(|name| folder.join(name));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made");
        let file = fs::File::create(&large).expect("made");
        file.set_len(max_bytes + 1).expect("made so long");
        [
            (pipe, "it is not a regular file"),
            ("/dev/zero".into(), "it is not a regular file"),
            (folder.to_owned(), "it is a folder"),
            (large, "it is too large: more than"),
        ]
    }

    #[test]
    fn a_form_is_a_regular_file_up_to_a_size() {
        let folder = tempfile::tempdir().expect("a folder");
        let form = folder.path().join("form.toml");
        fs::write(&form, FORM).expect("written");
        assert!(FormFile::read(&form).is_ok());
        for (path, said) in unusable_files(folder.path(), FORM_MAX_BYTES) {
            let error = FormFile::read(&path).expect_err("no form");
            let error = format!("{error:?}");
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_document_is_a_regular_file_up_to_a_size() {
        let folder = tempfile::tempdir().expect("a folder");
        let form = folder.path().join("form.toml");
        fs::write(&form, FORM).expect("written");
        let form = FormFile::read(&form).expect("a form");
        assert!(form.open("form.toml").is_ok() && form.content("form.toml").is_ok());
        for (path, said) in unusable_files(folder.path(), DOCUMENT_MAX_BYTES) {
            let path = path.to_str().expect("a path");
            let error = form.open(path).expect_err("no document");
            let error = format!("{error:?}");
            assert!(error.contains(said), "{error}");
            assert!(form.content(path).is_err(), "{path}");
        }
    }
}
