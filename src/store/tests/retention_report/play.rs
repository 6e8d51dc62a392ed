//! A random play: in each round rows of all kinds are added, the report is read, and all that is due is pruned.

use fastrand::Rng;
use strum::VariantArray;

use super::super::notifying::target;
use super::*;

/// Number of rounds of a play.
const ROUNDS: usize = 30;

/// Phases of a notification; `none`: no target is told.
const PHASES: [&str; 5] = ["none", "delivered", "delivered", "waiting", "parked"];

impl Fixture {
    /// Adds some rows of each kind, by the store where it makes them and by statements where that is long-winded. The clock is
    /// set now and then.
    async fn add_some(&self, chance: &mut Rng, round: usize, secs: i64) {
        let received = |chance: &mut Rng| secs + chance.i64(-300..40);
        for n in 0..chance.usize(0..6) {
            let (event, order) = (format!("e{round}-{n}"), format!("o{}", chance.u8(0..4)));
            let said = received(chance);
            let mut new = delivery(&event, &order, State::InReview, said);
            match chance.u8(0..4) {
                0 => new.subject = DeliveryContent::Other(OtherEvent::default()),
                1 => new.subject = DeliveryContent::NotUnderstood(NotUnderstood::BodyNotAnObject),
                _ => {}
            }
            self.accept(new).await;
        }
        let order = format!("c{}", chance.usize(0..=round));
        let about = delivery(
            &format!("c{round}"),
            &order,
            State::Rejected,
            received(chance),
        );
        self.accept(about).await;
        let kept = self
            .store
            .quarantine(vec![refused(round, received(chance))]);
        kept.await.expect("writes");
        if chance.u8(0..5) > 0 {
            self.process(secs + 40).await;
        }
        let closed = format!("c{round}");
        let mut sql = closed_order(&closed, received(chance));
        if chance.u8(0..4) == 0 {
            sql += &format!(
                "INSERT INTO order_numbers (order_id, project, phone_number, followed_at, fetch_at)
                 SELECT id, 1, '+1', 1, 1 FROM orders WHERE sinch_id = '{closed}' ON CONFLICT DO NOTHING;"
            );
        }
        for n in 0..chance.usize(0..20) {
            let order = chance.u8(0..4);
            sql += &self.fetch(&format!("o{order}"), round * 100 + n, received(chance));
        }
        let (at, open) = (at(received(chance)).0, chance.bool());
        let resolved = if open {
            "NULL".to_owned()
        } else {
            at.to_string()
        };
        sql += &format!(
            "INSERT INTO service_alerts (kind, subject, began_at, seen_at, fired_at, resolved_at)
             VALUES ('silence', 's{round}', {at}, {at}, {at}, {resolved});
             INSERT INTO actions (acted_at, method, path) VALUES ({at}, 'POST', '/x');"
        );
        self.edit(&sql).await;
        for _ in 0..chance.usize(0..4) {
            let (order, phase) = (chance.u8(0..5), chance.choice(PHASES).expect("a phase"));
            self.add_event(&format!("o{order}"), phase, received(chance))
                .await;
        }
    }
}

fn refused(round: usize, secs: i64) -> NewQuarantined {
    NewQuarantined {
        project: id(PROJECT),
        callback_key: None,
        reason: QuarantineReason::WrongSignature,
        origin: Origin {
            source: [192, 0, 2, 1].into(),
            peer: [192, 0, 2, 1].into(),
            forwarded_for: None,
        },
        signature: None,
        order: None,
        number: None,
        received_at: at(secs),
        body: format!("{round}").into(),
    }
}

async fn what_is_due_is_what_pruning_removes(on: Backend) {
    let fixture = Fixture::telling(on, vec![target("crm", "order.*", false)]).await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut chance = Rng::with_seed(seed);
    let (mut secs, mut all) = (10_000, Vec::new());
    for round in 0..ROUNDS {
        fixture.add_some(&mut chance, round, secs).await;
        // In the end everything is old.
        let is_last = round + 1 == ROUNDS;
        secs += if is_last { 20_000 } else { chance.i64(0..900) };
        let report = fixture.report(secs).await;
        let due = report.iter().map(|report| {
            assert_eq!(report.due.precision, Precision::Exact);
            (report.kind, report.due.count)
        });
        let due: Vec<_> = due.collect();
        let before = format!("seed {seed}, round {round}: {report:#?}");
        let pruned = fixture.pruned_by(&PERIODS, secs).await;
        assert_eq!(due, pruned, "{before}");
        // What is pruned is not due any more, and what is left is counted.
        let after = fixture.report(secs).await;
        for (before, after) in report.iter().zip(&after) {
            assert_eq!(after.due.count, 0, "seed {seed}, round {round}: {after:#?}");
            let left = before.rows.count - before.due.count;
            match before.kind {
                // Rows of an order that goes are not counted as due.
                RetentionKind::Fetches | RetentionKind::Events => {}
                // The body of a delivery that goes whole goes with it.
                RetentionKind::Bodies => assert!(after.rows.count <= left, "{before:?}, {after:?}"),
                _ => assert_eq!(after.rows.count, left, "{before:?}, {after:?}"),
            }
        }
        all.push(pruned);
    }
    for kind in RetentionKind::VARIANTS {
        let pruned = all.iter().flatten().filter(|(of, _)| of == kind);
        let pruned: u64 = pruned.map(|(_, count)| count).sum();
        assert!(pruned > 0, "seed {seed}: nothing of {kind:?} was ever due");
    }
}

suite!(what_is_due_is_what_pruning_removes);
