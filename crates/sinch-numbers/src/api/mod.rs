//! The Number Order API and its neighbours: one client of a project, and a file for each resource.
//!
//! A call returns an [`Answer`], or an error that tells what happened. The error's `Display` never quotes what was sent
//! or received; [`CallError::told`] does, for the person who made the call. [`CallError::repeat`] says if the same
//! request may be sent again.
//!
//! An answer's content is a view of its JSON: one method for each documented property, and [`Object`] for the rest. A
//! method returns a [`Property`](crate::Property) for a text, which keeps apart what is absent and what is unreadable,
//! and an `Option` or a list for the rest. Prices are decimal numbers in texts, with their currency; times are RFC
//! 3339.

mod active_numbers;
mod attachments;
mod available_numbers;
mod body_fault;
mod call;
mod call_error;
mod callback_configuration;
mod client;
mod configuration;
mod error;
mod key;
mod money;
mod new_order;
mod object;
mod orders;
mod refusal;
mod regions;
mod registration;
mod rent;
mod request;
mod requirements;
#[cfg(test)]
mod tests;
mod token;
mod transport;
mod upload;
mod words;

pub use active_numbers::{
    ActiveNumber, ActiveNumbers, ActiveNumbersQuery, NumberUpdate, OrderBy, ScheduledSms,
    ScheduledVoice, SmsConfiguration, SmsUpdate, VoiceConfiguration,
};
pub use available_numbers::{AvailableNumber, AvailableNumbers, NumberSearch};
pub use body_fault::BodyFault;
pub use call::{Call, Repeat};
pub use call_error::{CallError, Told};
pub use callback_configuration::{CallbackConfiguration, InvalidSecret, check_new_secret};
pub use client::{Access, Auth, BuildError, Client};
pub use configuration::{SmsSetup, VoiceSetup};
pub use error::{Endpoint, Failure, RequestError};
pub use money::Money;
pub use new_order::{NewOrder, Ordered, Quantity};
pub use object::Object;
pub use orders::{NumberOrder, NumberPrice, OrderNumber};
pub use refusal::{ErrorBody, ErrorDetail, FieldViolation, Refusal};
pub use regions::{Region, Regions};
pub use registration::{Registration, RegistrationData, ReviewLog, UploadedAttachment};
pub use rent::{AnyRental, Rental};
pub use requirements::{Lookup, RequiredAttachment, Requirements, Template};
pub use transport::Answer;
pub use upload::{InvalidMimeType, Upload};
pub use words::{
    Capability, InvalidPhoneNumber, NumberPattern, NumberType, PhoneNumber, SearchPattern,
};
