//! Every write on an order, in any sequence and with leases out, leaves only rows that can be read.

use fastrand::Rng;

use super::*;

const ORDERS: [&str; 3] = ["o1", "o2", "o3"];

/// Number of steps of a play.
const STEPS: i64 = 120;

/// Claims that are held, also those whose leases have run out.
type Held = Vec<Claim>;

impl Fixture {
    /// Takes a random step, at the given second.
    #[expect(clippy::too_many_lines, reason = "an arm per kind of step")]
    async fn step(&self, chance: &mut Rng, held: &mut Held, n: i64, secs: i64) {
        let order = ORDERS[chance.usize(..ORDERS.len())];
        match chance.u8(..11) {
            0 => {
                let known = self.store.request_fetch(key(order), at(secs)).await;
                known.expect("writes");
            }
            1 => {
                let request = WatchRequest {
                    project: id(PROJECT),
                    orders: ORDERS.map(id).to_vec(),
                    now: at(secs),
                };
                self.store.watch(request).await.expect("writes");
            }
            2 | 3 => {
                let state = State::ALL[chance.usize(..State::ALL.len())];
                let said = secs - chance.i64(-20..20);
                let mut pending = delivery(&format!("e{n}"), order, state, said);
                pending.received_at = at(secs);
                self.accept(pending).await;
            }
            4 => {
                self.process(secs).await;
            }
            5 | 6 => {
                let claim_order = if chance.bool() {
                    ClaimOrder::Urgent
                } else {
                    ClaimOrder::Oldest
                };
                held.extend(self.claim_some(2, claim_order, secs).await);
            }
            7 if !held.is_empty() => {
                // Now and then a claim stays after it was used, and comes again: its holder is late.
                let place = chance.usize(..held.len());
                let claim = held[place].clone();
                if chance.bool() {
                    held.remove(place);
                }
                self.store.release(claim).await.expect("writes");
            }
            8 if !held.is_empty() => {
                let place = chance.usize(..held.len());
                let claim = held[place].clone();
                if chance.bool() {
                    held.remove(place);
                }
                let state = State::ALL[chance.usize(..State::ALL.len())];
                let result = match chance.u8(..3) {
                    0 => Ok(Answer::NotFound),
                    _ => shows(state, secs - chance.i64(-5..20)),
                };
                // The claim is recorded twice in one batch, and the second time it is late.
                let outcomes = [
                    outcome(&claim, result.clone(), secs),
                    outcome(&claim, result, secs),
                ];
                self.store.record(outcomes.into()).await.expect("writes");
            }
            9 => {
                self.prune(at(secs)).await;
            }
            10 => {
                let limits = Limits {
                    expiring: vec![Duration::from_secs(9000)],
                    review: Duration::ZERO,
                    blocked: Duration::ZERO,
                };
                self.record_alerts(&limits, secs).await;
                let circuit = Circuit {
                    failures: chance.u32(..),
                    ..Circuit::default()
                };
                let kept = self
                    .store
                    .save_circuit(id(PROJECT), Circuit::default(), circuit)
                    .await;
                kept.expect("writes");
            }
            _ => {}
        }
    }

    /// Asserts that every row can be read, and has values that the schema takes.
    async fn is_sound(&self, secs: i64) {
        let filter = OrderFilter {
            limit: 100,
            ..OrderFilter::default()
        };
        let orders = self.store.orders(&filter).await.expect("reads");
        assert_eq!(orders.unreadable, []);
        for order in &orders.items {
            self.history(&order.order).await;
        }
        assert_eq!(
            self.store
                .deliveries(&parked_only(9))
                .await
                .expect("reads")
                .unreadable,
            []
        );
        let summary = self.store.summary(at(secs)).await.expect("reads");
        assert_eq!(summary.rows_unreadable, []);
        // PostgreSQL checks each row by itself, and offers no check of all.
        let faults = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
        assert_eq!(self.number(self.pick(faults, "SELECT 0")).await, 0);
    }
}

async fn any_interleaving_leaves_only_rows_that_can_be_read(on: Backend) {
    let given = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let first: u64 = given.unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    let courses = if given.is_some() { 1 } else { 12 };
    for seed in first..first + courses {
        // The test runner shows the seed where the test fails.
        println!("SEED={seed}");
        let mut chance = Rng::with_seed(seed);
        let mut fixture = Fixture::on(on).await;
        let mut held = Held::new();
        let mut secs = 10;
        for n in 0..STEPS {
            secs += chance.i64(0..40);
            if chance.u8(..40) == 0 {
                fixture = fixture.again().await;
            }
            fixture.step(&mut chance, &mut held, n, secs).await;
            if n % 20 == 0 {
                fixture.is_sound(secs).await;
            }
        }
        fixture.is_sound(secs).await;
        fixture.process(secs).await;
        fixture.claim(secs).await;
        fixture.again().await.is_sound(secs).await;
    }
}

suite!(any_interleaving_leaves_only_rows_that_can_be_read,);
