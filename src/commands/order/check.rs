//! `order check`: a form and its files, judged before anything is created.

use std::path::{Path, PathBuf};

use order_form::check;
use serde_json::{Value, json};

use super::placing::form_file::FormFile;
use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;
use crate::commands::project_client::{self, Options};
use crate::commands::shown;

/// Arguments of `order check`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The form.
    #[arg(value_name = "FORM")]
    form: PathBuf,
    #[command(flatten)]
    options: Options,
}

/// Judges a form against what Sinch requires now.
pub(super) async fn run(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let file = FormFile::read(&arguments.form)?;
    let opened = project_client::open(config, arguments.options.project.as_deref())?;
    let rules = file.rules(&opened.client).await?;
    if arguments.options.json {
        let findings = check(&file.form, &rules, &file);
        let findings: Vec<Value> = findings.iter().map(as_json).collect();
        print_line(shown::json(&json!(findings).to_string()));
        return file.judge(&rules, true);
    }
    file.judge(&rules, false)?;
    print_line(
        "Nothing in the form is sure to be refused. That is a check, and no verdict: Sinch decides.",
    );
    Ok(())
}

fn as_json(finding: &order_form::Finding) -> Value {
    let severity: &str = finding.severity().into();
    json!({ "line": finding.line, "key": finding.key, "severity": severity, "code": finding.kind.code(), "text": finding.to_string() })
}
