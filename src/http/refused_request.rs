//! A refused request as the log shows it: the reason, the caller, and the part that could not be accepted.

use std::net::IpAddr;

use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode};

use super::near_miss::near_miss;
use crate::clock;
use crate::metrics::{Metrics, Refusal};
use crate::redact;
use number_order::Id;
use sinch_numbers::signature;

/// Addresses from which a request comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// Address at the other end of the connection.
    pub peer: Option<IpAddr>,
    /// Address for which the peer speaks; `None`: a trusted proxy named no readable address.
    pub source: Option<IpAddr>,
    /// `true` if the source is itself a trusted proxy, so that nobody has named the caller.
    pub is_unnamed: bool,
}

/// A request that was refused.
pub(super) struct RefusedRequest<'a> {
    /// Addresses from which the request came.
    pub caller: Caller,
    /// Head of the refused request: all of it but its body.
    pub head: &'a Parts,
    /// Project to which the requested path belongs, if any.
    pub project: Option<&'a Id>,
    /// Status of the response to the refused request.
    pub status: StatusCode,
}

impl RefusedRequest<'_> {
    /// Counts the refusal, and writes it into the log unless a similar one was written just now.
    ///
    /// `paths` are the paths of the projects, and `body_max_bytes` is the limit that a body may have exceeded.
    pub fn report<'p>(
        &self,
        reason: Refusal,
        paths: impl Iterator<Item = &'p String>,
        body_max_bytes: usize,
        metrics: &Metrics,
    ) {
        let Caller { peer, source, .. } = self.caller;
        let Some(left_out) = metrics.refused(reason, source, clock::now()) else {
            return;
        };
        let path = self.head.uri.path();
        let near_miss = match reason {
            Refusal::Path => near_miss(path, paths),
            _ => None,
        };
        let content_length = self.header_text(CONTENT_LENGTH);
        let content_length = content_length.and_then(|text| text.parse::<u64>().ok());
        let signatures = self.head.headers.get_all(signature::HEADER).iter().count();
        tracing::warn!(
            why = reason.code(),
            status = self.status.as_u16(),
            source = source.map(display),
            peer = peer.filter(|_| peer != source).map(display),
            method = redact::peer_text(self.head.method.as_str()),
            path = redact::path(path),
            nearly = near_miss,
            project = self.project.map(display),
            content_encoding = (reason == Refusal::Encoding)
                .then(|| self.header_text(CONTENT_ENCODING))
                .flatten(),
            content_length = content_length.filter(|_| reason == Refusal::Size),
            limit_bytes = (reason == Refusal::Size).then_some(body_max_bytes),
            signatures = (reason == Refusal::Signature).then_some(signatures),
            left_out,
            "refused a request: {}{}",
            advice(reason, self.caller),
            self.health_check_advice(reason)
        );
    }

    /// Returns where a health check belongs, if the request looks like one.
    fn health_check_advice(&self, reason: Refusal) -> &'static str {
        let looks_like_one = matches!(self.head.method, Method::GET | Method::HEAD);
        match reason {
            Refusal::Source | Refusal::Path | Refusal::Method if looks_like_one => {
                "; a health check belongs on operators.listen: GET /readyz"
            }
            _ => "",
        }
    }

    /// Returns the value of the request's header, fit for the log.
    fn header_text(&self, name: HeaderName) -> Option<String> {
        let value = self.head.headers.get(name)?;
        Some(redact::peer_text(&String::from_utf8_lossy(
            value.as_bytes(),
        )))
    }
}

fn advice(reason: Refusal, caller: Caller) -> &'static str {
    match reason {
        Refusal::Source if caller.source.is_none() => {
            "a trusted proxy's X-Forwarded-For names no address that can be read"
        }
        Refusal::Source if caller.is_unnamed => {
            "a trusted proxy named no caller: make it set X-Forwarded-For to the address that calls it"
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
        Refusal::Connections => "callbacks.connections_max connections are open",
        Refusal::System => "the system could not hand it over",
        Refusal::Store => "the database could not take it in time; Sinch sends it again",
    }
}
