//! `openapi`: the document that describes the operators' API.

use std::process::ExitCode;

use super::output::print_line;
use crate::http::operators;

/// Prints the document.
pub fn run() -> ExitCode {
    print_line(operators::document_text().trim_end());
    ExitCode::SUCCESS
}
