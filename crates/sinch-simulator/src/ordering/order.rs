//! An order that a client placed: its numbers, its registration, its documents.

use std::fmt;

use serde_json::Value;

use super::stock::Product;
use number_order::{Id, State, Time};

/// Value that is never printed.
#[derive(Clone, PartialEq, Default)]
pub(super) struct Private<T>(pub T);

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private")
    }
}

/// SMS configuration that is ordered or in place; an id that is empty is none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Sms {
    pub plan: String,
    pub campaign: String,
}

/// Kind of voice configuration, with the property that holds its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VoiceKind {
    Rtc,
    Est,
    Fax,
}

impl VoiceKind {
    pub const ALL: [VoiceKind; 3] = [VoiceKind::Rtc, VoiceKind::Est, VoiceKind::Fax];

    pub fn as_str(self) -> &'static str {
        match self {
            VoiceKind::Rtc => "RTC",
            VoiceKind::Est => "EST",
            VoiceKind::Fax => "FAX",
        }
    }

    /// Returns the name of the property that holds the id.
    pub fn property(self) -> &'static str {
        match self {
            VoiceKind::Rtc => "appId",
            VoiceKind::Est => "trunkId",
            VoiceKind::Fax => "serviceId",
        }
    }
}

/// Voice configuration that is ordered or in place; an id that is empty is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voice {
    pub kind: VoiceKind,
    pub id: String,
}

/// Status of the upload of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UploadStatus {
    Waiting,
    Completed,
    Failed,
}

impl UploadStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            UploadStatus::Waiting => "WAITING",
            UploadStatus::Completed => "COMPLETED",
            UploadStatus::Failed => "FAILED",
        }
    }
}

/// File that was uploaded for a document, without its bytes: nothing needs them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct File {
    pub name: Private<String>,
    pub mime_type: String,
    pub document_type: String,
    /// Size of the file, in bytes.
    pub size: usize,
}

/// Document of a registration, uploaded or still missing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attachment {
    /// Id of the document that the lookup of requirements gives.
    pub id: &'static str,
    /// Id of the document that the registration may show in place of the lookup's.
    pub own_id: String,
    /// File of the document that was uploaded last.
    pub file: Option<File>,
    pub status: UploadStatus,
    /// Number of uploads of the document so far.
    pub uploads: u32,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Message about a review in an order's registration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Log {
    pub message: Private<String>,
    pub created_at: Time,
}

/// Registration of an order.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Registration {
    /// Data that is registered, `requestDetails`; `None` until something is registered.
    pub details: Option<Private<Value>>,
    pub attachments: Vec<Attachment>,
    pub logs: Vec<Log>,
}

impl Registration {
    /// Returns `data` of the registered data; null if there is none.
    pub fn data(&self) -> &Value {
        match &self.details {
            Some(Private(details)) => details.get("data").unwrap_or(&Value::Null),
            None => &Value::Null,
        }
    }
}

/// Order as the simulator knows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub id: Id,
    pub product: &'static Product,
    pub numbers: Vec<String>,
    pub sms: Option<Sms>,
    pub voice: Option<Voice>,
    pub callback_url: Option<String>,
    pub state: State,
    /// `true` from a submit of the order until its review begins or the order completes.
    pub is_submitted: bool,
    /// Number of the order's reviews that ended by blocking it.
    pub blocks: u32,
    pub created_at: Time,
    pub updated_at: Time,
    pub expires_at: Time,
    pub registration: Registration,
}

/// Order that a client asks to create.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NewOrder {
    pub product: &'static Product,
    pub choice: Choice,
    pub sms: Option<Sms>,
    pub voice: Option<Voice>,
    pub callback_url: Option<String>,
}

/// Numbers that a client wants to order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The client wants this number, in E.164.
    Number(String),
    /// The client wants a quantity of numbers that pass a filter.
    Quantity(usize, super::stock::Filter),
}
