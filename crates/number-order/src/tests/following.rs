//! The following of a number: when it is fetched, and what an event during a fetch means.

use super::*;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

const BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(2),
    cap: Duration::from_secs(300),
    attempts_max: 3,
};

/// A plan that was ordered, and a number that is linked with it, or with nothing.
fn plan() -> [OrderedLink; 1] {
    [OrderedLink {
        service: Service::Messages,
        target: Target::new("plan"),
    }]
}

fn shown(is_linked: bool) -> Vec<Link> {
    vec![Link {
        service: Service::Messages,
        linked: is_linked.then(|| Target::new("plan")),
        scheduled: None,
    }]
}

fn answered(following: &Following, secs: i64, links: Option<&[Link]>) -> Following {
    let fetch = NumberFetch {
        sent_at: at(secs),
        result: Ok(links),
        now: at(secs + 1),
        jitter: 1.0,
    };
    following.fetched(&fetch, &plan(), &policy(), &BACKOFF)
}

fn failed(following: &Following, secs: i64, reason: NoAnswer, wait_min: u64) -> Following {
    let failure = Failure {
        reason,
        wait_min: Duration::from_secs(wait_min),
    };
    let fetch = NumberFetch {
        sent_at: at(secs),
        result: Err(&failure),
        now: at(secs),
        jitter: 1.0,
    };
    following.fetched(&fetch, &plan(), &policy(), &BACKOFF)
}

/// Seconds until the next fetch of a number that is not active, after a fetch at the given second.
fn pause(secs: i64) -> Option<i64> {
    let next = answered(&Following::begin(at(0)), secs, None);
    next.fetch_at.map(|at| at.0 / SECOND - secs)
}

#[test]
fn a_number_that_is_not_ready_is_fetched_ever_less_often_and_then_given_up() {
    for (secs, expected) in [
        (0, Some(5)),
        (9, Some(5)),
        (60, Some(30)),
        (HOUR, Some(HOUR / 2)),
        (DAY, Some(6 * HOUR)),
        (3 * DAY - 1, Some(6 * HOUR)),
        (3 * DAY, Some(DAY)),
        (30 * DAY - 1, Some(DAY)),
        (30 * DAY, None),
    ] {
        assert_eq!(pause(secs), expected, "after {secs} s");
    }
    let begun = Following::begin(at(0));
    assert_eq!(
        begun.fetch_at,
        Some(at(0)),
        "the first fetch is sent at once"
    );
    for (secs, is_late) in [(3 * DAY - 1, false), (3 * DAY, true)] {
        assert_eq!(answered(&begun, secs, None).is_late(), is_late, "{secs}");
    }
    assert!(!answered(&begun, 9 * DAY, Some(&shown(true))).is_late());
}

#[test]
fn readiness_has_the_time_of_the_fetch_that_first_showed_it() {
    let not_active = answered(&Following::begin(at(0)), 1, None);
    assert_eq!(not_active.readiness, Some(Readiness::NotActive));
    let still = answered(&not_active, 9, None);
    assert_eq!(still.readiness_since, Some(at(1)));
    let ready = answered(&still, 20, Some(&shown(true)));
    assert_eq!(
        (ready.readiness_since, ready.ready_at, ready.fetch_at),
        (Some(at(20)), Some(at(20)), None)
    );
    // What becomes of the number later does not undo that it has been ready.
    let gone = answered(&ready, 90, None);
    assert_eq!(gone.readiness, Some(Readiness::NotActive));
    assert_eq!(
        (gone.readiness_since, gone.ready_at),
        (Some(at(90)), Some(at(20)))
    );
    let again = answered(&gone, 200, Some(&shown(true)));
    assert_eq!(
        (again.readiness_since, again.ready_at),
        (Some(at(200)), Some(at(20)))
    );
}

#[test]
fn an_event_makes_the_number_due_until_an_answer_must_include_it() {
    let not_linked = answered(&Following::begin(at(0)), 1000, Some(&shown(false)));
    assert_eq!(not_linked.fetch_at, Some(at(1500)));
    let hear = |following: &Following, secs| {
        let mut heard = following.clone();
        heard.note_event(at(secs), at(secs), &policy());
        heard
    };
    // Not within the cooldown, and at once after it.
    assert_eq!(hear(&not_linked, 1001).fetch_at, Some(at(1003)));
    let heard = hear(&not_linked, 1010);
    assert_eq!(heard.fetch_at, Some(at(1010)));
    // An answer that may be too stale to include the event leaves it open, and so does one that shows the number ready.
    let early = answered(&heard, 1010, Some(&shown(false)));
    assert_eq!(
        (early.hinted_at, early.fetch_at),
        (Some(at(1010)), Some(at(1026)))
    );
    let ready = answered(&heard, 1010, Some(&shown(true)));
    assert_eq!(
        (ready.hinted_at, ready.fetch_at),
        (Some(at(1010)), Some(at(1026)))
    );
    let late = answered(&early, 1026, Some(&shown(false)));
    assert_eq!(
        (late.hinted_at, late.fetch_at),
        (None, Some(at(1026 + 513)))
    );
    let late = answered(&ready, 1026, Some(&shown(true)));
    assert_eq!((late.hinted_at, late.fetch_at), (None, None));
    // An event that came during the fetch is not answered by it, and the next fetch comes soon.
    let during = answered(&heard, 1008, Some(&shown(true)));
    assert_eq!(
        (during.hinted_at, during.fetch_at),
        (Some(at(1010)), Some(at(1011)))
    );
    // A ready number is fetched again, since the event may say that it is so no more.
    let at_rest = answered(&not_linked, 1200, Some(&shown(true)));
    assert_eq!(at_rest.fetch_at, None);
    assert_eq!(hear(&at_rest, 9000).fetch_at, Some(at(9000)));
}

#[test]
fn a_failed_attempt_is_repeated_with_a_growing_wait_and_events_do_not_shorten_it() {
    let timed_out = || NoAnswer::TimedOut {
        endpoint: Endpoint::Numbers,
    };
    let begun = Following::begin(at(0));
    let once = failed(&begun, 1, timed_out(), 0);
    assert_eq!((once.attempts, once.fetch_at), (1, Some(at(3))));
    assert_eq!(once.failure, Some(timed_out()));
    let twice = failed(&once, 3, timed_out(), 60);
    assert_eq!((twice.attempts, twice.fetch_at), (2, Some(at(67))));
    let mut heard = twice.clone();
    heard.note_event(at(10), at(10), &policy());
    assert_eq!(
        (heard.fetch_at, heard.hinted_at),
        (Some(at(67)), Some(at(10)))
    );
    heard.request_fetch(at(11));
    assert_eq!(
        (heard.fetch_at, heard.attempts, heard.failure),
        (Some(at(11)), 0, None)
    );
    let answered = answered(&twice, 67, None);
    assert_eq!((answered.attempts, answered.failure), (0, None));
    // An outage gives no number up, however long it lasts.
    let long = failed(&begun, 40 * DAY, timed_out(), 0);
    assert_eq!(long.fetch_at, Some(at(40 * DAY + 2)));
    // A failure of its own waits as long as the schedule does.
    let own = |flaw| NoAnswer::UnusableAnswer {
        endpoint: Endpoint::Numbers,
        status: 500,
        flaw,
    };
    let own = failed(&begun, HOUR, own(Flaw::ServerFailed), 0);
    assert_eq!(own.fetch_at, Some(at(HOUR + HOUR / 2)));
}
