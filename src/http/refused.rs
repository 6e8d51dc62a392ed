//! A refused request as the log shows it: why, whose, and what it was that could not be taken.

use std::net::IpAddr;

use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};

use super::callbacks::Settings;
use super::nearly::nearly;
use crate::clock;
use crate::logged;
use crate::order::Id;
use crate::sinch::signature;
use crate::vitals::{Refusal, Vitals};

/// Whom a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// The address at the other end of the connection.
    pub peer: Option<IpAddr>,
    /// The address that it speaks for; `None`: a trusted proxy said something unreadable.
    pub source: Option<IpAddr>,
}

/// A request that was refused.
pub(super) struct Refused<'a> {
    /// Whose it was.
    pub caller: Caller,
    /// All but its body.
    pub head: &'a Parts,
    /// The project whose path was asked.
    pub project: Option<&'a Id>,
    /// What it was answered.
    pub status: StatusCode,
}

impl Refused<'_> {
    /// Counts it, and writes it into the log unless one like it was written just now.
    pub fn tell(&self, why: Refusal, settings: &Settings, vitals: &Vitals) {
        let Caller { peer, source } = self.caller;
        let Some(left_out) = vitals.refused(why, source, clock::now()) else {
            return;
        };
        let path = self.head.uri.path();
        let nearly = match why {
            Refusal::Path => nearly(path, settings.entrances.keys()),
            _ => None,
        };
        let content_length = self.header(CONTENT_LENGTH);
        let content_length = content_length.and_then(|text| text.parse::<u64>().ok());
        let signatures = self.head.headers.get_all(signature::HEADER).iter().count();
        tracing::warn!(
            why = why.code(),
            status = self.status.as_u16(),
            source = source.map(display),
            peer = peer.filter(|_| peer != source).map(display),
            method = logged::foreign(self.head.method.as_str()),
            path = logged::path(path),
            nearly,
            project = self.project.map(display),
            content_encoding = (why == Refusal::Encoding)
                .then(|| self.header(CONTENT_ENCODING))
                .flatten(),
            content_length = content_length.filter(|_| why == Refusal::Size),
            limit_bytes = (why == Refusal::Size).then_some(settings.body_max_bytes),
            signatures = (why == Refusal::Signature).then_some(signatures),
            left_out,
            "refused a request: {}",
            sentence(why, source)
        );
    }

    /// A header, fit for the log.
    fn header(&self, name: HeaderName) -> Option<String> {
        let value = self.head.headers.get(name)?;
        Some(logged::foreign(&String::from_utf8_lossy(value.as_bytes())))
    }
}

fn sentence(why: Refusal, source: Option<IpAddr>) -> &'static str {
    match why {
        Refusal::Source if source.is_none() => {
            "a trusted proxy's X-Forwarded-For names no address that can be read"
        }
        Refusal::Source => "its source is not in callbacks.allow",
        Refusal::Path => "no project has this path",
        Refusal::Method => "only POST is taken",
        Refusal::Size => "its body is larger than callbacks.body_max_bytes",
        Refusal::Encoding => "its body is compressed",
        Refusal::Signature => {
            "its signature is missing, doubled or by none of the project's secrets"
        }
        Refusal::Body => "its body broke off, or did not come within callbacks.body_timeout_secs",
        Refusal::Http => "it is not HTTP/1.1",
        Refusal::Place => "as many connections as may be are open",
        Refusal::System => "the system could not hand it over",
        Refusal::Store => "the database could not take it in time; Sinch sends it again",
    }
}
