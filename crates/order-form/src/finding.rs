//! Findings of a check of a form.

use std::fmt;
use std::io::ErrorKind;

use serde::{Serialize, Serializer};
use serde_json::Value;
use strum::{IntoStaticStr, VariantNames};

use crate::choice::{in_words, texts_in_words};

/// Finding about a form, against the rules. It quotes no value of the registration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Line of the form, from 1; of a missing key, that of the table in which it should stand.
    pub line: usize,
    /// Path of the form's key that the finding is about.
    pub key: String,
    /// Kind of the finding, with its details.
    #[serde(flatten)]
    pub kind: FindingKind,
}

/// Certainty that Sinch refuses the form because of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Severity {
    /// Sinch refuses the form for sure, or one of its files cannot be sent at all.
    Refused,
    /// Sinch may take the form as it is.
    Doubtful,
}

/// Kind of a finding: what is wrong with a form, by the rules.
#[derive(Clone, Debug, PartialEq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum FindingKind {
    /// Sinch's list of regions does not have the region.
    RegionNotListed {
        /// Regions that Sinch's list has.
        listed: Vec<String>,
    },
    /// Sinch's list of regions does not have the type of number for the region.
    TypeNotListed {
        /// Types of numbers that Sinch's list has for the region.
        listed: Vec<String>,
    },
    /// The form orders no link: neither text messages nor calls will reach the number.
    NothingLinked,
    /// A part of the registration that holds required fields is left out, or has no entry.
    PartMissing,
    /// The rules have no part of the registration with this number.
    PartUnknown {
        /// Number of parts of the registration that the rules have.
        parts: usize,
    },
    /// A required field of the registration is absent or empty.
    FieldMissing,
    /// The rules do not name this field of the registration.
    FieldUnknown {
        /// Field of the rules whose name is most like it.
        nearest: Option<String>,
    },
    /// The field's value is of another type than the rules say.
    WrongType {
        /// Type of value to write instead, in words.
        wanted: &'static str,
    },
    /// The field's text has fewer characters than it must have.
    TooShort {
        /// Minimum length of the field's text, in characters.
        min: u64,
        /// Sentence that the rules have for this fault.
        message: Option<String>,
    },
    /// The field's text has more characters than it may have.
    TooLong {
        /// Maximum length of the field's text, in characters.
        max: u64,
        /// Sentence that the rules have for this fault.
        message: Option<String>,
    },
    /// The field's text does not match the pattern of the rules.
    PatternMismatch {
        /// Pattern of the rules: a regular expression.
        pattern: String,
        /// Sentence that the rules have for this fault.
        message: Option<String>,
    },
    /// The field's value is none of the choices that the rules give.
    NotAChoice {
        /// Choices that the rules give for the field's value.
        choices: Vec<Value>,
        /// Sentence that the rules have for this fault.
        message: Option<String>,
    },
    /// A field that must be confirmed is not confirmed.
    NotConfirmed {
        /// `true` if the field holds the word in quotes, which makes it a text.
        is_quoted: bool,
    },
    /// The field that presumably names the ordered number has another value.
    OtherNumber {
        /// Number that the form orders.
        ordered: String,
    },
    /// A mandatory document is not in the form.
    DocumentMissing {
        /// Id of the missing document.
        id: String,
        /// Title of the missing document.
        title: Option<String>,
    },
    /// The rules have no document with this id.
    DocumentUnknown {
        /// Id of the document in the rules that is most like it.
        nearest: Option<String>,
    },
    /// The form has the document twice.
    DocumentRepeated,
    /// The form gives no type for a document that must have one.
    DocumentTypeMissing {
        /// Document types that the rules allow.
        allowed: Vec<String>,
    },
    /// The document's type is none of the allowed ones.
    DocumentTypeNotAllowed {
        /// Document types that the rules allow.
        allowed: Vec<String>,
    },
    /// The form names no file for the document.
    FileNotNamed {
        /// `true` if the rules want the document.
        is_mandatory: bool,
    },
    /// The document's file does not exist.
    FileMissing,
    /// The document's file cannot be read.
    FileUnreadable {
        /// Kind of the error with which reading the file failed.
        #[serde(serialize_with = "as_text")]
        reason: ErrorKind,
    },
    /// The document's file is empty.
    FileEmpty,
    /// The document's file has another media type, by its content, than is allowed.
    MediaTypeNotAllowed {
        /// Media type of the file's content.
        found: String,
        /// Media types that the rules allow.
        allowed: Vec<String>,
    },
    /// The content of the document's file shows no media type, or one that can hold another.
    MediaTypeUnsure {
        /// Media types that the rules allow.
        allowed: Vec<String>,
    },
    /// The document's file is a PDF that seems to be encrypted.
    PdfEncrypted,
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl FindingKind {
    /// Returns the code of the finding's kind.
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
            | Kind::NotConfirmed { .. }
            | Kind::DocumentMissing { .. }
            | Kind::DocumentTypeMissing { .. }
            | Kind::DocumentTypeNotAllowed { .. }
            | Kind::FileNotNamed { .. }
            | Kind::FileMissing
            | Kind::FileUnreadable { .. }
            | Kind::FileEmpty
            | Kind::MediaTypeNotAllowed { .. } => Severity::Refused,
            Kind::RegionNotListed { .. }
            | Kind::TypeNotListed { .. }
            | Kind::NothingLinked
            | Kind::OtherNumber { .. }
            | Kind::PartUnknown { .. }
            | Kind::FieldUnknown { .. }
            | Kind::WrongType { .. }
            | Kind::DocumentUnknown { .. }
            | Kind::DocumentRepeated
            | Kind::MediaTypeUnsure { .. }
            | Kind::PdfEncrypted => Severity::Doubtful,
        }
    }

    /// Returns the sentence that the rules themselves have for the fault.
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

/// Shows the finding as a sentence, with the cure.
impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use FindingKind as Kind;
        match self {
            Kind::RegionNotListed { .. } | Kind::TypeNotListed { .. } | Kind::NothingLinked => {
                self.fmt_order(f)
            }
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
            Kind::NotConfirmed { is_quoted: true } => {
                f.write_str("this must be confirmed; write true without quotes")
            }
            Kind::NotConfirmed { is_quoted: false } => {
                f.write_str("this must be confirmed; write true, without quotes, if it is so")
            }
            Kind::OtherNumber { ordered } => write!(
                f,
                "this seems to be the ordered number, and is another one; write {ordered:?}, unless Sinch has told you \
                 something else"
            ),
            _ => self.fmt_document(f),
        }?;
        match self.message() {
            Some(message) => write!(f, " (the rules say: {message:?})"),
            None => Ok(()),
        }
    }
}

impl FindingKind {
    /// Writes the sentence of a finding about what is ordered.
    fn fmt_order(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use FindingKind as Kind;
        match self {
            Kind::RegionNotListed { listed } => write!(
                f,
                "Sinch's list of regions does not have this one, so the order may be refused; listed are {}",
                listed.join(", ")
            ),
            Kind::TypeNotListed { listed } => write!(
                f,
                "Sinch's list of regions does not have this type here, so the order may be refused; listed are {}",
                listed.join(", ")
            ),
            Kind::NothingLinked => f.write_str(
                "no link is ordered, so neither text messages nor calls will reach the number; for text messages give \
                 [order.sms] with service_plan_id, for calls [order.voice]",
            ),
            _ => Ok(()),
        }
    }

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
                    texts_in_words(allowed)
                )
            }
            Kind::DocumentTypeNotAllowed { allowed } => {
                write!(
                    f,
                    "the document's type is not allowed; write one of {}",
                    texts_in_words(allowed)
                )
            }
            Kind::FileNotNamed { is_mandatory: true } => f.write_str(
                "no file is named, and the document is mandatory; write the path of its file, starting from the form's \
                 folder",
            ),
            Kind::FileNotNamed {
                is_mandatory: false,
            } => f.write_str("no file is named; write its path, or remove the document"),
            Kind::FileMissing => f.write_str(
                "there is no such file; write its path, starting from the form's folder",
            ),
            Kind::FileUnreadable { reason } => unreadable(f, *reason),
            Kind::FileEmpty => f.write_str("the file is empty; save it again"),
            Kind::MediaTypeNotAllowed { found, allowed } => {
                write!(
                    f,
                    "the file's content is {found}; send one of {}",
                    texts_in_words(allowed)
                )
            }
            Kind::MediaTypeUnsure { allowed } => write!(
                f,
                "the file's content does not show its type; make sure that it is one of {}",
                texts_in_words(allowed)
            ),
            Kind::PdfEncrypted => {
                f.write_str("the PDF seems to be encrypted; save it without a password")
            }
            _ => Ok(()),
        }
    }
}

/// Writes why a file cannot be read, with the cure.
fn unreadable(f: &mut fmt::Formatter<'_>, reason: ErrorKind) -> fmt::Result {
    match reason {
        ErrorKind::FileTooLarge => {
            f.write_str("the file is larger than any that is sent; name a smaller one")
        }
        ErrorKind::InvalidInput => f.write_str(
            "it is not a regular file, but a pipe, a device or the like; write the document into a file, and name that",
        ),
        ErrorKind::IsADirectory => f.write_str("it is a folder; name a file in it"),
        _ => write!(
            f,
            "the file cannot be read ({reason}); check the path and its permissions"
        ),
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
