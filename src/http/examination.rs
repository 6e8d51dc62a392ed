//! Examination of requests from sources that are not allowed. They are refused first, with the same bytes at the same moment
//! as any other; what came of the request is looked at after that. So nobody learns from an answer, nor from the time that it
//! takes, what was found.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::callback_checks::{Settings, check_encoding, check_method, check_signature};
use super::connection_limits::ConnectionLimits;
use super::quarantine::{Doubtful, Quarantine};
use crate::metrics::{Metrics, sender_network};
use crate::store::QuarantineReason;

/// Span in which as many requests are examined as may be, and the maximum time for one to arrive.
const SPAN: Duration = Duration::from_secs(1);

/// Maximum size of a body that is examined. Callbacks that have been published are a few hundred bytes.
const BODY_MAX_BYTES: usize = 64 * 1024;

/// Maximum size of the head of a request that is examined.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// Maximum size of a request that is examined.
pub(super) const REQUEST_MAX_BYTES: usize = HEAD_MAX_BYTES + BODY_MAX_BYTES;

/// Examiner of requests from sources that are not allowed.
pub struct Examiner {
    settings: Arc<Settings>,
    quarantine: Quarantine,
    metrics: Arc<Metrics>,
    begun: Mutex<Begun>,
}

/// Examinations that began within the last span: as many as may be, of which one network has half. So no caller keeps the
/// others out, and whatever callers do, an examination costs no more than so often a body's signature.
struct Begun {
    max: usize,
    sources: VecDeque<(Instant, IpAddr)>,
}

impl Begun {
    /// Returns `true` if one more may begin, and counts it.
    fn pass(&mut self, source: IpAddr, now: Instant) -> bool {
        let network = sender_network(source);
        let is_over = |began: &Instant| now.saturating_duration_since(*began) >= SPAN;
        while self
            .sources
            .front()
            .is_some_and(|(began, _)| is_over(began))
        {
            self.sources.pop_front();
        }
        let of_one = self
            .sources
            .iter()
            .filter(|(_, other)| *other == network)
            .count();
        let may_begin = self.sources.len() < self.max && of_one < self.max.div_ceil(2);
        if may_begin {
            self.sources.push_back((now, network));
        }
        may_begin
    }
}

impl Examiner {
    /// Returns the examiner of a callback listener; `None`: no project has secrets, so there is nothing to find out.
    pub fn new(
        settings: Arc<Settings>,
        limits: ConnectionLimits,
        quarantine: Quarantine,
        metrics: Arc<Metrics>,
    ) -> Option<Arc<Examiner>> {
        let mut routes = settings.routes.values();
        routes.any(|route| route.secrets.is_some()).then_some(())?;
        let begun = Mutex::new(Begun {
            max: limits.examined(),
            sources: VecDeque::new(),
        });
        Some(Arc::new(Examiner {
            settings,
            quarantine,
            metrics,
            begun,
        }))
    }

    /// Begins to examine a request from a source that is not allowed; `None`: there have been enough.
    pub(super) fn begin(self: &Arc<Self>, source: IpAddr) -> Option<Examination> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.pass(source, Instant::now()) {
            return Some(Examination {
                examiner: self.clone(),
                source,
            });
        }
        self.metrics.source_unexamined();
        None
    }
}

/// Examination of one request, which has been refused.
pub struct Examination {
    examiner: Arc<Examiner>,
    source: IpAddr,
}

impl Examination {
    /// Examines what came over a connection from `peer` that is closed by now.
    pub(super) async fn of_connection(self, peer: SocketAddr, received: Vec<u8>) {
        // It is read by the same code as any other request, so that both mean the same by it.
        let stream = tokio::io::join(std::io::Cursor::new(received), tokio::io::sink());
        let examination = &self;
        let service = service_fn(move |request: Request<Incoming>| async move {
            let (head, body) = request.into_parts();
            if let Some(body) = whole(body).await {
                examination.judge(&head, peer.ip().to_canonical(), body);
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        let mut http = http1::Builder::new();
        http.keep_alive(false)
            .half_close(true)
            .header_read_timeout(None)
            .max_buf_size(HEAD_MAX_BYTES);
        let served = http.serve_connection(TokioIo::new(stream), service);
        // What is no request is no callback.
        let _ = timeout(SPAN, served).await;
    }

    /// Examines a request that came through a trusted proxy, whose response is on its way.
    pub(super) async fn of_request(self, peer: IpAddr, head: Parts, body: Incoming) {
        if let Ok(Some(body)) = timeout(SPAN, whole(body)).await {
            self.judge(&head, peer, body);
        }
    }

    /// Hands the request over if it is a callback with a valid signature.
    fn judge(&self, head: &Parts, peer: IpAddr, body: Bytes) {
        let settings = &self.examiner.settings;
        let (Some(route), key) = settings.route(head.uri.path()) else {
            return;
        };
        // Without secrets there is no second check that it could have passed.
        let is_genuine = route.secrets.is_some()
            && body.len() <= settings.body_max_bytes
            && check_method(&head.method).is_ok()
            && check_encoding(&head.headers).is_ok()
            && check_signature(&head.headers, &body, route).is_ok();
        if is_genuine {
            self.examiner.quarantine.hand_over(Doubtful {
                reason: QuarantineReason::UnknownSource,
                route,
                key,
                head,
                peer,
                source: self.source,
                body,
            });
        }
    }
}

/// Returns `true` if the body of a request can be read after its response. A peer that waits for 100 Continue would be told
/// to go on.
pub(super) fn can_follow(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::EXPECT)
}

/// Returns a body, unless it breaks off or is too large.
async fn whole(body: Incoming) -> Option<Bytes> {
    let collected = Limited::new(body, BODY_MAX_BYTES).collect().await;
    Some(collected.ok()?.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_examined_within_a_second_and_half_of_them_of_one_network() {
        let start = Instant::now();
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        for max in [1, 2, 5, 64] {
            let mut begun = Begun {
                max,
                sources: VecDeque::new(),
            };
            let mut passed = |source, millis| {
                let now = start + Duration::from_millis(millis);
                (0..200).filter(|_| begun.pass(source, now)).count()
            };
            let half = max.div_ceil(2);
            assert_eq!(passed(address(1), 0), half, "{max}: one alone");
            assert_eq!(passed(address(2), 500), max - half, "{max}: another");
            assert_eq!(passed(address(3), 999), 0, "{max}: a third");
            assert_eq!(passed(address(3), 1000), half, "{max}: after a second");
        }
        let mut begun = Begun {
            max: 4,
            sources: VecDeque::new(),
        };
        for (source, passes) in [
            ("2001:db8::1", true),
            ("2001:db8::2", true),
            ("2001:db8::3", false),
            ("2001:db8:0:1::1", true),
        ] {
            let address = source.parse().expect("an address");
            assert_eq!(begun.pass(address, start), passes, "{source}");
        }
    }
}
