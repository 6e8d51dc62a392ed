//! Check of a form against the rules. It is no verdict: Sinch decides when the registration arrives.

mod documents;
mod fields;
mod links;
mod offer;

use std::borrow::Cow;
use std::io::ErrorKind;

use crate::finding::{Finding, FindingKind};
use crate::form::Form;
use crate::place::Place;
use crate::rules::Rules;
pub use links::check_links;
pub use offer::check_offer;

/// Source of the files that a form names.
pub trait Files {
    /// Returns the content of a file that a form names, given by its path as the form has it.
    ///
    /// # Errors
    ///
    /// Fails with the kind of the error if the file cannot be read.
    fn content(&self, file: &str) -> Result<Cow<'_, [u8]>, ErrorKind>;
}

/// Compares a form with the rules and returns the findings, by line of the form. Each file is read once.
pub fn check(form: &Form, rules: &Rules, files: &dyn Files) -> Vec<Finding> {
    let mut report = Report {
        form,
        findings: Vec::new(),
    };
    fields::check_registration(&mut report, rules);
    documents::check_documents(&mut report, rules, files);
    report.findings.sort_by_key(|finding| finding.line);
    report.findings
}

/// Report of a check: the form, and the findings so far.
struct Report<'a> {
    form: &'a Form,
    findings: Vec<Finding>,
}

impl Report<'_> {
    /// Adds a finding about a key of the form. If the key is absent, the finding stands at the table `holder`, which
    /// lacks it.
    fn add(&mut self, key: &Place, holder: &Place, kind: FindingKind) {
        self.findings.push(Finding {
            line: self.form.line(&[key, holder]),
            key: key.to_string(),
            kind,
        });
    }
}
