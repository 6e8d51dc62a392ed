//! `order check`: a form and its files, judged before anything is created.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use order_form::{check_links, check_offer};
use serde_json::{Value, json};

use super::placing::form_file::FormFile;
use crate::commands::command_error::CommandError;
use crate::commands::output::{print_error, print_line};
use crate::commands::project_client::{self, Options};
use crate::commands::shown;

/// Arguments of `order check`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The form; `order requirements --form` writes one.
    #[arg(value_name = "FORM")]
    form: PathBuf,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Judges a form against what Sinch requires and offers now.
pub(super) async fn run(
    config: Option<&Path>,
    arguments: &Arguments,
) -> Result<ExitCode, CommandError> {
    let file = FormFile::read(&arguments.form)?;
    let opened = project_client::open(config, arguments.options.project.as_deref())?;
    let rules = file.rules(&opened.client).await?;
    let mut findings = file.findings(&rules);
    findings.extend(check_links(&file.form));
    match opened.client.list_regions(&[]).await {
        Ok(answer) => findings.extend(check_offer(&file.form, &answer.content)),
        // The list is only a hint.
        Err(error) => print_error(shown::line(&format!("warning: {error}"))),
    }
    if arguments.options.json {
        let list: Vec<Value> = findings.iter().map(as_json).collect();
        print_line(shown::json(&json!(list).to_string()));
        // The findings are the JSON, so an error is said in words alone.
        return Ok(match FormFile::judge(findings, |_| {}) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => error.report_in_words(),
        });
    }
    FormFile::judge(findings, print_line)?;
    print_line(
        "Nothing in the form is sure to be refused. That is a check, and no verdict: Sinch decides.",
    );
    Ok(ExitCode::SUCCESS)
}

fn as_json(finding: &order_form::Finding) -> Value {
    let severity: &str = finding.severity().into();
    json!({ "line": finding.line, "key": finding.key, "severity": severity, "code": finding.kind.code(), "text": finding.to_string() })
}
