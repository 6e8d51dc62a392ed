//! Callbacks that were refused and are perhaps genuine.

use std::net::IpAddr;

use bytes::Bytes;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};
use utoipa::ToSchema;

use super::Cursor;
use number_order::{CallbackKey, Id, Time};

/// Why a callback that passed one of the two checks was refused: the check that it did not pass.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum QuarantineReason {
    /// It came from an allowed source, and its signature is missing or by none of the project's secrets.
    WrongSignature,
    /// Its signature is by one of the project's secrets, and its source is not allowed.
    UnknownSource,
}

impl QuarantineReason {
    /// Returns the reason's code.
    pub fn code(self) -> &'static str {
        self.into()
    }
}

/// Where a callback came from, as far as its source can be judged again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Source of the callback, as it was judged.
    pub source: IpAddr,
    /// Address at the other end of the connection.
    pub peer: IpAddr,
    /// What the peer said of its callers, in the form of `X-Forwarded-For`; `None`: nothing.
    pub forwarded_for: Option<String>,
}

/// A callback on its way into the quarantine.
#[derive(Clone, Debug)]
pub struct NewQuarantined {
    /// Project to whose path the callback was sent.
    pub project: Id,
    /// Key of the create to whose own path the callback was sent; `None`: it was sent to the project's path.
    pub callback_key: Option<CallbackKey>,
    /// Check that the callback did not pass.
    pub reason: QuarantineReason,
    /// Where the callback came from.
    pub origin: Origin,
    /// Signature of the callback; `None`: it has none in the documented form.
    pub signature: Option<SecretString>,
    /// Order that the body claims to be about.
    pub order: Option<Id>,
    /// Number that the body claims to be about.
    pub number: Option<String>,
    /// Time at which the callback was received.
    pub received_at: Time,
    /// Raw body of the callback.
    pub body: Bytes,
}

/// What became of a callback on its way into the quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quarantining {
    /// It is kept.
    Kept,
    /// Its body was there already for the same reason, and is counted again.
    Again,
    /// There is no room for it.
    NoRoom,
}

/// A callback in the quarantine, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct QuarantineRow {
    /// Id of the row.
    pub id: i64,
    /// Project to whose path the callback was sent.
    pub project: String,
    /// Check that the callback did not pass.
    pub reason: QuarantineReason,
    /// Address from which it came the last time.
    pub source: String,
    /// Order that the body claims to be about; `null`: none, or the body is not understood.
    pub order: Option<String>,
    /// Time at which it was received first.
    pub received_at: Time,
    /// Time at which it was received last.
    pub last_at: Time,
    /// How often it came.
    pub times: i64,
    /// Size of its body, in bytes.
    pub bytes: i64,
}

/// A callback in the quarantine, as far as it is judged again.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// Id of the row.
    pub id: i64,
    /// Project to whose path the callback was sent.
    pub project: Id,
    /// Key of the create to whose own path the callback was sent.
    pub callback_key: Option<CallbackKey>,
    /// Where the callback came from the last time.
    pub origin: Origin,
    /// Last signature of the callback in the documented form.
    pub signature: Option<SecretString>,
    /// Time at which the callback was received first, on the clock of the database.
    pub received_at: Time,
    /// Raw body of the callback.
    pub body: Bytes,
}

/// Filter of a listing of the quarantine. An absent value leaves nothing out.
#[derive(Clone, Debug, Default)]
pub struct QuarantineFilter {
    /// Project to whose path the callbacks were sent.
    pub project: Option<Id>,
    /// Check that the callbacks did not pass.
    pub reason: Option<QuarantineReason>,
    /// Earliest time of the first receipt.
    pub since: Option<Time>,
    /// Time before which the callbacks were first received.
    pub until: Option<Time>,
    /// `true` lists the newest first, `false` the oldest.
    pub newest_first: bool,
    /// End of an earlier page, after which this page begins.
    pub after: Option<Cursor>,
    /// Maximum number of callbacks.
    pub limit: u32,
}

/// Some of the quarantine, in the order of receipt.
#[derive(Clone, Debug, Default)]
pub struct QuarantinePart {
    /// Callbacks that can be judged again.
    pub rows: Vec<Quarantined>,
    /// Id of the last row that was read; `None`: there is none beyond the id that was asked for.
    pub last: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_every_reason_and_no_other() {
        let document = include_str!("../../../docs/codes.md");
        let section = document.split("## Reasons of the quarantine\n").nth(1);
        let section = section.unwrap_or_default().split("\n## ").next();
        let rows = section.unwrap_or_default().lines();
        let rows = rows.filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        let codes = <QuarantineReason as VariantArray>::VARIANTS.iter();
        let codes: Vec<&str> = codes.map(|reason| reason.code()).collect();
        assert_eq!(listed, codes);
    }
}
