//! Findings of a check.

use std::fmt;
use std::io::ErrorKind;

use serde::{Serialize, Serializer};
use serde_json::Value;
use strum::{IntoStaticStr, VariantNames};

use crate::choice::{in_words, texts};

/// Finding about a form, against the rules. It quotes no value of the registration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Line of the form, from 1; of what is missing, that of the table in which it should stand.
    pub line: usize,
    /// Path of the key.
    pub key: String,
    /// What was found.
    #[serde(flatten)]
    pub kind: FindingKind,
}

/// Certainty of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Severity {
    /// Sinch refuses the form for sure, or a file cannot be sent at all.
    Refused,
    /// Sinch may take the form as it is.
    Doubtful,
}

/// What a check can find.
#[derive(Clone, Debug, PartialEq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum FindingKind {
    /// A part that holds required fields is left out, or has no entry.
    PartMissing,
    /// The rules have no part of this number.
    PartUnknown {
        /// Number of parts that the rules have.
        parts: usize,
    },
    /// A required field is absent or empty.
    FieldMissing,
    /// The rules do not name the field.
    FieldUnknown {
        /// Name of the rules that is most like it.
        nearest: Option<String>,
    },
    /// The value is of another type than the rules say.
    WrongType {
        /// What to write.
        wanted: &'static str,
    },
    /// The text has fewer characters than it must have.
    TooShort {
        /// Minimum, in characters.
        min: u64,
        /// What the rules say about it.
        message: Option<String>,
    },
    /// The text has more characters than it may have.
    TooLong {
        /// Maximum, in characters.
        max: u64,
        /// What the rules say about it.
        message: Option<String>,
    },
    /// The text does not match the pattern.
    PatternMismatch {
        /// The pattern, a regular expression.
        pattern: String,
        /// What the rules say about it.
        message: Option<String>,
    },
    /// The value is none of the choices.
    NotAChoice {
        /// The choices.
        choices: Vec<Value>,
        /// What the rules say about it.
        message: Option<String>,
    },
    /// What must be confirmed is not confirmed.
    NotConfirmed,
    /// A mandatory document is not in the form.
    DocumentMissing {
        /// Id of the document.
        id: String,
        /// Title of the document.
        title: Option<String>,
    },
    /// The rules have no document with this id.
    DocumentUnknown {
        /// Id of the rules that is most like it.
        nearest: Option<String>,
    },
    /// The form has the document twice.
    DocumentRepeated,
    /// The document has no type, and must have one.
    DocumentTypeMissing {
        /// Types that are allowed.
        allowed: Vec<String>,
    },
    /// The document's type is none of the allowed ones.
    DocumentTypeNotAllowed {
        /// Types that are allowed.
        allowed: Vec<String>,
    },
    /// The document names no file.
    FileNotNamed,
    /// There is no such file.
    FileMissing,
    /// The file cannot be read.
    FileUnreadable {
        /// Kind of the error.
        #[serde(serialize_with = "as_text")]
        reason: ErrorKind,
    },
    /// The file is empty.
    FileEmpty,
    /// The file's content has another media type than is allowed.
    MediaTypeNotAllowed {
        /// Media type of the content.
        found: String,
        /// Media types that are allowed.
        allowed: Vec<String>,
    },
    /// The content shows no media type, or one that can hold another.
    MediaTypeUnsure {
        /// Media types that are allowed.
        allowed: Vec<String>,
    },
    /// The PDF seems to be encrypted.
    PdfEncrypted,
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl FindingKind {
    /// Returns the kind's code.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns how sure it is that Sinch refuses the form.
    pub fn severity(&self) -> Severity {
        use FindingKind as Kind;
        match self {
            Kind::PartMissing
            | Kind::FieldMissing
            | Kind::TooShort { .. }
            | Kind::TooLong { .. }
            | Kind::PatternMismatch { .. }
            | Kind::NotAChoice { .. }
            | Kind::NotConfirmed
            | Kind::DocumentMissing { .. }
            | Kind::DocumentTypeMissing { .. }
            | Kind::DocumentTypeNotAllowed { .. }
            | Kind::FileNotNamed
            | Kind::FileMissing
            | Kind::FileUnreadable { .. }
            | Kind::FileEmpty
            | Kind::MediaTypeNotAllowed { .. } => Severity::Refused,
            Kind::PartUnknown { .. }
            | Kind::FieldUnknown { .. }
            | Kind::WrongType { .. }
            | Kind::DocumentUnknown { .. }
            | Kind::DocumentRepeated
            | Kind::MediaTypeUnsure { .. }
            | Kind::PdfEncrypted => Severity::Doubtful,
        }
    }

    /// Returns what the rules themselves say about it.
    fn message(&self) -> Option<&str> {
        match self {
            FindingKind::TooShort { message, .. }
            | FindingKind::TooLong { message, .. }
            | FindingKind::PatternMismatch { message, .. }
            | FindingKind::NotAChoice { message, .. } => message.as_deref(),
            _ => None,
        }
    }
}

/// The sentence, with the cure.
impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use FindingKind as Kind;
        match self {
            Kind::PartMissing => f.write_str("the part is missing; fill in its required fields"),
            Kind::PartUnknown { parts } => write!(
                f,
                "the rules have {parts} parts; this one is sent all the same"
            ),
            Kind::FieldMissing => f.write_str("the field is required; fill it in"),
            Kind::FieldUnknown { nearest } => {
                f.write_str("the rules name no such field; it is sent all the same")?;
                did_you_mean(f, nearest.as_deref())
            }
            Kind::WrongType { wanted } => {
                write!(
                    f,
                    "the value is of another type than expected; write {wanted}"
                )
            }
            Kind::TooShort { min, .. } => {
                write!(f, "the text is too short; write at least {min} characters")
            }
            Kind::TooLong { max, .. } => {
                write!(f, "the text is too long; write at most {max} characters")
            }
            Kind::PatternMismatch { pattern, .. } => {
                write!(
                    f,
                    "the text does not match {pattern:?}; write it in that form"
                )
            }
            Kind::NotAChoice { choices, .. } => write!(f, "write one of {}", in_words(choices)),
            Kind::NotConfirmed => f.write_str("this must be confirmed; write true if it is so"),
            _ => self.fmt_document(f),
        }?;
        match self.message() {
            Some(message) => write!(f, " (the rules say: {message:?})"),
            None => Ok(()),
        }
    }
}

impl FindingKind {
    /// Writes the sentence of a finding about a document or its file.
    fn fmt_document(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use FindingKind as Kind;
        match self {
            Kind::DocumentMissing { id, title } => {
                let title = title.as_deref().unwrap_or("a document without a title");
                write!(
                    f,
                    "{title:?} is mandatory; add it with id = {id:?} and its file"
                )
            }
            Kind::DocumentUnknown { nearest } => {
                f.write_str("the rules have no document with this id")?;
                did_you_mean(f, nearest.as_deref())
            }
            Kind::DocumentRepeated => f.write_str(
                "the form has this document twice; which of the files counts is not known",
            ),
            Kind::DocumentTypeMissing { allowed } => {
                write!(
                    f,
                    "the document needs a type; write one of {}",
                    texts(allowed)
                )
            }
            Kind::DocumentTypeNotAllowed { allowed } => {
                write!(
                    f,
                    "the document's type is not allowed; write one of {}",
                    texts(allowed)
                )
            }
            Kind::FileNotNamed => {
                f.write_str("no file is named; write its path, or remove the document")
            }
            Kind::FileMissing => f.write_str(
                "there is no such file; write its path, starting from the form's folder",
            ),
            Kind::FileUnreadable { reason } => {
                write!(
                    f,
                    "the file cannot be read ({reason}); check the path and its permissions"
                )
            }
            Kind::FileEmpty => f.write_str("the file is empty; save it again"),
            Kind::MediaTypeNotAllowed { found, allowed } => {
                write!(
                    f,
                    "the file's content is {found}; send one of {}",
                    texts(allowed)
                )
            }
            Kind::MediaTypeUnsure { allowed } => write!(
                f,
                "the file's content does not show its type; make sure that it is one of {}",
                texts(allowed)
            ),
            Kind::PdfEncrypted => {
                f.write_str("the PDF seems to be encrypted; save it without a password")
            }
            _ => Ok(()),
        }
    }
}

fn did_you_mean(f: &mut fmt::Formatter<'_>, nearest: Option<&str>) -> fmt::Result {
    match nearest {
        Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
        None => Ok(()),
    }
}

impl Finding {
    /// Returns how sure it is that Sinch refuses the form.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.key, self.kind)
    }
}
