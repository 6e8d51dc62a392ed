//! Lists that stand by time: each row that fits is listed once, in its place, by whatever pages the list is read.

use fastrand::Rng;

use super::*;

const STATES: [&str; 3] = ["IN_REVIEW", "BLOCKED", "COMPLETED"];

/// A transition, or an alert, as the test made it.
#[derive(Clone, Debug)]
struct Made {
    project: &'static str,
    order: Option<&'static str>,
    at: i64,
    word: &'static str,
    open: bool,
    /// Place among those of the same time.
    place: i64,
    /// Value by which the row is recognised.
    mark: i64,
}

impl Made {
    fn lies_in(&self, span: &Span) -> bool {
        span.since.is_none_or(|since| self.at >= since.0)
            && span.until.is_none_or(|until| self.at < until.0)
    }
}

/// Opens a store of two projects, with three orders.
async fn with_orders(on: Backend) -> Fixture {
    let fixture = Fixture::with(on, &[("p1", Some(5.0)), ("p2", Some(5.0))]).await;
    for (project, order) in [("p1", "o1"), ("p1", "o2"), ("p2", "o3")] {
        let request = WatchRequest {
            project: id(project),
            orders: vec![id(order)],
            now: at(1),
        };
        assert_eq!(fixture.store.watch(request).await, Ok(1));
    }
    fixture
}

fn any_order(chance: &mut Rng) -> (&'static str, &'static str) {
    [("p1", "o1"), ("p1", "o2"), ("p2", "o3")][chance.usize(..3)]
}

fn any_span(chance: &mut Rng) -> Span {
    let mut any = || chance.bool().then(|| Time(chance.i64(-1..12)));
    Span {
        since: any(),
        until: any(),
        newest_first: chance.bool(),
        after: None,
        limit: chance.u32(1..9),
    }
}

fn marks(mut made: Vec<&Made>, newest_first: bool) -> Vec<i64> {
    made.sort_by_key(|made| (made.at, made.place));
    if newest_first {
        made.reverse();
    }
    made.into_iter().map(|made| made.mark).collect()
}

#[expect(clippy::too_many_lines, reason = "rows, and a model of them")]
async fn transitions_are_listed_by_time(on: Backend) {
    let fixture = with_orders(on).await;
    let seed = fastrand::u64(..);
    println!("SEED={seed}");
    let mut chance = Rng::with_seed(seed);
    let mut made = Vec::new();
    for mark in 0..50 {
        let (project, order) = any_order(&mut chance);
        let (at, word) = (chance.i64(..10), STATES[chance.usize(..3)]);
        let confirmed = fixture.pick("1", "true");
        fixture
            .edit(&format!(
                "INSERT INTO transitions (order_id, recorded_at, to_state, confirmed, said_at, cause) \
                 SELECT id, {at}, '{word}', {confirmed}, {mark}, 'event' FROM orders WHERE sinch_id = '{order}'"
            ))
            .await;
        let (open, place) = (true, mark);
        let order = Some(order);
        made.push(Made {
            project,
            order,
            at,
            word,
            open,
            place,
            mark,
        });
    }
    for _ in 0..60 {
        let mut filter = TransitionFilter {
            order: chance.bool().then(|| id("o1")),
            project: chance.bool().then(|| id("p1")),
            state: chance.bool().then_some("BLOCKED"),
            span: any_span(&mut chance),
        };
        let expected = made.iter().filter(|made| {
            made.lies_in(&filter.span)
                && filter
                    .order
                    .as_ref()
                    .is_none_or(|order| made.order == Some(order.as_str()))
                && filter
                    .project
                    .as_ref()
                    .is_none_or(|project| made.project == project.as_str())
                && filter.state.is_none_or(|state| made.word == state)
        });
        let expected = marks(expected.collect(), filter.span.newest_first);
        let mut listed = Vec::new();
        loop {
            let page = fixture.store.transitions(&filter).await.expect("reads");
            assert_eq!(page.unreadable, []);
            listed.extend(page.items.iter().map(|row| row.transition.said_at.0));
            filter.span.after = page.next;
            if filter.span.after.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected, "{filter:?}");
    }
    let wrong = TransitionFilter {
        span: Span {
            after: Some(Cursor::from_caller("o0000000000000001")),
            ..Span::default()
        },
        ..TransitionFilter::default()
    };
    let refused = fixture
        .store
        .transitions(&wrong)
        .await
        .map(|page| page.items.len());
    assert_eq!(refused, Err(StoreError::NoSuchCursor));
    assert_eq!(fixture.store.projects().await.expect("reads"), ["p1", "p2"]);
}

#[expect(clippy::too_many_lines, reason = "one model of two tables")]
async fn alerts_of_both_kinds_are_listed_by_time(on: Backend) {
    let fixture = with_orders(on).await;
    let seed = fastrand::u64(..);
    println!("SEED={seed}");
    let mut chance = Rng::with_seed(seed);
    let mut made = Vec::new();
    let mut rows = [0, 0];
    for mark in 100..150 {
        let at = chance.i64(..10);
        // One of each kind may be open.
        let open = mark < 102;
        let resolved = if open {
            "NULL".to_owned()
        } else {
            mark.to_string()
        };
        let (project, order, word) = if mark % 2 == 0 {
            let (project, order) = any_order(&mut chance);
            fixture
                .edit(&format!(
                    "INSERT INTO alerts (order_id, kind, kind_fields, fired_at, resolved_at) \
                     SELECT id, 'overdue', NULL, {at}, {resolved} FROM orders WHERE sinch_id = '{order}'"
                ))
                .await;
            (project, Some(order), "overdue")
        } else {
            let project = ["p1", "p2"][chance.usize(..2)];
            fixture
                .edit(&format!(
                    "INSERT INTO service_alerts (kind, kind_fields, subject, began_at, seen_at, fired_at, resolved_at) \
                     VALUES ('orders-parked', '{{\"orders\":1}}', '{project}', 0, 0, {at}, {resolved})"
                ))
                .await;
            (project, None, "orders-parked")
        };
        let source = usize::from(order.is_none());
        rows[source] += 1;
        let place = rows[source] * 2 + source as i64;
        let mark = if open { -mark } else { mark };
        made.push(Made {
            project,
            order,
            at,
            word,
            open,
            place,
            mark,
        });
    }
    // What has not lasted long enough is no alert yet.
    fixture
        .edit(
            "INSERT INTO service_alerts (kind, subject, began_at, seen_at) VALUES ('worker-silent', 'w', 0, 0)",
        )
        .await;
    for _ in 0..60 {
        let mut filter = AlertFilter {
            of_orders: chance.bool().then(|| chance.bool()),
            open: chance.bool().then(|| chance.bool()),
            kind: chance.bool().then_some("orders-parked"),
            order: (chance.u8(..4) == 0).then(|| id("o1")),
            project: chance.bool().then(|| id("p1")),
            span: any_span(&mut chance),
        };
        let expected = made.iter().filter(|made| {
            made.lies_in(&filter.span)
                && filter
                    .of_orders
                    .is_none_or(|orders| made.order.is_some() == orders)
                && filter.open.is_none_or(|open| made.open == open)
                && filter.kind.is_none_or(|kind| made.word == kind)
                && filter
                    .order
                    .as_ref()
                    .is_none_or(|order| made.order == Some(order.as_str()))
                && filter
                    .project
                    .as_ref()
                    .is_none_or(|project| made.project == project.as_str())
        });
        let expected = marks(expected.collect(), filter.span.newest_first);
        let mut listed = Vec::new();
        loop {
            let page = fixture.store.alerts(&filter).await.expect("reads");
            assert_eq!(page.unreadable, []);
            listed.extend(page.items.iter().map(|row| {
                let open = if row.order.is_some() { -100 } else { -101 };
                row.resolved_at.map_or(open, |at| at.0)
            }));
            filter.span.after = page.next;
            if filter.span.after.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected, "{filter:?}");
    }
}

suite!(
    transitions_are_listed_by_time,
    alerts_of_both_kinds_are_listed_by_time,
);
