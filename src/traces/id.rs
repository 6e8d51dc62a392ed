//! Names of traces and of their spans. They follow from what is recorded, so every process gives the same.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Part;
use crate::store::event_name;
use number_order::{Id, Time};

/// Name of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// Returns the trace of an event of a project's, by the key of any of its deliveries.
    pub fn of_event(project: &Id, dedup_key: &str) -> TraceId {
        let name = event_name(dedup_key);
        TraceId(digest(&[
            b"trace",
            project.as_str().as_bytes(),
            name.as_bytes(),
        ]))
    }
}

/// Shows the id in hexadecimal, as OpenTelemetry does.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Name of a span in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

impl SpanId {
    /// Returns the root of a trace: the receipt of the event's first callback.
    pub fn root(trace: TraceId) -> SpanId {
        SpanId(digest(&[b"root", &trace.0]))
    }

    /// Returns the span of a part of a trace, by its time: a part can happen again.
    pub fn of_part(trace: TraceId, part: Part, began: Time, ended: Time) -> SpanId {
        let (began, ended) = (began.0.to_be_bytes(), ended.0.to_be_bytes());
        let name = part.name().as_bytes();
        SpanId(digest(&[b"part", &trace.0, name, &began, &ended]))
    }
}

/// Returns the beginning of the SHA-256 of some texts, each with its length, so that no two lists of texts are one.
fn digest<const BYTES: usize>(texts: &[&[u8]]) -> [u8; BYTES] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let digest = hash.finalize();
    std::array::from_fn(|index| digest[index])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn project(id: &str) -> Id {
        Id::new(id).expect("an id")
    }

    fn trace(id: &str, key: &str) -> TraceId {
        TraceId::of_event(&project(id), key)
    }

    /// The text is fixed, so that a new version goes on with the traces of the one before.
    #[test]
    fn an_event_has_the_same_trace_in_every_process() {
        let one = trace("p", "e1");
        assert_eq!(one.to_string(), "b6393f34a5c4942df90b6830be893222");
        assert_eq!(one, trace("p", "e1"));
        // The same event with another body, as SQLite keeps it.
        let other_body = "e1 sha256:00112233445566778899aabbccddeeff";
        assert_eq!(one, trace("p", other_body));
    }

    #[test]
    fn other_events_have_other_traces() {
        let events = [
            ("p", "e1"),
            ("p", "e2"),
            ("q", "e1"),
            ("pe", "1"),
            ("p", ""),
        ];
        let traces: HashSet<TraceId> = events.iter().map(|(id, key)| trace(id, key)).collect();
        assert_eq!(traces.len(), events.len());
    }

    #[test]
    fn every_span_of_a_trace_has_its_own_id() {
        let mut ids = HashSet::new();
        for trace in [trace("p", "e1"), trace("p", "e2")] {
            assert!(ids.insert(SpanId::root(trace)));
            for part in [Part::Repetition, Part::Processing, Part::Fetch] {
                for (began, ended) in [(0, 1), (0, 2), (1, 2)] {
                    let of_part = SpanId::of_part(trace, part, Time(began), Time(ended));
                    assert!(ids.insert(of_part), "{part:?}");
                }
            }
        }
    }
}
