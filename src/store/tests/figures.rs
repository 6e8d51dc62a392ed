//! Figures that are maintained as they change, against a fresh count.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Step that changes the states of orders.
#[derive(Clone, Debug)]
enum Step {
    Told(u8, State),
    Shown(u8, State, i64),
    Forgotten(u8),
    Watched(u8),
    /// Everything that has been kept for its period is pruned.
    Pruned,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let order = 0..6u8;
    let state = || proptest::sample::select(State::ALL.to_vec());
    let step = prop_oneof![
        4 => (order.clone(), state()).prop_map(|(order, state)| Step::Told(order, state)),
        4 => (order.clone(), state(), 0..50i64).prop_map(|(order, state, at)| Step::Shown(order, state, at)),
        1 => order.clone().prop_map(Step::Forgotten),
        1 => order.prop_map(Step::Watched),
        2 => Just(Step::Pruned),
    ];
    proptest::collection::vec(step, 1..40)
}

impl Fixture {
    async fn take(&self, n: i64, step: &Step) {
        let name = |order: u8| format!("o{order}");
        // The steps lie so far apart that orders are at rest between them.
        let secs = 50_000 * n;
        match step {
            Step::Told(order, state) => {
                let event = delivery(&format!("e{n}"), &name(*order), *state, secs);
                self.accept(event).await;
                self.process(secs).await;
            }
            Step::Shown(order, state, updated) => {
                self.answer(&name(*order), shows(*state, *updated), secs)
                    .await;
            }
            Step::Forgotten(order) => {
                self.answer(&name(*order), Ok(Answer::NotFound), secs).await;
            }
            Step::Watched(order) => {
                let request = WatchRequest {
                    project: id(PROJECT),
                    orders: vec![id(&name(*order))],
                    now: at(secs),
                };
                self.store.watch(request).await.expect("writes");
            }
            Step::Pruned => {
                self.prune_all(at(secs)).await;
            }
        }
    }

    /// Fetches only the given order, if it is known.
    async fn answer(&self, order: &str, result: Result<Answer, Failure>, secs: i64) {
        let known = self
            .store
            .request_fetch(key(order), at(secs - 10_000_000))
            .await;
        if known.expect("writes") {
            for claim in self.claim(secs).await {
                if claim.key == key(order) {
                    self.record(&claim, result.clone(), secs).await;
                }
            }
        }
    }
}

async fn what_is_counted_as_it_changes_is_what_there_is(on: Backend) {
    in_thread(move || {
        proptest!(ProptestConfig::with_cases(24), |(steps in steps())| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(check_counts(on, &steps));
        });
    })
    .await;
}

async fn check_counts(on: Backend, steps: &[Step]) {
    let fixture = Fixture::on(on).await;
    for (n, step) in (1..).zip(steps) {
        fixture.take(n, step).await;
    }
    let summary = fixture.summary(10_000_000).await;
    let counted = summary.orders_by_state.iter();
    let counted: BTreeMap<String, i64> = counted
        .map(|count| (count.state.clone(), count.orders))
        .collect();
    let filter = OrderFilter {
        limit: 100,
        ..OrderFilter::default()
    };
    let orders = fixture.store.orders(&filter).await.expect("reads").items;
    let mut anew = BTreeMap::new();
    for order in &orders {
        let state = order.state.unwrap_or("UNKNOWN").to_owned();
        *anew.entry(state).or_insert(0) += 1;
    }
    assert_eq!(counted, anew);
    let open = orders.iter();
    let open = open.filter(|order| !order.settled && order.parked.is_none());
    assert_eq!(summary.unsettled(), open.count() as i64);
    assert_eq!(
        summary.oldest_unsettled_at.is_some(),
        summary.unsettled() > 0
    );
}

async fn convergence_tells_announced_changes_from_others(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(12).await;
    for (secs, state, updated) in [(13, State::InReview, 10), (40, State::Completed, 20)] {
        fixture
            .store
            .request_fetch(key("o1"), at(secs))
            .await
            .expect("is known");
        let claim = fixture.claim(secs).await.remove(0);
        fixture.record(&claim, shows(state, updated), secs).await;
    }
    let convergence = fixture
        .store
        .summary(at(0))
        .await
        .expect("reads")
        .convergence;
    let expected = Convergence {
        changes: 2,
        unannounced: 1,
        p50_secs: 3.0,
        p90_secs: 20.0,
        max_secs: 20.0,
    };
    assert_eq!(convergence, expected);
}

suite!(
    what_is_counted_as_it_changes_is_what_there_is,
    convergence_tells_announced_changes_from_others,
);
