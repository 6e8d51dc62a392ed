//! Form of a number order: what Sinch requires, as a file to fill in; the file's reading; and its check before anything
//! is sent.
//!
//! [`Rules::understand`] reads the answer of a lookup, [`write()`] makes a form of it, [`Form::read`] reads what a person
//! has filled in, and [`check()`] compares it with the rules. All of it is pure: a form is text, and the content of a
//! document is an argument.
//!
//! Sinch publishes no rule of any region. The keys that are recognised are those of another API of Sinch's that shares
//! the machinery. So what is not recognised is shown as it is, a check is no verdict, and Sinch decides.
//!
//! The registration holds personal data. No fault, no finding and no `Debug` of this crate shows a value of it.

mod check;
mod choice;
mod fault;
mod finding;
mod form;
mod media;
mod nearest;
mod place;
mod read;
mod rules;
#[cfg(test)]
mod tests;
mod write;

pub use check::{Files, check, check_links, check_offer};
pub use fault::FormFault;
pub use finding::{Finding, FindingKind, Severity};
pub use form::{Form, FormDocument};
pub use media::media_type;
pub use rules::{Choices, Document, Field, FieldKind, NotUnderstood, Part, Rules, Template};
pub use write::{Blank, write};
