//! Numbers of completed orders, from COMPLETED to ready.

use serde_json::json;

use super::*;
use crate::store::changes::StoredNumber;
use crate::store::sql::numbers::number_columns;
use number_order::{
    FailedLink, Following, Link, OrderDetails, OrderNumber, Readiness, ScheduledLink, Service,
    Target,
};

/// Numbers of the orders in these tests.
pub(super) const FIRST: &str = "+61411111111";
pub(super) const SECOND: &str = "+61411111112";

/// Details of an order of which each number is to be linked with a service plan.
fn subject(numbers: &[&str]) -> OrderDetails {
    let number = |phone_number: &&str| OrderNumber {
        phone_number: (*phone_number).to_owned(),
        setup_price: None,
        monthly_price: None,
        payment_interval_months: None,
        capabilities: Vec::new(),
    };
    OrderDetails {
        sms_configuration: Some(json!({ "servicePlanId": "plan" })),
        numbers: numbers.iter().map(number).collect(),
        ..OrderDetails::default()
    }
}

/// Links of a number with the ordered plan: made, or failed with a code.
pub(in crate::store) fn linked() -> Vec<Link> {
    vec![Link {
        service: Service::Messages,
        linked: Some(Target::new("plan")),
        scheduled: None,
    }]
}

fn failed_with(code: &str) -> Vec<Link> {
    let scheduled = ScheduledLink {
        target: Some(Target::new("plan")),
        status: "FAILED".to_owned(),
        codes: vec![code.to_owned()],
    };
    vec![Link {
        service: Service::Messages,
        linked: None,
        scheduled: Some(scheduled),
    }]
}

impl Fixture {
    /// Makes an order known, and has an answer show it in a state with the given numbers.
    pub(in crate::store) async fn shown(
        &self,
        order: &str,
        state: State,
        numbers: &[&str],
        secs: i64,
    ) {
        let request = WatchRequest {
            project: id(PROJECT),
            orders: vec![id(order)],
            now: at(secs),
        };
        self.store.watch(request).await.expect("writes");
        let requested = self.store.request_fetch(key(order), at(secs)).await;
        assert!(requested.expect("writes"));
        let claims = self.claim(secs).await;
        let claim = claims.into_iter().find(|claim| claim.key == key(order));
        let Ok(Answer::Found(shown)) = shows(state, secs) else {
            panic!("an answer");
        };
        let shown = Snapshot {
            details: Some(Box::new(subject(numbers))),
            ..shown
        };
        let claim = claim.expect("is due");
        self.record(&claim, Ok(Answer::Found(shown)), secs).await;
    }

    /// Returns the number that is due.
    pub(in crate::store) async fn due_number(&self, secs: i64) -> Option<DueNumber> {
        let due = self.store.due_number(&id(PROJECT), FAST, at(secs)).await;
        match due.expect("reads") {
            NextNumber::One { number, .. } => Some(number),
            NextNumber::None => None,
            other @ NextNumber::NotBefore(_) => panic!("{other:?}"),
        }
    }

    /// Records the result of fetching a number.
    pub(in crate::store) async fn fetched(
        &self,
        number: DueNumber,
        result: Result<Option<Vec<Link>>, Failure>,
        secs: i64,
    ) -> NumberRecorded {
        let FetchResult {
            policy, backoff, ..
        } = outcome_of_nothing();
        let result = NumberFetchResult {
            number,
            sent_at: at(secs),
            result,
            now: at(secs),
            jitter: 0.5,
            policy,
            backoff,
        };
        self.store.record_number(result).await.expect("writes")
    }

    /// Fetches the number that is due.
    pub(in crate::store) async fn fetch_number(
        &self,
        links: Option<Vec<Link>>,
        secs: i64,
    ) -> String {
        let number = self.due_number(secs).await.expect("a number is due");
        let phone_number = number.phone_number.clone();
        let recorded = self.fetched(number, Ok(links), secs).await;
        assert!(matches!(recorded, NumberRecorded::Done(_)), "{recorded:?}");
        phone_number
    }

    /// Returns the stored following of a number.
    pub(in crate::store) async fn following(&self, phone_number: &str) -> Following {
        let sql = format!(
            "SELECT json_array({}) FROM order_numbers AS n JOIN orders AS o ON o.id = n.order_id \
             JOIN projects AS p ON p.id = n.project WHERE n.phone_number = '{phone_number}'",
            number_columns!()
        );
        let found = self.place.texts(&sql).await;
        let number: StoredNumber = serde_json::from_str(&found[0]).expect("is readable");
        number.following
    }
}

/// Policy and back-off of the other tests.
fn outcome_of_nothing() -> FetchResult {
    let claim = Claim {
        order_id: 0,
        lease: 0,
        key: key("-"),
        attempts: 0,
    };
    outcome(&claim, Ok(Answer::NotFound), 0)
}

async fn the_numbers_of_a_completed_order_are_followed_until_they_are_ready(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .shown("o1", State::InReview, &[FIRST, SECOND], 10)
        .await;
    assert!(fixture.due_number(100).await.is_none(), "not completed yet");
    assert!(fixture.history("o1").await.readiness.is_empty());
    fixture
        .shown("o1", State::Completed, &[FIRST, SECOND], 200)
        .await;
    assert_eq!(fixture.following(FIRST).await, Following::begin(at(200)));
    let mut fetched = vec![
        fixture.fetch_number(None, 200).await,
        fixture
            .fetch_number(Some(failed_with("CAMPAIGN_EXPIRED")), 200)
            .await,
    ];
    fetched.sort();
    assert_eq!(fetched, [FIRST, SECOND]);
    assert!(fixture.due_number(204).await.is_none());
    let shown = serde_json::to_value(fixture.history("o1").await).expect("JSON");
    assert_eq!(shown["ready_at"], json!(null));
    let rows = shown["readiness"].as_array().expect("a list");
    let with = |code: &str| rows.iter().find(|row| row["readiness"]["code"] == code);
    assert!(with("not-active").is_some(), "{shown}");
    let failed = with("failed").expect("a failed number");
    assert_eq!(failed["failures"][0]["code"], "CAMPAIGN_EXPIRED");
    assert_eq!(failed["failures"][0]["try_again"], "afterwards");

    // A further answer about the order does not begin that again.
    fixture
        .shown("o1", State::Completed, &[FIRST, SECOND], 204)
        .await;
    assert_eq!(fixture.following(FIRST).await.since, at(200));
    // The operator's request of a fetch has made both due.
    fixture.fetch_number(Some(linked()), 205).await;
    assert_eq!(fixture.history("o1").await.ready_at, None, "one is not");
    fixture.fetch_number(Some(linked()), 206).await;
    let history = fixture.history("o1").await;
    assert_eq!(history.ready_at, Some(at(206)));
    let ready = history.readiness.iter();
    assert!(
        ready
            .clone()
            .all(|row| row.readiness == Some(Readiness::Ready))
    );
    assert!(
        ready
            .clone()
            .all(|row| row.since == row.ready_at && !row.late)
    );
}

async fn orders_and_figures_tell_of_the_numbers_that_are_not_ready(on: Backend) {
    let fixture = Fixture::on(on).await;
    for (order, number) in [("o1", FIRST), ("o2", SECOND), ("o3", "+61411111113")] {
        fixture.shown(order, State::Completed, &[number], 10).await;
    }
    fixture.fetch_number(Some(linked()), 10).await;
    fixture.fetch_number(None, 10).await;
    let list = async |readiness| {
        let filter = OrderFilter {
            readiness: Some(readiness),
            limit: 9,
            ..OrderFilter::default()
        };
        let listing = fixture.store.orders(&filter).await.expect("reads");
        let orders = listing.items.into_iter().map(|row| row.order);
        orders.collect::<Vec<String>>()
    };
    let figures = async || {
        let summary = fixture.store.summary(at(0)).await.expect("reads");
        let counted = summary.numbers_not_ready.into_iter();
        let not_ready: Vec<(&str, i64)> = counted.filter(|(_, numbers)| *numbers > 0).collect();
        (not_ready, summary.numbers_late)
    };
    assert_eq!(list(NumberQuery::Code("ready")).await, ["o1"]);
    assert_eq!(list(NumberQuery::Code("not-active")).await, ["o2"]);
    assert_eq!(
        figures().await,
        (vec![("unknown", 1), ("not-active", 1)], 0)
    );
    assert_eq!(list(NumberQuery::Late).await, Vec::<String>::new());
    // The list has the same idea of lateness as the rules.
    let days = 3 * 24 * 3600;
    for (secs, late) in [(10 + days - 1, &[][..]), (10 + days, &["o3"])] {
        let number = DueNumber {
            id: 3,
            phone_number: "+61411111113".to_owned(),
        };
        fixture.fetched(number, Ok(None), secs).await;
        assert_eq!(list(NumberQuery::Late).await, late, "{secs}");
        let following = fixture.following("+61411111113").await;
        assert_eq!(following.is_late(), !late.is_empty());
        assert_eq!(figures().await.1, late.len() as i64);
    }
}

/// Every column is written and read back, and the statements that do as the rules do exactly that.
async fn a_following_is_stored_as_it_is(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.shown("o1", State::Completed, &[FIRST], 10).await;
    let number = fixture.due_number(11).await.expect("is due");
    let failures = vec![FailedLink {
        service: Service::Messages,
        codes: vec!["X".to_owned()],
    }];
    let steps = [
        (Ok(Some(linked())), 12),
        (Ok(Some(failed_with("X"))), 14),
        (
            Err(Failure {
                reason: not_now(503),
                wait_min: Duration::ZERO,
            }),
            19,
        ),
    ];
    for (result, secs) in steps {
        let recorded = fixture.fetched(number.clone(), result, secs).await;
        let NumberRecorded::Done(change) = recorded else {
            panic!("{recorded:?}");
        };
        assert_eq!(fixture.following(FIRST).await, change.after, "{secs}");
    }
    let mut expected = Following {
        since: at(10),
        readiness: Some(Readiness::Failed { failures }),
        readiness_since: Some(at(14)),
        ready_at: Some(at(12)),
        fetched_at: Some(at(19)),
        fetch_at: Some(at(20)),
        attempts: 1,
        failure: Some(not_now(503)),
        hinted_at: None,
    };
    assert_eq!(fixture.following(FIRST).await, expected);
    fixture
        .store
        .request_fetch(key("o1"), at(30))
        .await
        .expect("writes");
    expected.request_fetch(at(30));
    assert_eq!(fixture.following(FIRST).await, expected);
}

async fn circuit_and_rate_hold_numbers_up_and_due_orders_are_told(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .shown("o1", State::Completed, &[FIRST, SECOND], 10)
        .await;
    let rate = Rate {
        interval: Duration::from_secs(2),
        burst: 1,
    };
    let due = async |secs| {
        let due = fixture.store.due_number(&id(PROJECT), rate, at(secs)).await;
        due.expect("reads")
    };
    let open = Circuit {
        failures: 9,
        paused: Some((at(50), not_now(503))),
        paused_since: Some(at(10)),
    };
    let saved = fixture
        .store
        .save_circuit(id(PROJECT), Circuit::default(), open)
        .await;
    saved.expect("writes");
    assert!(matches!(due(49).await, NextNumber::NotBefore(until) if until == at(50)));
    // Half-open: a number may be fetched.
    let one = due(50).await;
    assert!(
        matches!(
            one,
            NextNumber::One {
                orders_wait: false,
                ..
            }
        ),
        "{one:?}"
    );
    assert!(matches!(due(51).await, NextNumber::NotBefore(until) if until == at(52)));
    fixture
        .accept(delivery("e1", "o2", State::InReview, 52))
        .await;
    fixture.process(52).await;
    let one = due(53).await;
    assert!(
        matches!(
            one,
            NextNumber::One {
                orders_wait: true,
                ..
            }
        ),
        "{one:?}"
    );
    let other = fixture.store.due_number(&id("other"), rate, at(90)).await;
    assert!(matches!(other, Ok(NextNumber::None)), "{other:?}");
}

async fn an_order_stays_until_its_numbers_are_ready_and_takes_them_along(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.shown("o1", State::Completed, &[FIRST], 10).await;
    fixture.edit("UPDATE orders SET fetch_at = NULL").await;
    let rows = "SELECT count(*) FROM order_numbers";
    fixture.prune_all(at(90_000)).await;
    assert_eq!(fixture.number(rows).await, 1, "it is still to be fetched");
    fixture.fetch_number(Some(linked()), 90_000).await;
    fixture.prune_all(at(90_001)).await;
    assert_eq!(fixture.number(rows).await, 0);
    assert_eq!(fixture.number("SELECT count(*) FROM orders").await, 0);
}

async fn a_clock_that_was_set_back_puts_no_number_off(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.shown("o1", State::Completed, &[FIRST], 10).await;
    // Tests start at second 5000.
    let later = at(5000 + 90 * 3600).0;
    fixture
        .edit(&format!(
            "UPDATE order_numbers SET fetch_at = {later}, hinted_at = {later}"
        ))
        .await;
    let fixture = fixture.again().await;
    let following = fixture.following(FIRST).await;
    assert_eq!(following.fetch_at, Some(at(5000 + 25 * 3600)));
    assert_eq!(following.hinted_at, Some(at(5000)));
}

suite!(
    the_numbers_of_a_completed_order_are_followed_until_they_are_ready,
    orders_and_figures_tell_of_the_numbers_that_are_not_ready,
    a_following_is_stored_as_it_is,
    circuit_and_rate_hold_numbers_up_and_due_orders_are_told,
    an_order_stays_until_its_numbers_are_ready_and_takes_them_along,
    a_clock_that_was_set_back_puts_no_number_off,
);
