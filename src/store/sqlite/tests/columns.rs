//! Swapped columns: an order with a value of its own in every column is written and read by every path.

use number_order::ParkReason;
use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use super::*;
use crate::store::changes::StoredOrder;
use crate::store::sql::unreadable;
use crate::store::sqlite::rows::{self, order_text};
use crate::store::sqlite::script::Script;
use number_order::{Confirmed, Hint, Order, Provisional, Tie};

/// Returns an order whose times are the numbers that follow `first`.
fn order(
    base: i64,
    fetch_at: Option<i64>,
    parked: Option<&str>,
    states: [State; 5],
) -> StoredOrder {
    let [confirmed, provisional, hint, doubt, tie] = states;
    let time = |n| Time(base + n);
    let claim = |state, n| Hint {
        state: Some(state),
        said_at: Some(time(n)),
        heard_at: time(n + 1),
    };
    StoredOrder {
        id: 1,
        key: key("o1"),
        lease: Some((base + 1, time(2))),
        heard_at: Some(time(3)),
        dismissed_at: None,
        order: Order {
            confirmed: Some(Confirmed {
                state: confirmed,
                updated_at: time(4),
                shown_at: time(5),
                expires_at: Some(time(6)),
                confirmed_at: time(7),
                reopened: true,
            }),
            provisional: Some(Provisional {
                state: provisional,
                said_at: time(8),
            }),
            hints: vec![claim(hint, 10)],
            doubts: vec![claim(doubt, 12)],
            tie: Some(Tie {
                state: tie,
                since: time(14),
            }),
            missing_since: Some(time(15)),
            fetched_at: Some(time(16)),
            fetch_at: fetch_at.map(Time),
            attempts: (base + 17) as u32,
            fetch_requested_at: Some(time(18)),
            parked: parked.map(|fault| ParkReason::RowAtFault {
                fault: fault.to_owned(),
            }),
            first_seen_at: Time(19),
        },
    }
}

/// Columns that [`order`] fills, with their values.
#[expect(clippy::too_many_lines, reason = "a line per column")]
fn cells(of: &StoredOrder) -> Vec<(&'static str, String)> {
    let order = &of.order;
    let confirmed = order.confirmed.as_ref().expect("is confirmed");
    let provisional = order.provisional.as_ref().expect("is provisional");
    let tie = order.tie.as_ref().expect("is tied");
    let (lease, until) = of.lease.expect("is held");
    let claims = |claims: &[Hint]| {
        let [
            Hint {
                state,
                said_at,
                heard_at,
            },
        ] = claims
        else {
            panic!("there is one claim");
        };
        let (state, said_at) = (state.expect("a state"), said_at.expect("a time"));
        format!(
            r#"[{{"state":"{state}","said_at":{},"heard_at":{}}}]"#,
            said_at.0, heard_at.0
        )
    };
    let time = |at: Option<Time>| at.map_or("NULL".to_owned(), |at| at.0.to_string());
    vec![
        ("lease", lease.to_string()),
        ("leased_until_at", time(Some(until))),
        ("heard_at", time(of.heard_at)),
        ("first_seen_at", time(Some(order.first_seen_at))),
        ("fetch_at", time(order.fetch_at)),
        ("fetched_at", time(order.fetched_at)),
        ("attempts", order.attempts.to_string()),
        ("fetch_requested_at", time(order.fetch_requested_at)),
        (
            "parked",
            order
                .parked
                .as_ref()
                .map_or("NULL", ParkReason::code)
                .to_owned(),
        ),
        (
            "parked_fields",
            match &order.parked {
                Some(ParkReason::RowAtFault { fault }) => format!(r#"{{"fault":"{fault}"}}"#),
                _ => "NULL".to_owned(),
            },
        ),
        ("confirmed_state", confirmed.state.to_string()),
        ("updated_at", time(Some(confirmed.updated_at))),
        ("shown_at", time(Some(confirmed.shown_at))),
        ("expires_at", time(confirmed.expires_at)),
        ("confirmed_at", time(Some(confirmed.confirmed_at))),
        ("reopened", u8::from(confirmed.reopened).to_string()),
        ("provisional_state", provisional.state.to_string()),
        ("provisional_at", time(Some(provisional.said_at))),
        ("hints", claims(&order.hints)),
        ("hinted_at", time(Some(order.hints[0].heard_at))),
        ("doubts", claims(&order.doubts)),
        ("tie_state", tie.state.to_string()),
        ("tie_since_at", time(Some(tie.since))),
        ("missing_since_at", time(order.missing_since)),
    ]
}

/// Columns that processing may change.
const PROCESSED: [&str; 10] = [
    "fetch_at",
    "attempts",
    "parked",
    "parked_fields",
    "provisional_state",
    "provisional_at",
    "hints",
    "hinted_at",
    "doubts",
    "heard_at",
];

impl Fixture {
    async fn with_an_order() -> (Fixture, SqliteConnection) {
        let fixture = Fixture::new().await;
        let path = format!("sqlite:{}", fixture.path().display());
        let mut db = SqliteConnection::connect(&path).await.expect("opens");
        let sql = "INSERT INTO orders (project, sinch_id, first_seen_at) SELECT id, 'o1', 19 FROM projects";
        sqlx::query(sql).execute(&mut db).await.expect("inserts");
        (fixture, db)
    }

    /// Returns the text of a query's only cell.
    async fn cell(&self, sql: String) -> String {
        let row = sqlx::query(AssertSqlSafe(sql))
            .fetch_one(&mut *self.begin_read().await)
            .await;
        row.expect("reads").get(0)
    }

    async fn has(&self, expected: &[(&'static str, String)]) {
        for (column, value) in expected {
            let sql = format!("SELECT coalesce(CAST({column} AS TEXT), 'NULL') FROM orders");
            assert_eq!(self.cell(sql).await, *value, "{column}");
        }
    }
}

async fn read(db: &mut SqliteConnection) -> StoredOrder {
    let sql = concat!(
        "SELECT json_group_array(",
        order_text!(),
        ") FROM orders AS o JOIN projects AS p ON p.id = o.project"
    );
    let row = sqlx::query(sql).fetch_one(db).await.expect("reads");
    let mut read = unreadable::many::<StoredOrder>(&row, 0).expect("is JSON");
    assert_eq!(read.unreadable, []);
    read.rows.remove(0)
}

const STATES: [State; 5] = [
    State::InReview,
    State::Blocked,
    State::Created,
    State::Completed,
    State::Rejected,
];

#[tokio::test]
async fn every_column_is_covered_and_has_a_value_of_its_own() {
    let (fixture, _) = Fixture::with_an_order().await;
    let one = order(100, Some(120), None, STATES);
    let mut values = BTreeSet::new();
    // Columns that identify the order, and the one that only an operator's request writes.
    let mut columns = BTreeSet::from(["id", "project", "sinch_id", "dismissed_at"]);
    for (column, value) in cells(&one) {
        // The fields of a code are absent where the code is.
        if column == "parked_fields" {
            columns.insert(column);
            continue;
        }
        assert!(values.insert(value.clone()), "{column}: {value} is taken");
        columns.insert(column);
    }
    let all = "SELECT group_concat(name, ',' ORDER BY name) FROM pragma_table_info('orders')";
    let columns: Vec<&str> = columns.into_iter().collect();
    assert_eq!(fixture.cell(all.to_owned()).await, columns.join(","));
}

/// Writes an order as one of the functions of `rows` does.
async fn write(
    db: &mut SqliteConnection,
    add: fn(&mut Script, usize, &[StoredOrder]),
    order: &StoredOrder,
) {
    let mut script = Script::default();
    add(&mut script, 1, std::slice::from_ref(order));
    script.execute(db).await.expect("writes");
}

#[tokio::test]
async fn what_is_written_stands_in_its_columns_and_is_read_from_them() {
    for (fetch_at, parked) in [(Some(120), None), (None, Some("why"))] {
        let (fixture, mut db) = Fixture::with_an_order().await;
        let written = order(100, fetch_at, parked, STATES);
        write(&mut db, rows::write, &written).await;
        fixture.has(&cells(&written)).await;
        let found = read(&mut db).await;
        assert_eq!(format!("{found:?}"), format!("{written:?}"));
        let row = fixture.history("o1").await.order;
        let confirmed = written.order.confirmed.expect("is confirmed");
        assert_eq!((row.project.as_str(), row.order.as_str()), (PROJECT, "o1"));
        assert_eq!(row.state, Some("BLOCKED"));
        assert_eq!(row.confirmed, Some("IN_REVIEW"));
        assert_eq!(row.provisional, Some("BLOCKED"));
        assert_eq!(row.updated_at, Some(confirmed.updated_at));
        assert_eq!(row.expires_at, confirmed.expires_at);
        assert_eq!(row.confirmed_at, Some(confirmed.confirmed_at));
        assert!(row.reopened && !row.settled);
        assert_eq!(
            (row.hints, row.doubts),
            (vec!["CREATED"], vec!["COMPLETED"])
        );
        assert_eq!(row.fetched_at, written.order.fetched_at);
        assert_eq!(row.fetch_at, written.order.fetch_at);
        assert_eq!(row.attempts, written.order.attempts);
        assert_eq!(row.parked, written.order.parked);
        assert_eq!(row.first_seen_at, written.order.first_seen_at);
    }
}

#[tokio::test]
async fn processing_writes_its_columns_and_no_others() {
    let (fixture, mut db) = Fixture::with_an_order().await;
    let before = order(100, Some(120), None, STATES);
    write(&mut db, rows::write, &before).await;
    let mut others = STATES;
    others.rotate_left(1);
    let after = order(200, None, Some("why"), others);
    write(&mut db, rows::write_processed, &after).await;
    let cells = cells(&before).into_iter().zip(cells(&after));
    let expected = cells.map(|(before, after)| {
        let is_processed = PROCESSED.contains(&before.0);
        if is_processed { after } else { before }
    });
    fixture.has(&expected.collect::<Vec<_>>()).await;
}

/// Every corner case of the rules survives being written and read.
#[tokio::test]
async fn an_order_comes_back_as_it_was_written() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    let fetches = [
        shows(State::InReview, 15),
        shows(State::Blocked, 15),
        Ok(Answer::NotFound),
        shows(State::Rejected, 16),
        shows(State::Blocked, 17),
    ];
    let policy = Policy::new(Duration::from_secs(15), Duration::from_secs(300));
    let mut expected = None;
    for (n, answer) in fetches.into_iter().enumerate() {
        let secs = 100 * (n as i64 + 1);
        fixture
            .store
            .request_fetch(key("o1"), at(secs))
            .await
            .expect("is known");
        let claim = fixture.claim(secs).await.remove(0);
        let event = delivery(&format!("x{n}"), "o1", State::Expired, secs + 1);
        fixture.accept(event).await;
        fixture.process(secs + 1).await;
        let mut db = SqliteConnection::connect(&format!("sqlite://{}", fixture.path().display()))
            .await
            .expect("connects");
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let stored: StoredOrder = serde_json::from_str(row.get(0)).expect("reads");
            stored.order
        };
        let sql = concat!(
            "SELECT ",
            rows::order_text!(),
            " FROM orders AS o JOIN projects AS p ON p.id = o.project"
        );
        let before = read(&sqlx::query(sql).fetch_one(&mut db).await.expect("one row"));
        if let Ok(answer) = &answer {
            let change = number_order::reconcile(&before, answer, at(secs), &policy);
            // The answer fulfils the requested fetch, too.
            let order = number_order::Order {
                fetch_requested_at: None,
                ..change.order
            };
            expected = change.outcome.is_conclusive().then_some(order);
        }
        fixture.record(&claim, answer, secs).await;
        let after = read(&sqlx::query(sql).fetch_one(&mut db).await.expect("one row"));
        if let Some(expected) = &expected {
            assert_eq!(&after, expected, "answer {n}");
        }
    }
    assert!(expected.is_some_and(|order| order.confirmed.is_some_and(|c| c.reopened)));
}
