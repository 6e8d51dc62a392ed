//! Giving up what has been kept for long enough.

use super::*;

/// How long bodies are kept in these tests.
const BODIES: Duration = Duration::from_secs(100);

impl House {
    /// Takes one step, at a time in microseconds.
    async fn clear(&self, now: Time) -> Cleared {
        let request = ClearRequest {
            now,
            bodies: BODIES,
        };
        self.store.clear(request).await.expect("clears")
    }

    async fn body(&self, delivery: i64) -> Body {
        let body = self.store.body(delivery).await.expect("reads");
        body.expect("is known")
    }
}

fn number(event: &str, secs: i64) -> NewDelivery {
    NewDelivery {
        subject: Subject::Other("about ACTIVE_NUMBER".to_owned()),
        ..delivery(event, "-", State::Blocked, secs)
    }
}

fn unreadable(event: &str, secs: i64) -> NewDelivery {
    NewDelivery {
        subject: Subject::NotUnderstood("no JSON".to_owned()),
        ..delivery(event, "-", State::Blocked, secs)
    }
}

fn kept(delivery: &NewDelivery) -> Body {
    Body::Kept(delivery.body.to_vec())
}

#[tokio::test]
async fn a_body_stays_to_the_last_microsecond_and_no_longer() {
    let house = House::new().await;
    let (order, number) = (delivery("e1", "o1", State::InReview, 10), number("e2", 20));
    house.accept(order.clone()).await;
    house.accept(number.clone()).await;
    house.look(30).await;
    assert_eq!(house.clear(Time(at(110).0 - 1)).await, Cleared::default());
    assert_eq!(house.body(1).await, kept(&order));

    let one = Cleared {
        taken: 1,
        bodies: 1,
    };
    assert_eq!(house.clear(at(110)).await, one);
    assert_eq!(house.clear(at(110)).await, Cleared::default());
    assert_eq!(house.body(1).await, Body::Gone);
    assert_eq!(house.body(2).await, kept(&number));
    assert_eq!(house.clear(at(120)).await, one);
    assert_eq!(house.body(2).await, Body::Gone);
    let history = house.history("o1").await;
    assert_eq!(history.deliveries[0].status, "IN_REVIEW");
}

#[tokio::test]
async fn without_its_body_a_delivery_still_tells_repeats_from_conflicts() {
    let house = House::new().await;
    let first = delivery("e1", "o1", State::InReview, 10);
    let mut nameless = delivery("-", "o1", State::InReview, 10);
    nameless.event_id = None;
    let mut empty = number("e2", 10);
    empty.body = bytes::Bytes::new();
    for delivery in [&first, &nameless, &empty] {
        assert_eq!(house.accept(delivery.clone()).await, Accepted::New);
    }
    house.look(20).await;
    assert_eq!(house.clear(at(500)).await.bodies, 3);
    let house = house.again().await;
    for delivery in [&first, &nameless, &empty] {
        assert_eq!(house.accept(delivery.clone()).await, Accepted::Repeat);
        assert_eq!(house.body(1).await, Body::Gone, "a repeat brings none back");
    }
    let mut other = first.clone();
    for body in ["another body", ""] {
        other.body = body.into();
        assert_eq!(house.accept(other.clone()).await, Accepted::Conflict);
        assert_eq!(house.accept(other.clone()).await, Accepted::Repeat);
    }
    nameless.body = "another body".into();
    assert_eq!(house.accept(nameless).await, Accepted::New);
    // And when the conflicts' bodies are gone as well.
    house.look(20).await;
    assert_eq!(house.clear(at(500)).await.bodies, 3);
    assert_eq!(house.accept(other.clone()).await, Accepted::Repeat);
    other.body = "a third body".into();
    assert_eq!(house.accept(other).await, Accepted::Conflict);
}

#[tokio::test]
async fn what_waits_and_what_is_parked_is_not_touched() {
    let house = House::new().await;
    let waiting = delivery("e1", "o1", State::InReview, 10);
    let (parked, behind) = (unreadable("e2", 10), number("e3", 10));
    for delivery in [&waiting, &parked, &behind] {
        house.accept(delivery.clone()).await;
    }
    // Nobody has looked at any of them, though the third is recorded already.
    assert_eq!(house.clear(at(500)).await, Cleared::default());
    house.look(500).await;
    let cleared = Cleared {
        taken: 3,
        bodies: 2,
    };
    assert_eq!(house.clear(at(500)).await, cleared);
    assert_eq!(house.body(1).await, Body::Gone);
    assert_eq!(house.body(2).await, kept(&parked));
    assert_eq!(house.body(3).await, Body::Gone);
}

/// A clock that was ahead holds retention up; one that was behind makes nothing go too early.
#[tokio::test]
async fn nothing_goes_before_what_came_before_it() {
    let house = House::new().await;
    for (event, secs) in [("e1", 10), ("e2", 900), ("e3", 10)] {
        house.accept(number(event, secs)).await;
    }
    house.look(900).await;
    assert_eq!(house.clear(at(500)).await.bodies, 1);
    assert_eq!(house.clear(at(500)).await.bodies, 0);
    assert_eq!(house.clear(at(1000)).await.bodies, 2);
}

#[tokio::test]
async fn small_steps_finish_the_work() {
    let house = House::new().await;
    let calls = (0..1020).map(|n| {
        let store = house.store.clone();
        tokio::spawn(async move { store.accept(number(&format!("e{n}"), 10)).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let accepted = call.await.expect("no panic");
        assert_eq!(accepted, Ok(Accepted::New));
    }
    while house.look(20).await.taken > 0 {}
    let mut steps = Vec::new();
    loop {
        let cleared = house.clear(at(500)).await;
        assert_eq!(cleared.taken, cleared.bodies);
        match cleared.bodies {
            0 => break,
            bodies => steps.push(bodies),
        }
    }
    assert_eq!(steps, [500, 500, 20]);
    for delivery in 1..=1020 {
        assert_eq!(house.body(delivery).await, Body::Gone);
    }
}

#[tokio::test]
async fn large_bodies_make_smaller_steps() {
    let house = House::new().await;
    for (event, bytes) in [
        ("e1", 600_000),
        ("e2", 400_000),
        ("e3", 3_000_000),
        ("e4", 1),
    ] {
        let mut large = number(event, 10);
        large.body = vec![b'x'; bytes].into();
        house.accept(large).await;
    }
    house.look(20).await;
    for bodies in [2, 1, 1, 0] {
        assert_eq!(house.clear(at(500)).await.bodies, bodies);
    }
}

#[tokio::test]
async fn retention_never_searches_the_past() {
    let house = House::new().await;
    let url = format!("sqlite://{}", house.path().display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    for sql in [retain::AGES, retain::BODIES] {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(9);
        let rows = query.fetch_all(&mut db).await.expect("plans");
        let plan: Vec<&str> = rows.iter().map(|row| row.get("detail")).collect();
        let of_deliveries: Vec<&&str> = plan
            .iter()
            .filter(|step| step.contains("deliveries"))
            .collect();
        assert_eq!(
            of_deliveries,
            [&"SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"],
            "{plan:#?}"
        );
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")));
    }
}
