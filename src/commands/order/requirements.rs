//! `order requirements`: what an order needs, as a list or as a form to fill in.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use order_form::{Blank, Choices, Document, Field, Rules, write};
use sinch_numbers::api::{Lookup, PhoneNumber};

use super::placing;
use crate::commands::command_error::CommandError;
use crate::commands::file_fault::FileFault;
use crate::commands::output::{print_line, print_wrapped};
use crate::commands::project_client::{self, Options};
use crate::commands::selection::{self, Product};
use crate::commands::shown;

/// Arguments of `order requirements`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    product: Product,
    /// Write a form to fill in, into a new file.
    #[arg(long, value_name = "FILE")]
    form: Option<PathBuf>,
    /// Number to order, for the form.
    #[arg(long, value_name = "NUMBER", requires = "form", value_parser = selection::number)]
    number: Option<PhoneNumber>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Prints the requirements, or writes the form.
pub(super) async fn run(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let opened = project_client::open(config, arguments.options.project.as_deref())?;
    let product = &arguments.product;
    let lookup = placing::look_up(&opened.client, &product.region, &product.number_type).await?;
    match &arguments.form {
        Some(path) => return write_form(path, arguments, &placing::rules(&lookup)),
        None if arguments.options.json => print_json(&lookup),
        None => print(&placing::rules(&lookup)),
    }
    Ok(())
}

/// Prints the lookup's answer in Sinch's own words.
fn print_json(lookup: &Lookup) {
    match lookup {
        Lookup::Requirements(answer) => {
            print_line(shown::json(&String::from_utf8_lossy(&answer.body)));
        }
        Lookup::NothingRequired(_) => print_line("{}"),
    }
}

fn write_form(path: &Path, arguments: &Arguments, rules: &Rules) -> Result<(), CommandError> {
    let unwritten = |error: std::io::Error| {
        let fault = FileFault::from(error);
        CommandError::form(format!("{}: {fault}", path.display()))
    };
    let number_type = arguments
        .product
        .number_type
        .as_str()
        .to_ascii_lowercase()
        .replace('_', "-");
    let random: String = (0..6).map(|_| fastrand::lowercase()).collect();
    let reference = format!(
        "{}-{number_type}-{random}",
        arguments.product.region.to_ascii_lowercase()
    );
    let blank = Blank {
        reference: &reference,
        region: &arguments.product.region,
        number_type: &arguments.product.number_type,
        number: arguments.number.as_ref(),
    };
    // What is filled in is personal data, so nobody else may read the file.
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(unwritten)?;
    file.write_all(write(&blank, rules).as_bytes())
        .map_err(unwritten)?;
    print_line(format_args!(
        "Fill in {}, then: sinch-callbacks order check {}",
        path.display(),
        path.display()
    ));
    Ok(())
}

fn print(rules: &Rules) {
    if rules.parts.is_empty() && rules.documents.is_empty() && rules.not_understood.is_empty() {
        print_line("Sinch requires nothing for such numbers.");
    }
    for (index, part) in rules.parts.iter().enumerate() {
        print_line(format_args!("Part {} of the registration:", index + 1));
        for field in &part.fields {
            print_field(field);
        }
    }
    for document in &rules.documents {
        print_document(document);
    }
    let parts = rules.parts.iter().flat_map(|part| &part.not_understood);
    for piece in rules.not_understood.iter().chain(parts) {
        print_line(shown::line(&format!(
            "Not understood, from Sinch, {}: {}",
            piece.place, piece.json
        )));
    }
}

fn print_field(field: &Field) {
    let need = if field.is_required {
        "required"
    } else {
        "optional"
    };
    let mut text = need.to_owned();
    let limit = |text: &mut String, name: &str, limit: Option<u64>| {
        if let Some(limit) = limit {
            text.push_str(&format!(", {name} {limit} characters"));
        }
    };
    limit(&mut text, "at least", field.min_length);
    limit(&mut text, "at most", field.max_length);
    if let Some(title) = &field.title {
        text.push_str(&format!(": {title}"));
    }
    if let Some(description) = &field.description {
        text.push_str(&format!(" ({description})"));
    }
    if let Some(Choices::Confirmation) = &field.choices {
        text.push_str("; must be confirmed");
    }
    if let Some(Choices::OneOf(choices)) = &field.choices {
        let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
        text.push_str(&format!("; one of {}", choices.join(", ")));
    }
    print_wrapped(
        &format!("  {:<28}  ", shown::line(&field.name)),
        &shown::line(&text),
    );
}

fn print_document(document: &Document) {
    let need = if document.is_mandatory {
        "mandatory"
    } else {
        "optional"
    };
    let title = document.title.as_deref().unwrap_or_default();
    let types = document.document_types.join(", ");
    let media = document.media_types.join(", ");
    let text = [need, title, &types, &media]
        .iter()
        .filter(|text| !text.is_empty())
        .copied()
        .collect::<Vec<_>>();
    print_wrapped(
        &format!("Document {}  ", shown::line(&document.id)),
        &shown::line(&text.join("; ")),
    );
}
