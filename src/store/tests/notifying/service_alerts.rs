//! Alerts about the service: each is told once when it fires and once when it is resolved, by whichever replica.

use super::*;
use crate::store::tests::suite;
use notifications::{AlertLimits, CallbackRefusal, RefusedCallback};

const LIMITS: AlertLimits = AlertLimits {
    trouble: Duration::from_secs(300),
    silence: Duration::from_secs(1000),
    quiet: Duration::from_secs(100),
};

/// What a process that saw nothing hands over.
fn nothing() -> Observed {
    Observed::default()
}

/// What a process hands over that refused a callback of the project at the given second.
fn refused(secs: i64) -> Observed {
    Observed {
        refused: vec![RefusedCallback {
            refusal: CallbackRefusal::Signature,
            project: Some(id(PROJECT)),
            at: at(secs),
        }],
        ..Observed::default()
    }
}

fn heard(secs: i64) -> Observed {
    Observed {
        heard: vec![(id(PROJECT), at(secs))],
        ..Observed::default()
    }
}

fn told_of_alerts() -> Vec<TargetSettings> {
    ["crm", "ops"]
        .map(|name| target(name, "alert.*", false))
        .to_vec()
}

/// Checks the service, and returns the codes of the alerts that have fired and of those that are resolved.
async fn check(store: &Store, observed: &Observed, secs: i64) -> [Vec<&'static str>; 2] {
    let changes = store.check_service(observed, &LIMITS, at(secs)).await;
    let ServiceAlertChanges { fired, resolved } = changes.expect("is recorded");
    [fired, resolved].map(|rows| rows.iter().map(|row| row.alert.code()).collect())
}

const NO_CHANGE: [Vec<&str>; 2] = [Vec::new(), Vec::new()];

impl Fixture {
    /// Types of all events, each with the code of its alert.
    async fn told(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let events = self.feed(0).await;
        let alerts = events
            .iter()
            .filter(|event| event["data"]["order"].is_null());
        alerts
            .map(|event| (text(&event["type"]), text(&event["data"]["alert"]["code"])))
            .collect()
    }

    /// Codes of the alerts that operators see.
    async fn firing(&self) -> Vec<&'static str> {
        let limits = Limits {
            expiring: Vec::new(),
            review: Duration::MAX,
            blocked: Duration::MAX,
        };
        let standing = self.store.standing(at(5000), &limits, 0).await;
        let rows = standing.expect("reads").service_alerts.into_iter();
        rows.map(|row| row.alert.code()).collect()
    }
}

fn fired(code: &str) -> (String, String) {
    ("alert.fired".to_owned(), code.to_owned())
}

fn resolved(code: &str) -> (String, String) {
    ("alert.resolved".to_owned(), code.to_owned())
}

async fn refused_callbacks_are_told_once_until_it_is_quiet(on: Backend) {
    let fixture = Fixture::telling(on, told_of_alerts()).await;
    let store = &fixture.store;
    assert_eq!(check(store, &nothing(), 10).await, NO_CHANGE);
    let changes = check(store, &refused(11), 12).await;
    assert_eq!(changes, [vec!["callbacks-refused"], vec![]]);
    assert_eq!(check(store, &refused(20), 22).await, NO_CHANGE);
    assert_eq!(fixture.firing().await, ["callbacks-refused"]);
    let event = fixture.feed(0).await.remove(0);
    assert_eq!(event["data"]["project"], PROJECT);
    assert_eq!(event["data"]["alert"]["fields"]["refusal"], "signature");

    // A restart forgets what the process saw, but not the alert.
    let Fixture { place, store, run } = fixture;
    drop(store);
    run.await.expect("no panic").expect("a clean end");
    let fixture = Fixture::at_place(place, told_of_alerts()).await;
    let store = &fixture.store;
    assert_eq!(check(store, &nothing(), 90).await, NO_CHANGE);
    let changes = check(store, &nothing(), 130).await;
    assert_eq!(changes, [vec![], vec!["callbacks-refused"]]);
    let code = "callbacks-refused";
    assert_eq!(fixture.told().await, [fired(code), resolved(code)]);
    assert_eq!(fixture.firing().await, Vec::<&str>::new());
    let first = fixture.next(140).await;
    assert_eq!(first.event_type, "alert.fired");
}

/// One process sees refused callbacks, the other sees none, and both check at once, again and again.
async fn two_processes_tell_of_it_once(on: Backend) {
    let fixture = Fixture::telling(on, told_of_alerts()).await;
    let (other, _run) = fixture.another(told_of_alerts()).await;
    for secs in (10..600).step_by(10) {
        let (seeing, unseeing) = (refused(secs), nothing());
        let checks = tokio::join!(
            check(&fixture.store, &seeing, secs),
            check(&other, &unseeing, secs),
            check(&fixture.store, &seeing, secs),
            check(&other, &unseeing, secs),
        );
        let (first, second, third, fourth) = checks;
        let all = [first, second, third, fourth];
        let fired: usize = all.iter().map(|[fired, _]| fired.len()).sum();
        assert_eq!(fired, usize::from(secs == 10), "at {secs}");
        assert!(
            all.iter().all(|[_, resolved]| resolved.is_empty()),
            "at {secs}"
        );
    }
    // The process that saw them is gone.
    let seen = nothing();
    let all = tokio::join!(check(&fixture.store, &seen, 900), check(&other, &seen, 900),);
    let resolved_by = [all.0, all.1]
        .iter()
        .filter(|[_, one]| !one.is_empty())
        .count();
    assert_eq!(resolved_by, 1);
    let code = "callbacks-refused";
    assert_eq!(fixture.told().await, [fired(code), resolved(code)]);
}

async fn trouble_with_the_provider_is_told_once_it_has_lasted(on: Backend) {
    let fixture = Fixture::telling(on, told_of_alerts()).await;
    let store = &fixture.store;
    let (closed, open) = (
        Circuit::default(),
        Circuit {
            failures: 9,
            paused: Some((at(40), not_now(503))),
            paused_since: Some(at(9)),
        },
    );
    let turn = async |before: &Circuit, after: &Circuit| {
        let saved = store.save_circuit(id(PROJECT), before.clone(), after.clone());
        saved.await.expect("is stored");
    };
    turn(&closed, &open).await;
    for secs in (10..310).step_by(50) {
        assert_eq!(check(store, &nothing(), secs).await, NO_CHANGE, "at {secs}");
    }
    assert_eq!(
        fixture.firing().await,
        Vec::<&str>::new(),
        "it has not lasted"
    );
    let changes = check(store, &nothing(), 310).await;
    assert_eq!(changes, [vec!["provider-trouble"], vec![]]);
    turn(&open, &closed).await;
    assert_eq!(check(store, &nothing(), 320).await, NO_CHANGE);
    let changes = check(store, &nothing(), 410).await;
    assert_eq!(changes, [vec![], vec!["provider-trouble"]]);
    let event = fixture.feed(0).await.remove(0);
    assert_eq!(
        event["data"]["alert"]["fields"]["reason"]["code"],
        "not-now"
    );
}

/// Returns a store with a parked order and a parked delivery, of which alerts have been told.
async fn with_what_is_parked(on: Backend) -> Fixture {
    let fixture = Fixture::telling(on, told_of_alerts()).await;
    fixture.confirm("o1", State::Created, 10).await;
    fixture
        .edit("UPDATE orders SET fetch_at = NULL, parked = 'row-at-fault'")
        .await;
    let odd = NewDelivery {
        event_id: None,
        subject: DeliveryContent::NotUnderstood(number_order::NotUnderstood::UnusableOrderId),
        ..delivery("odd", "-", State::Blocked, 20)
    };
    fixture.accept(odd).await;
    let changes = check(&fixture.store, &heard(20), 30).await;
    assert_eq!(
        changes,
        [vec!["orders-parked", "deliveries-parked"], vec![]]
    );
    fixture
}

async fn parked_orders_and_deliveries_are_told(on: Backend) {
    let fixture = with_what_is_parked(on).await;
    let store = &fixture.store;
    let known = store.request_fetch(key("o1"), at(40)).await;
    assert_eq!(known, Ok(true));
    let changes = check(store, &nothing(), 50).await;
    assert_eq!(changes, [vec![], vec!["orders-parked"]]);
    // A day after a parked delivery came, the alert about it is over, though no operator has seen to it.
    assert_eq!(check(store, &nothing(), 86_410).await, NO_CHANGE);
    let changes = check(store, &nothing(), 86_420).await;
    assert_eq!(changes, [vec![], vec!["deliveries-parked"]]);
}

async fn what_an_operator_dismisses_is_told_no_more(on: Backend) {
    let fixture = with_what_is_parked(on).await;
    let store = &fixture.store;
    let dismissed = store.dismiss_order(key("o1"), at(40)).await;
    assert_eq!(dismissed, Ok(Dismissed::Done));
    let changes = check(store, &nothing(), 50).await;
    assert_eq!(changes, [vec![], vec!["orders-parked"]]);
    let parked = store.deliveries(&parked_only(1)).await.expect("reads");
    let parked = parked.items[0].delivery.id;
    let dismissed = store.dismiss_delivery(parked, at(60)).await;
    assert_eq!(dismissed, Ok(Dismissed::Done));
    let changes = check(store, &nothing(), 70).await;
    assert_eq!(changes, [vec![], vec!["deliveries-parked"]]);
}

async fn silence_is_a_change_that_no_callback_announced(on: Backend) {
    let fixture = Fixture::telling(on, told_of_alerts()).await;
    let store = &fixture.store;
    // An open order of which nothing is heard is no evidence: nothing may have happened.
    fixture.confirm("o1", State::Created, 10).await;
    assert_eq!(check(store, &heard(10), 20).await, NO_CHANGE);
    assert_eq!(check(store, &nothing(), 9_000).await, NO_CHANGE);
    // A fetch shows a change of which no callback came.
    let known = store.request_fetch(key("o1"), at(9_100)).await;
    assert_eq!(known, Ok(true));
    let claim = fixture.claim(9_100).await.remove(0);
    fixture
        .record(&claim, shows(State::InReview, 9_050), 9_100)
        .await;
    assert_eq!(check(store, &nothing(), 10_099).await, NO_CHANGE);
    let changes = check(store, &nothing(), 10_100).await;
    assert_eq!(changes, [vec!["silence"], vec![]]);
    let event = fixture.told().await;
    assert_eq!(event, [fired("silence")]);
    assert_eq!(check(store, &nothing(), 10_200).await, NO_CHANGE);
    let changes = check(store, &heard(10_300), 10_310).await;
    assert_eq!(changes, [vec![], vec!["silence"]]);
}

async fn a_target_that_fails_is_told_of_by_others_and_not_to_itself(on: Backend) {
    let fixture = Fixture::telling(on, told_of_alerts()).await;
    let store = &fixture.store;
    fixture
        .edit(
            "UPDATE targets SET failures = 5, failing_since_at = 100000000, paused_until_at = 200000000 WHERE name = 'crm'",
        )
        .await;
    assert_eq!(check(store, &nothing(), 399).await, NO_CHANGE);
    let changes = check(store, &nothing(), 400).await;
    assert_eq!(changes, [vec!["target-failing"], vec![]]);
    let of = async |name: &str| fixture.claim_for(name, 9, 401).await.claims;
    assert_eq!(of("ops").await.len(), 1, "another target is told");
    let waiting = async |name: &str| {
        let targets = store.targets().await.expect("reads");
        let mut targets = targets.into_iter().filter(|target| target.name == name);
        targets.next().map(|target| target.waiting)
    };
    assert_eq!(waiting("crm").await, Some(0), "it is not told of itself");
    assert_eq!(waiting("ops").await, Some(1));
    store
        .resume_target("crm".to_owned(), at(410))
        .await
        .expect("writes");
    assert_eq!(check(store, &nothing(), 450).await, NO_CHANGE);
    let changes = check(store, &nothing(), 700).await;
    assert_eq!(changes, [vec![], vec!["target-failing"]]);
    assert_eq!(waiting("crm").await, Some(0));
    assert_eq!(waiting("ops").await, Some(2));
}

async fn what_is_parked_for_a_target_and_a_target_that_wants_no_more_are_told(on: Backend) {
    let fixture = Fixture::telling(on, told_of_alerts()).await;
    let store = &fixture.store;
    check(store, &refused(10), 11).await;
    let first = fixture.next(12).await;
    fixture.settle(&first, failed(500, None), 13).await;
    let changes = check(store, &refused(10), 20).await;
    assert_eq!(changes, [vec!["notifications-parked"], vec![]]);
    let all = NotificationFilter {
        target: Some("crm".to_owned()),
        ..NotificationFilter::default()
    };
    assert_eq!(store.redrive(all, at(30)).await, Ok(1));
    let again = fixture.next(31).await;
    let gone = NotificationOutcome::Gone {
        failure: super::refused(410),
    };
    fixture.settle(&again, gone, 32).await;
    let changes = check(store, &refused(10), 40).await;
    assert_eq!(
        changes,
        [vec!["target-switched-off"], vec!["notifications-parked"]]
    );
}

/// The control of the commit: where the database refuses the event, it has not the alert either.
async fn what_cannot_be_told_does_not_fire(on: Backend) {
    let fixture = Fixture::telling(on, told_of_alerts()).await;
    fixture
        .refuse("INSERT ON events", "NEW.sequence = NEW.sequence")
        .await;
    let observed = refused(10);
    let checked = fixture.store.check_service(&observed, &LIMITS, at(11));
    assert!(checked.await.is_err());
    let rows = "SELECT count(*) FROM service_alerts";
    assert_eq!(fixture.number(rows).await, 0);
    fixture.refuse_no_more("events").await;
    let changes = check(&fixture.store, &refused(10), 20).await;
    assert_eq!(changes, [vec!["callbacks-refused"], vec![]]);
}

async fn a_row_that_cannot_be_read_holds_up_no_other_alert(on: Backend) {
    let fixture = Fixture::telling(on, told_of_alerts()).await;
    check(&fixture.store, &refused(10), 11).await;
    fixture
        .spoil("UPDATE service_alerts SET kind_fields = '{}'")
        .await;
    let silent = Observed {
        silent_workers: vec!["retention".to_owned()],
        ..refused(20)
    };
    let changes = check(&fixture.store, &silent, 21).await;
    assert_eq!(changes, [vec!["worker-silent"], vec![]]);
    assert_eq!(fixture.firing().await, ["worker-silent"]);
    assert_eq!(fixture.summary(22).await.rows_unreadable.len(), 1);
}

async fn resolved_alerts_are_kept_as_long_as_events(on: Backend) {
    let fixture = Fixture::telling(on, Vec::new()).await;
    check(&fixture.store, &refused(10), 11).await;
    check(&fixture.store, &nothing(), 200).await;
    check(&fixture.store, &refused(300), 301).await;
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let periods = RetentionPeriods {
        bodies: days(1000),
        deliveries: days(1000),
        parked: days(1000),
        quarantine: days(1000),
        events: days(1),
        orders: days(1000),
    };
    let prune = async |secs| {
        let pruned = fixture.store.prune(periods.clone(), at(secs)).await;
        pruned.expect("prunes").alerts
    };
    assert_eq!(prune(86_599).await, 0);
    assert_eq!(prune(86_600).await, 1);
    assert_eq!(prune(9_000_000).await, 0, "one is open");
}

suite!(
    refused_callbacks_are_told_once_until_it_is_quiet,
    two_processes_tell_of_it_once,
    trouble_with_the_provider_is_told_once_it_has_lasted,
    parked_orders_and_deliveries_are_told,
    what_an_operator_dismisses_is_told_no_more,
    silence_is_a_change_that_no_callback_announced,
    a_target_that_fails_is_told_of_by_others_and_not_to_itself,
    what_is_parked_for_a_target_and_a_target_that_wants_no_more_are_told,
    what_cannot_be_told_does_not_fire,
    a_row_that_cannot_be_read_holds_up_no_other_alert,
    resolved_alerts_are_kept_as_long_as_events,
);
