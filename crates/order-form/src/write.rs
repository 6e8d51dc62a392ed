//! Writing of a form for a person to fill in.
//!
//! Titles, descriptions and names come from Sinch. In comments their control characters are replaced, and as keys and
//! values they are quoted, so that whatever they hold the form stays one, and a terminal shows nothing but text.

use sinch_numbers::api::{NumberType, PhoneNumber};

use crate::choice::{in_words, texts_in_words};
use crate::place::{Place, disturbs_line, toml_key, toml_text};
use crate::rules::{Choices, Document, Field, FieldKind, NotUnderstood, Part, Rules};

/// Maximum width of a line of comment, in characters. A longer word, such as a URL, stays whole.
const COMMENT_WIDTH: usize = 100;

/// Facts about an order that are known before its form is filled in.
#[derive(Clone, Debug)]
pub struct Blank<'a> {
    /// Fresh reference of the order: 1 to 64 lower-case letters, digits and hyphens.
    pub reference: &'a str,
    /// Region of the ordered numbers, as ISO 3166-1 has it.
    pub region: &'a str,
    /// Type of the ordered numbers.
    pub number_type: &'a NumberType,
    /// Number that is ordered, if one was chosen.
    pub number: Option<&'a PhoneNumber>,
}

/// Writes the form of an order: TOML, with a comment on each field. A required field stands empty, an optional one is
/// commented out.
pub fn write(blank: &Blank<'_>, rules: &Rules) -> String {
    let mut form = Writer::default();
    form.write_order(blank);
    for piece in &rules.not_understood {
        form.blank_line();
        form.write_piece(piece);
    }
    if !rules.parts.is_empty() {
        form.blank_line();
        form.write_comment(
            "Registration. It goes to Sinch and nowhere else. A part that can be given several times is a list: write \
             [[registration.1]] instead of [registration.1], once for each. Sinch does not say for which parts that \
             holds; in its only sample the first is a list of one, and the others are none.",
        );
    }
    let number = blank.number.map(PhoneNumber::as_str);
    for (n, part) in rules.parts.iter().enumerate() {
        form.write_part(n + 1, part, number);
    }
    for document in &rules.documents {
        form.write_document(document);
    }
    form.0
}

/// Writer of a form: the text so far.
#[derive(Default)]
struct Writer(String);

impl Writer {
    fn blank_line(&mut self) {
        self.0.push('\n');
    }

    fn write_line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Writes a comment of the form, wrapped.
    fn write_comment(&mut self, text: &str) {
        let options = textwrap::Options::new(COMMENT_WIDTH)
            .initial_indent("# ")
            .subsequent_indent("# ")
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        for paragraph in printable(text)
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            for line in textwrap::wrap(paragraph, &options) {
                self.write_line(line.trim_end());
            }
        }
    }

    /// Writes a key of the form with its value, or comments it out.
    fn write_entry(&mut self, key: &str, value: &str, is_given: bool) {
        let mark = if is_given { "" } else { "#" };
        self.write_line(&format!("{mark}{} = {}", toml_key(key), toml_text(value)));
    }

    fn write_order(&mut self, blank: &Blank<'_>) {
        self.write_comment(
            "Form of a number order. Fill in what stands empty. What is commented out is optional: remove the # before \
             its name to give it.",
        );
        self.blank_line();
        self.write_comment(
            "Names this one order. Run again with the same reference, the order goes on; it is never placed twice.",
        );
        self.write_entry("reference", blank.reference, true);
        self.blank_line();
        self.write_line("[order]");
        self.write_entry("region", blank.region, true);
        self.write_entry("type", blank.number_type.as_str(), true);
        self.write_comment("Either this number:");
        let number = blank.number.map_or("", PhoneNumber::as_str);
        self.write_entry("number", number, true);
        self.write_comment(
            "or, instead of it, so many that Sinch chooses, from 1 to 100. The digits of a pattern stand at the START, \
             at the END, or anywhere (CONTAINS).",
        );
        self.write_line("#quantity = 1");
        self.write_line("#pattern = \"\"");
        self.write_line("#search = \"START\"");
        self.write_line("#sequential = true");
        self.write_line("#capabilities = [\"SMS\", \"VOICE\"]");
        self.blank_line();
        self.write_comment(
            "Link for text messages: remove the # before [order.sms] and service_plan_id, and give the id of the \
             service plan. Without a link the number is active, and no text message reaches it. A campaign is only for \
             text messages to the US.",
        );
        self.write_line("#[order.sms]");
        self.write_line("#service_plan_id = \"\"");
        self.write_line("#campaign_id = \"\"");
        self.blank_line();
        self.write_comment(
            "Link for calls: RTC with app_id, EST with trunk_id, or FAX with service_id.",
        );
        self.write_line("#[order.voice]");
        self.write_line("#type = \"RTC\"");
        self.write_line("#app_id = \"\"");
    }

    fn write_piece(&mut self, piece: &NotUnderstood) {
        let NotUnderstood { place, json } = piece;
        self.write_comment(&format!(
            "Not understood, so not checked; from Sinch, {place}:\n{json}"
        ));
    }

    /// Writes a part of the registration, with the ordered number in the field that presumably names it.
    fn write_part(&mut self, n: usize, part: &Part, ordered: Option<&str>) {
        self.blank_line();
        for piece in &part.not_understood {
            self.write_piece(piece);
        }
        if part.fields.is_empty() {
            self.write_comment(
                "No field of this part is known. Its fields are whatever Sinch tells you, as name = \"value\".",
            );
        }
        let place = Place::default().key("registration").key(&n.to_string());
        self.write_line(&format!("[{place}]"));
        for field in &part.fields {
            self.blank_line();
            self.write_field(field, ordered.filter(|_| field.seems_ordered_number()));
        }
    }

    /// Writes a field, empty unless a value for it is known.
    fn write_field(&mut self, field: &Field, value: Option<&str>) {
        let title = field.title.as_deref().unwrap_or(&field.name);
        let need = if field.is_required {
            "required"
        } else {
            "optional"
        };
        self.write_comment(&format!("{title} ({need})"));
        if let Some(description) = &field.description {
            self.write_comment(&description.replace("\\n", "\n"));
        }
        let limits = limits_in_words(field);
        if !limits.is_empty() {
            self.write_comment(&format!("{}.", limits.join("; ")));
        }
        let examples = field.placeholder.iter().chain(&field.examples);
        let examples = texts_in_words(examples);
        if !examples.is_empty() {
            self.write_comment(&format!("For example {examples}"));
        }
        for (_, sentence) in &field.messages {
            self.write_comment(sentence);
        }
        for piece in &field.not_understood {
            self.write_piece(piece);
        }
        if value.is_some() {
            self.write_comment("Filled in with the ordered number, which seems to be meant; Sinch does not say so.");
        }
        let is_given = field.is_required || value.is_some();
        self.write_entry(&field.name, value.unwrap_or_default(), is_given);
    }

    fn write_document(&mut self, document: &Document) {
        self.blank_line();
        let title = document
            .title
            .as_deref()
            .unwrap_or("Document without a title");
        let need = if document.is_mandatory {
            "mandatory"
        } else {
            "optional"
        };
        self.write_comment(&format!("{title} ({need} document)"));
        if let Some(description) = &document.description {
            self.write_comment(&description.replace("\\n", "\n"));
        }
        if !document.media_types.is_empty() {
            let allowed = document.media_types.join(", ");
            self.write_comment(&format!("File types that are allowed: {allowed}"));
        }
        for template in &document.templates {
            let name = template.name.as_deref().unwrap_or("a file");
            let url = template.url.as_deref().unwrap_or("no address is given");
            self.write_comment(&format!(
                "A template of Sinch's for the file, to be filled in: {name}, {url}"
            ));
        }
        for piece in &document.not_understood {
            self.write_piece(piece);
        }
        let is_given = document.is_mandatory;
        self.write_line(if is_given {
            "[[documents]]"
        } else {
            "#[[documents]]"
        });
        self.write_entry("id", &document.id, is_given);
        self.write_comment("Path of the file, starting from this form's folder.");
        self.write_entry("file", "", is_given);
        if !document.document_types.is_empty() {
            self.write_comment(&format!(
                "One of {}.",
                texts_in_words(&document.document_types)
            ));
            self.write_entry("type", "", is_given);
        }
    }
}

/// Returns what a field's value must be, in pieces of a sentence.
fn limits_in_words(field: &Field) -> Vec<String> {
    let length = match (field.min_length, field.max_length) {
        (Some(min), Some(max)) => Some(format!("{min} to {max} characters")),
        (Some(min), None) => Some(format!("at least {min} characters")),
        (None, Some(max)) => Some(format!("at most {max} characters")),
        (None, None) => None,
    };
    let pattern = field.pattern.as_ref().map(|pattern| match field.regex {
        Some(_) => format!("in the form {pattern}"),
        None => format!("in the form {pattern}, which is not checked here"),
    });
    let value = match (&field.choices, field.kind) {
        (Some(Choices::Confirmation), _) => {
            Some("to confirm it, write true in place of \"\"".to_owned())
        }
        (Some(Choices::OneOf(choices)), _) => Some(format!("one of {}", in_words(choices))),
        (None, FieldKind::Flag) => Some("true or false in place of \"\"".to_owned()),
        (None, FieldKind::Text | FieldKind::Any) => None,
    };
    [length, pattern, value].into_iter().flatten().collect()
}

/// Returns the text with lines that end in a line feed, and without other characters that disturb a line.
fn printable(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let shown = |c: char| match c {
        '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
        '\t' => ' ',
        c if disturbs_line(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}
