//! Claim order: which orders are fetched first, and that no order waits forever.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

impl Fixture {
    async fn watch(&self, orders: &[String], secs: i64) {
        let request = WatchRequest {
            project: id(PROJECT),
            orders: orders.iter().map(|order| id(order)).collect(),
            now: at(secs),
        };
        self.store.watch(request).await.expect("is known");
    }

    /// Makes orders that are in review, with nothing open.
    async fn quiet(&self, orders: &[String], secs: i64) {
        self.watch(orders, secs).await;
        let claims = self
            .claim_some(orders.len() as u32, ClaimOrder::Oldest, secs)
            .await;
        assert_eq!(claims.len(), orders.len());
        for claim in claims {
            self.record(&claim, shows(State::InReview, secs), secs)
                .await;
        }
    }
}

fn names(claims: &[Claim]) -> Vec<&str> {
    claims
        .iter()
        .map(|claim| claim.key.order.as_str())
        .collect()
}

fn several(prefix: &str, orders: usize) -> Vec<String> {
    (0..orders).map(|n| format!("{prefix}{n}")).collect()
}

async fn doubt_comes_before_the_unknown_and_that_before_routine(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.quiet(&several("quiet", 3), 10).await;
    let claim = async |claim_order, secs| {
        let claims = fixture.claim_some(1, claim_order, secs).await;
        names(&claims).first().map(|name| name.to_string())
    };
    // Quiet orders are due 60 s after they were fetched; all other orders fall due later.
    fixture.watch(&several("watched", 1), 100).await;
    fixture
        .accept(delivery("e1", "told", State::Completed, 200))
        .await;
    fixture.process(200).await;
    fixture
        .store
        .request_fetch(key("quiet2"), at(300))
        .await
        .expect("is known");
    let first = claim(ClaimOrder::Oldest, 400).await;
    assert_eq!(first.as_deref(), Some("quiet0"), "the oldest of all");
    assert_eq!(
        claim(ClaimOrder::Urgent, 400).await.as_deref(),
        Some("told")
    );
    assert_eq!(
        claim(ClaimOrder::Urgent, 400).await.as_deref(),
        Some("quiet2"),
        "a wish"
    );
    assert_eq!(
        claim(ClaimOrder::Urgent, 400).await.as_deref(),
        Some("watched0")
    );
    assert_eq!(
        claim(ClaimOrder::Urgent, 400).await.as_deref(),
        Some("quiet1"),
        "no place stays empty"
    );
    assert_eq!(claim(ClaimOrder::Urgent, 400).await, None);
}

async fn a_requested_fetch_is_urgent_until_there_is_an_answer(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.quiet(&several("o", 2), 10).await;
    fixture
        .store
        .request_fetch(key("o1"), at(100))
        .await
        .expect("is known");
    let claims = fixture.claim_some(1, ClaimOrder::Urgent, 100).await;
    assert_eq!(names(&claims), ["o1"]);
    let failure = Failure {
        reason: not_now(503),
        wait_min: Duration::ZERO,
    };
    fixture.record(&claims[0], Err(failure), 100).await;
    let claims = fixture.claim_some(1, ClaimOrder::Urgent, 200).await;
    assert_eq!(names(&claims), ["o1"], "o1 has waited less than o0");
    fixture
        .record(&claims[0], shows(State::InReview, 10), 200)
        .await;
    let claims = fixture.claim_some(2, ClaimOrder::Urgent, 90_000).await;
    assert_eq!(names(&claims), ["o0", "o1"], "both are routine");
}

async fn a_tie_is_urgent(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.quiet(&several("o", 2), 10).await;
    let claims = fixture.claim_some(2, ClaimOrder::Oldest, 70).await;
    fixture
        .record(&claims[1], shows(State::InReview, 10), 70)
        .await;
    fixture
        .record(&claims[0], shows(State::Blocked, 10), 70)
        .await;
    let claims = fixture.claim_some(1, ClaimOrder::Urgent, 90_000).await;
    assert_eq!(names(&claims), ["o0"]);
}

async fn isolated_orders_have_turns_of_their_own_and_no_others(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.quiet(&several("quiet", 3), 10).await;
    fixture.watch(&several("watched", 3), 20).await;
    let named = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
    };
    let isolated = named(&["quiet0", "watched0", "nobody"]);
    for claim_order in [ClaimOrder::Urgent, ClaimOrder::Oldest, ClaimOrder::Chance] {
        let claims = fixture.claim_beside(&isolated, 10, claim_order, 400).await;
        let mut claimed = named(&names(&claims));
        claimed.sort();
        assert_eq!(
            claimed,
            ["quiet1", "quiet2", "watched1", "watched2"],
            "{claim_order:?}"
        );
        for claim in claims {
            fixture.store.release(claim).await.expect("is given back");
        }
    }
    let claims = fixture
        .claim_beside(&isolated, 1, ClaimOrder::Isolated, 400)
        .await;
    assert_eq!(names(&claims), ["watched0"], "has waited longest");
    let claims = fixture
        .claim_beside(&isolated, 10, ClaimOrder::Isolated, 400)
        .await;
    assert_eq!(names(&claims), ["quiet0"], "the other is held");
}

async fn a_random_claim_favours_neither_the_front_of_a_list_nor_the_longest_list(on: Backend) {
    const TRIES: usize = 60;
    let fixture = Fixture::on(on).await;
    fixture.watch(&several("watched", 200), 20).await;
    fixture
        .accept(delivery("e1", "told", State::Completed, 20))
        .await;
    fixture.process(20).await;
    let mut met = BTreeMap::<String, usize>::new();
    for _ in 0..TRIES {
        let claim = fixture
            .claim_some(1, ClaimOrder::Chance, 400)
            .await
            .remove(0);
        *met.entry(claim.key.order.to_string()).or_default() += 1;
        fixture.store.release(claim).await.expect("is given back");
    }
    // One list in three holds only `told`.
    assert!(met["told"] > 3 && met.len() > 10, "{met:?}");
}

/// Wait of an order that fell due.
#[derive(Debug)]
struct Wait {
    pending: bool,
    /// Round in which the order fell due.
    since: usize,
    /// Number of rounds until the order was fetched, or until the end.
    rounds: usize,
}

/// Plays the given number of rounds. In each, `lanes` orders have pending deliveries and as many fall due for a routine
/// fetch, but only `lanes` can be fetched. In one round of every `oldest_every`, those that have waited longest come
/// first.
async fn waits(on: Backend, rounds: usize, lanes: u32, oldest_every: usize) -> Vec<Wait> {
    let fixture = Fixture::on(on).await;
    let each = lanes as usize;
    // They become known in the order of their names.
    let routine = (0..rounds * each).map(|n| format!("routine{n:03}"));
    let routine: Vec<String> = routine.collect();
    fixture.quiet(&routine, 10).await;
    // Each falls due in its round.
    let due = format!("UPDATE orders SET fetch_at = 1000000 * (1000 + (id - 1) / {lanes})");
    fixture.edit(&due).await;
    let mut due_since: BTreeMap<String, usize> = BTreeMap::new();
    let mut waits = Vec::new();
    let wait = |order: &str, since: usize, until: usize| Wait {
        pending: order.starts_with("news"),
        since,
        rounds: until - since,
    };
    for round in 0..rounds {
        let secs = 1000 + round as i64;
        for order in &routine[round * each..(round + 1) * each] {
            let pending = order.replace("routine", "news");
            let event = delivery(&pending, &pending, State::InReview, secs);
            fixture.accept(event).await;
            due_since.insert(pending, round);
            due_since.insert(order.clone(), round);
        }
        fixture.process(secs).await;
        let claim_order = if (round + 1).is_multiple_of(oldest_every) {
            ClaimOrder::Oldest
        } else {
            ClaimOrder::Urgent
        };
        for claim in fixture.claim_some(lanes, claim_order, secs).await {
            let order = claim.key.order.as_str();
            let since = due_since.remove(order).expect("is due, and fetched once");
            waits.push(wait(order, since, round));
            // The answer leaves nothing open, and no reason to fetch again within a minute.
            let shown = shows(State::InReview, secs);
            fixture.record(&claim, shown, secs).await;
        }
    }
    waits.extend(
        due_since
            .iter()
            .map(|(order, since)| wait(order, *since, rounds)),
    );
    waits
}

/// Returns the waits that are longer than the order's place in either queue explains.
fn starved(waits: &[Wait]) -> Vec<&Wait> {
    // One round in four is for the oldest of all: twice `lanes` orders fall due in a round. Three in four are for
    // orders with pending deliveries, of which `lanes` fall due in a round.
    let longest = |wait: &Wait| {
        if wait.pending {
            (wait.since + 1).div_ceil(3) + 1
        } else {
            8 * (wait.since + 1)
        }
    };
    let starved = waits.iter().filter(|wait| wait.rounds > longest(wait));
    starved.collect()
}

async fn with_both_always_waiting_neither_waits_for_ever(on: Backend) {
    in_thread(move || {
        proptest!(ProptestConfig::with_cases(8), |(rounds in 10_usize..24, lanes in 1_u32..5)| {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let waits = runtime.block_on(waits(on, rounds, lanes, 4));
            prop_assert_eq!(waits.len(), 2 * rounds * lanes as usize);
            let starved = starved(&waits);
            prop_assert!(starved.is_empty(), "{:?}", starved);
        });
    })
    .await;
}

/// The controls: if the longest waiting orders get no place, routine fetches starve; if they get all places, pending
/// deliveries do.
async fn with_places_for_one_kind_alone_the_other_starves(on: Backend) {
    let for_news_alone = waits(on, 20, 2, usize::MAX).await;
    assert!(starved(&for_news_alone).iter().all(|wait| !wait.pending));
    assert!(!starved(&for_news_alone).is_empty());
    let by_age_alone = waits(on, 20, 2, 1).await;
    assert!(starved(&by_age_alone).iter().all(|wait| wait.pending));
    assert!(!starved(&by_age_alone).is_empty());
}

suite!(
    with_both_always_waiting_neither_waits_for_ever,
    doubt_comes_before_the_unknown_and_that_before_routine,
    a_requested_fetch_is_urgent_until_there_is_an_answer,
    a_tie_is_urgent,
    isolated_orders_have_turns_of_their_own_and_no_others,
    a_random_claim_favours_neither_the_front_of_a_list_nor_the_longest_list,
    with_places_for_one_kind_alone_the_other_starves,
);
