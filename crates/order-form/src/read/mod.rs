//! Reading of a form's text.

mod order;
mod registration;
mod table;

use toml::de::{DeTable, DeValue};

use crate::fault::FormFault;
use crate::form::{Form, FormDocument};
use table::{Reading, Table, line};

/// Maximum length of the reference in a form.
const REFERENCE_MAX_CHARS: usize = 64;

impl Form {
    /// Reads the text of a form that was filled in.
    ///
    /// # Errors
    ///
    /// Fails with all faults of the form, by line: a text that is no TOML (then those faults alone), an unknown key
    /// outside of the registration, a value of the wrong kind, a missing or contradictory one.
    pub fn read(text: &str) -> Result<Form, Vec<FormFault>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| toml_fault(text, error)).collect());
        }
        let mut reading = Reading::begin(text);
        let root = Table::root(table.get_ref());
        let known = ["reference", "order", "registration", "documents"];
        reading.refuse_unknown(&root, &known);
        let reference = read_reference(&mut reading, &root);
        let order = order::read(&mut reading, &root);
        let parts = registration::read(&mut reading, &root);
        let documents = read_documents(&mut reading, &root);
        let (lines, faults) = reading.finish();
        match (reference, order) {
            (Some(reference), Some(order)) if faults.is_empty() => Ok(Form {
                reference,
                order,
                parts,
                documents,
                lines,
            }),
            _ => Err(faults),
        }
    }
}

/// Returns the fault of a text that is no TOML. The library's message never quotes the text.
fn toml_fault(text: &str, error: &toml::de::Error) -> FormFault {
    FormFault {
        line: line(text, error.span().map_or(0, |span| span.start)),
        key: String::new(),
        what: format!("not TOML: {}", error.message()),
        cure: "write texts in double quotes, each key once, and one key a line".to_owned(),
    }
}

fn read_reference(reading: &mut Reading<'_>, root: &Table<'_, '_>) -> Option<String> {
    let cure = "write 1 to 64 lower-case letters, digits and hyphens, a new name for each order";
    let reference = reading.required_text(root, "reference", cure)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if reference.len() <= REFERENCE_MAX_CHARS && reference.chars().all(fits) {
        return Some(reference);
    }
    reading.fault(root, "reference", "cannot name an order", cure);
    None
}

fn read_documents(reading: &mut Reading<'_>, root: &Table<'_, '_>) -> Vec<FormDocument> {
    let cure = "write each document as a table of its own under [[documents]]";
    let tables = match root.get("documents") {
        None => return Vec::new(),
        Some(DeValue::Array(list)) => root.entries("documents", list),
        Some(_) => None,
    };
    let Some(tables) = tables else {
        reading.fault(root, "documents", "is no list of tables", cure);
        return Vec::new();
    };
    let mut documents = Vec::new();
    for table in &tables {
        reading.note(table);
        reading.refuse_unknown(table, &["id", "file", "type"]);
        let id = reading.required_text(table, "id", "write the id of a required document");
        let file = reading.text(table, "file").unwrap_or_default();
        let document_type = reading.text(table, "type");
        documents.extend(id.map(|id| FormDocument {
            id,
            file,
            document_type,
        }));
    }
    documents
}
