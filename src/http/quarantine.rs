//! Callbacks that are refused and are perhaps genuine, on their way to the worker that keeps them.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use bytes::Bytes;
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::callback_checks::{CallbackRoute, only_signature};
use super::source::forwarded_for;
use crate::clock;
use crate::metrics::Metrics;
use crate::sinch::callback::{self, Content};
use crate::store::{NewQuarantined, Origin, QuarantineReason};
use number_order::CallbackKey;
use sinch_numbers::signature;

/// Maximum number of callbacks that wait to be kept. They are in memory, each with at most as much as a body may have.
const WAITING_MAX: usize = 128;

/// Maximum length of what a peer says of its callers. The part that is read first stands at its end.
const FORWARDED_FOR_MAX_BYTES: usize = 1024;

/// Handle by which callbacks are handed over; clones share it. Nobody waits for what becomes of them: what finds no place
/// is counted, and the answer to Sinch is the same.
#[derive(Clone)]
pub struct Quarantine {
    waiting: mpsc::Sender<NewQuarantined>,
    metrics: Arc<Metrics>,
}

/// A callback that is refused, and to whose path it was sent.
pub(super) struct Doubtful<'a> {
    /// Check that the callback did not pass.
    pub reason: QuarantineReason,
    /// Route of the path to which it was sent.
    pub route: &'a CallbackRoute,
    /// Key of the create to whose own path it was sent.
    pub key: Option<CallbackKey>,
    /// Head of its request.
    pub head: &'a Parts,
    /// Address at the other end of the connection.
    pub peer: IpAddr,
    /// Source, as it was judged.
    pub source: IpAddr,
    /// Raw body.
    pub body: Bytes,
}

impl Quarantine {
    /// Returns a handle, and where what is handed over arrives.
    pub fn new(metrics: Arc<Metrics>) -> (Quarantine, mpsc::Receiver<NewQuarantined>) {
        let (waiting, arrived) = mpsc::channel(WAITING_MAX);
        (Quarantine { waiting, metrics }, arrived)
    }

    /// Hands a callback over.
    pub(super) fn hand_over(&self, doubtful: Doubtful<'_>) {
        // A place is taken before the body is read: a flood costs nothing more.
        let Ok(place) = self.waiting.try_reserve() else {
            let project = &doubtful.route.project;
            return self.metrics.quarantine_dropped(project, doubtful.reason);
        };
        place.send(quarantined(doubtful));
    }
}

fn quarantined(doubtful: Doubtful<'_>) -> NewQuarantined {
    let project = doubtful.route.project.clone();
    // Only what is claimed is read. Nothing of it is believed.
    let (order, number) = match callback::read(&doubtful.body, &project).content {
        Content::Order { order, .. } => (Some(order), None),
        Content::Other(event) => (None, event.resource.filter(|named| named.starts_with('+'))),
        Content::NotUnderstood(_) => (None, None),
    };
    NewQuarantined {
        project,
        callback_key: doubtful.key,
        reason: doubtful.reason,
        origin: Origin {
            source: doubtful.source,
            peer: doubtful.peer,
            forwarded_for: named_callers(&doubtful.head.headers),
        },
        signature: documented_signature(&doubtful.head.headers),
        order,
        number,
        received_at: clock::now(),
        body: doubtful.body,
    }
}

/// Returns a callback's signature, if it has one in the documented form: no other is ever accepted.
fn documented_signature(headers: &HeaderMap) -> Option<SecretString> {
    let only = only_signature(headers)?;
    let only = signature::is_well_formed(only).then(|| String::from_utf8_lossy(only));
    only.map(|text| SecretString::from(text.into_owned()))
}

/// Returns what a peer says of its callers, without what is too long to be kept.
fn named_callers(headers: &HeaderMap) -> Option<String> {
    let said = forwarded_for(headers)?;
    let from = said.len().saturating_sub(FORWARDED_FOR_MAX_BYTES);
    let from = (from..=said.len()).find(|at| said.is_char_boundary(*at))?;
    Some(said.get(from..)?.to_owned())
}
