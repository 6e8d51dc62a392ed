//! Spans about fetches: one in the trace of each event that the fetch is to settle.

use crate::redact::peer_text;
use crate::store::{DeliveryRow, FetchResult, FetchRow};
use crate::traces::{Attribute, Part, Span, TraceId, Value};
use crate::worker::logged_id;
use number_order::{
    Answer, Decision, DeliveryDecision, FetchOutcome, Hint, Policy, State, Status, Time,
};

/// Maximum number of traces to which a fetch belongs. Ten thousand events about one order are settled by one fetch.
const TRACES_MAX: usize = 16;

/// Returns the events that the last fetch of an order is to settle, the newest ones first, each by the key of a delivery.
/// Both lists are the order's, oldest first.
pub(super) fn events<'a>(
    deliveries: &'a [DeliveryRow],
    fetches: &[FetchRow],
    policy: &Policy,
) -> Vec<&'a str> {
    let Some((last, earlier)) = fetches.split_last() else {
        return Vec::new();
    };
    let mut events = Vec::new();
    for delivery in deliveries.iter().rev() {
        let is_new = !events.contains(&delivery.event.as_str());
        if events.len() < TRACES_MAX && is_new && is_settled_by(delivery, last, earlier, policy) {
            events.push(delivery.event.as_str());
        }
    }
    events
}

/// Returns `true` if a fetch is to settle what a delivery claims. An answer may be too stale to include the claim, and then
/// another fetch follows: the answer that settles the claim is the last one.
fn is_settled_by(
    delivery: &DeliveryRow,
    last: &FetchRow,
    earlier: &[FetchRow],
    policy: &Policy,
) -> bool {
    let Some(claim) = claim(delivery) else {
        return false;
    };
    let settles = |fetch: &FetchRow| settles(fetch, &claim, policy);
    let is_after = |fetch: &FetchRow| fetch.fetched_at >= claim.heard_at;
    let mut before = earlier.iter().filter(|fetch| is_after(fetch));
    // A fetch that was in flight when the callback came can settle its claim too.
    (is_after(last) || settles(last)) && !before.any(settles)
}

/// Returns what a delivery claims about its order; `None`: nothing that a fetch could settle.
fn claim(delivery: &DeliveryRow) -> Option<Hint> {
    let claims = match &delivery.decision {
        None => true,
        Some(DeliveryDecision::Event(decision)) => !matches!(decision, Decision::Agrees { .. }),
        Some(DeliveryDecision::Kept(_) | DeliveryDecision::NotUnderstood(_)) => false,
    };
    // An event about a number has no status.
    let status = delivery.status.as_deref().filter(|_| claims)?;
    Some(Hint {
        state: State::from_word(status),
        said_at: delivery.said_at,
        heard_at: delivery.received_at,
    })
}

/// Returns `true` if a fetch was answered, and its answer settles the claim.
fn settles(fetch: &FetchRow, claim: &Hint, policy: &Policy) -> bool {
    let FetchOutcome::Answer(outcome) = &fetch.outcome else {
        return false;
    };
    outcome.confirmed().is_some_and(|confirmed| {
        claim.is_settled_by(confirmed, fetch.updated_at, fetch.fetched_at, policy)
    })
}

/// Returns the span of a recorded fetch in the trace of one of its events.
pub(super) fn span(fetch: &FetchResult, outcome: &FetchOutcome, event: &str, now: Time) -> Span {
    let key = &fetch.claim.key;
    let mut attributes: Vec<(Attribute, Value)> = vec![
        (Attribute::Project, key.project.as_str().into()),
        (Attribute::Order, logged_id(key).into()),
        (Attribute::Attempt, i64::from(fetch.claim.attempts).into()),
        (Attribute::Outcome, outcome.code().into()),
    ];
    if let Ok(Answer::Found(shown)) = &fetch.result {
        let state = match &shown.state {
            Status::Known(state) => state.as_str().into(),
            Status::Unknown(word) => Value::Text(peer_text(word)),
        };
        attributes.push((Attribute::State, state));
    }
    if let FetchOutcome::Answer(outcome) = outcome
        && let Some(confirmed) = outcome.confirmed()
    {
        attributes.push((Attribute::Confirmed, confirmed.as_str().into()));
        attributes.push((Attribute::Changed, outcome.is_change().into()));
    }
    Span {
        trace: TraceId::of_event(&key.project, event),
        part: Part::Fetch,
        began: fetch.fetched_at,
        ended: now,
        attributes,
        error: fetch.result.is_err().then(|| outcome.code()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use number_order::{Endpoint, Kept, NoAnswer, Outcome};

    /// Seconds after a receipt from which no answer can be too stale.
    const SURE: i64 = 305;

    fn policy() -> Policy {
        Policy::new(Duration::from_secs(15), Duration::from_secs(300))
    }

    fn at(secs: i64) -> Time {
        Time(secs * 1_000_000)
    }

    /// A delivery that was received at a second, about a change at the same time.
    fn delivery(event: &str, received: i64, status: &str) -> DeliveryRow {
        let decision = Decision::FirstEvent {
            said: State::Completed,
        };
        DeliveryRow {
            id: received,
            event: event.to_owned(),
            status: Some(status.to_owned()),
            said_at: Some(at(received)),
            received_at: at(received),
            phase: "processed".to_owned(),
            decision: Some(DeliveryDecision::Event(decision)),
            duplicates: 0,
            dismissed_at: None,
        }
    }

    fn fetch(sent: i64, outcome: FetchOutcome, updated: Option<i64>) -> FetchRow {
        FetchRow {
            fetched_at: at(sent),
            state: None,
            updated_at: updated.map(at),
            outcome,
            unreadable_expiry: None,
        }
    }

    /// A fetch whose answer confirms a state that has come about at a second.
    fn shows(sent: i64, state: State, updated: i64) -> FetchRow {
        let outcome = FetchOutcome::Answer(Outcome::FirstAnswer { state });
        fetch(sent, outcome, Some(updated))
    }

    fn fails(sent: i64) -> FetchRow {
        let endpoint = Endpoint::Orders;
        let outcome = FetchOutcome::NoAnswer(NoAnswer::TimedOut { endpoint });
        fetch(sent, outcome, None)
    }

    fn stale(sent: i64) -> FetchRow {
        let outcome = Outcome::Older {
            known: State::InReview,
            shown: State::Created,
        };
        fetch(sent, FetchOutcome::Answer(outcome), Some(0))
    }

    fn assert_events(deliveries: &[DeliveryRow], fetches: &[FetchRow], expected: &[&str]) {
        let found = events(deliveries, fetches, &policy());
        assert_eq!(found, expected, "{deliveries:#?} {fetches:#?}");
    }

    #[test]
    fn a_fetch_belongs_to_events_that_came_before_it_and_are_open() {
        let done = || delivery("done", 100, "COMPLETED");
        let review = || delivery("review", 98, "IN_REVIEW");
        let completed = |sent| shows(sent, State::Completed, 100);
        let in_review = |sent| shows(sent, State::InReview, 98);
        for (deliveries, fetches, expected) in [
            (vec![done()], vec![], &[][..]),
            (vec![], vec![completed(101)], &[]),
            (vec![done()], vec![completed(100)], &["done"]),
            // What comes later is another fetch's to settle, unless this one has settled it as well.
            (vec![done()], vec![in_review(99)], &[]),
            (vec![done()], vec![completed(99)], &["done"]),
            // Failures and answers that settle nothing are part of the trace, up to the one that does.
            (vec![done()], vec![fails(101)], &["done"]),
            (vec![done()], vec![fails(101), stale(102)], &["done"]),
            (vec![done()], vec![fails(101), in_review(102)], &["done"]),
            (
                vec![done()],
                vec![in_review(101), completed(120)],
                &["done"],
            ),
            (vec![done()], vec![completed(101), completed(86_501)], &[]),
            // An answer that was sent late enough settles the claim whatever it shows.
            (
                vec![done()],
                vec![in_review(100 + SURE - 1), completed(900)],
                &["done"],
            ),
            (
                vec![done()],
                vec![in_review(100 + SURE), completed(900)],
                &[],
            ),
            // A state is settled by one that surely came after it: of Sinch's clocks one can be 3 s ahead.
            (
                vec![review(), done()],
                vec![completed(101)],
                &["done", "review"],
            ),
            (
                vec![review(), done()],
                vec![completed(101), completed(500)],
                &["review"],
            ),
            (
                vec![delivery("review", 90, "IN_REVIEW"), done()],
                vec![completed(101), completed(500)],
                &[],
            ),
            // An answer before the callback does not settle what the callback says has come about since.
            (
                vec![delivery("again", 200, "IN_REVIEW")],
                vec![in_review(101), in_review(201)],
                &["again"],
            ),
            (
                vec![delivery("odd", 100, "THAWING")],
                vec![completed(101), completed(100 + SURE)],
                &["odd"],
            ),
        ] {
            assert_events(&deliveries, &fetches, expected);
        }
    }

    #[test]
    fn what_claims_nothing_has_no_fetch() {
        let decided = |decision| DeliveryRow {
            decision,
            ..delivery("e", 100, "COMPLETED")
        };
        let agrees = Decision::Agrees {
            state: State::Completed,
        };
        let fault = "no".to_owned();
        let parked = Kept::OrderUnreadable { fault };
        let about_number = DeliveryRow {
            status: None,
            ..decided(None)
        };
        let fetches = [shows(101, State::Completed, 100)];
        for (delivery, expected) in [
            (decided(None), &["e"][..]),
            (decided(Some(DeliveryDecision::Event(agrees))), &[]),
            (decided(Some(DeliveryDecision::Kept(parked))), &[]),
            (about_number, &[]),
        ] {
            assert_events(&[delivery], &fetches, expected);
        }
    }

    #[test]
    fn an_event_has_one_span_and_a_storm_of_them_has_few() {
        let twice = [
            delivery("e", 100, "COMPLETED"),
            delivery("e", 101, "BLOCKED"),
        ];
        let fetches = [fails(200)];
        assert_events(&twice, &fetches, &["e"]);
        let names: Vec<String> = (0..100).map(|n| format!("e{n}")).collect();
        let storm = names.iter().map(|name| delivery(name, 100, "BLOCKED"));
        let storm: Vec<DeliveryRow> = storm.collect();
        let found = events(&storm, &fetches, &policy());
        assert_eq!(found.len(), TRACES_MAX);
        assert_eq!(found[0], "e99", "the newest come first");
    }
}
