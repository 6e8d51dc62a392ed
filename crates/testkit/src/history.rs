//! Databases with a past, written by SQL as the service would have left them.

use std::fs::File;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::{PROJECT, Service, Settings, now};

/// Contents of a database that a history fills.
#[derive(Clone, Copy, Debug, Default)]
pub struct History {
    /// Number of processed deliveries: four to an order in a final state, with an answer and a confirmed
    /// change of state for each order.
    pub processed: i64,
    /// Number of pending deliveries: four to an unknown order.
    pub waiting: i64,
    /// Number of orders that are known by name only and due for a fetch.
    pub due: i64,
}

/// Number of rows that one transaction inserts.
const TRANSACTION_ROWS: i64 = 1_000_000;

/// Time from the end of a history to the present.
const ENDED_AGO: Duration = Duration::from_secs(30 * 24 * 3600);

/// Inserts orders ?1 to ?2 of those in a final state, at ?3.
const INSERT_ENDED_ORDERS: &str = "
    WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
    INSERT INTO orders (id, project, sinch_id, first_seen_at, fetched_at, confirmed_state, updated_at, shown_at, confirmed_at)
    SELECT n, 1, printf('01h%023d', n), ?3, ?3, 'COMPLETED', ?3, ?3, ?3 FROM n";

const INSERT_ANSWERS: &str = "
    INSERT INTO fetches (order_id, fetched_at, state, updated_at, outcome, outcome_fields)
    SELECT id, fetched_at, confirmed_state, updated_at, 'first-answer', '{\"state\":\"COMPLETED\"}'
    FROM orders WHERE id BETWEEN ?1 AND ?2";

const INSERT_TRANSITIONS: &str = "
    INSERT INTO transitions (order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, cause_fields,
        announced, latency_us)
    SELECT id, fetched_at, 'IN_REVIEW', confirmed_state, 1, updated_at, 'answer',
        '{\"outcome\":{\"code\":\"first-answer\",\"fields\":{\"state\":\"COMPLETED\"}}}', 1, 4000000
    FROM orders WHERE id BETWEEN ?1 AND ?2";

/// Inserts deliveries ?1 to ?2, received at ?3 and ten microseconds apart. ?4: 1 if they are processed. ?5: the project.
const INSERT_DELIVERIES: &str = "
    WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2),
    d AS (SELECT n, (n + 3) / 4 AS order_id, printf('01h%023d', n) AS event,
        CASE n % 4 WHEN 0 THEN 'COMPLETED' WHEN 2 THEN 'BLOCKED' ELSE 'IN_REVIEW' END AS status,
        printf('01h%023d', (n + 3) / 4) AS order_sinch_id FROM n)
    INSERT INTO deliveries (id, project, dedup_key, received_at, order_sinch_id, order_id, status, said_at, phase,
        decision, decision_fields, processed_at, body)
    SELECT n, 1, event, ?3 + n * 10, order_sinch_id, CASE WHEN ?4 THEN order_id END, status, ?3 + n * 10,
        CASE WHEN ?4 THEN 'processed' ELSE 'waiting' END,
        CASE WHEN ?4 THEN 'fits' END,
        CASE WHEN ?4 THEN '{\"from\":\"IN_REVIEW\",\"to\":\"BLOCKED\"}' END,
        CASE WHEN ?4 THEN ?3 + n * 10 END,
        CAST('{\"eventId\":\"' || event || '\",\"timestamp\":\"2026-01-02T03:04:05.123456789\",\
\"projectId\":\"' || ?5 || '\",\"resourceId\":\"' || order_sinch_id || '\",\
\"resourceType\":\"NUMBER_ORDER\",\"eventType\":\"NUMBER_ORDER_PROCESSING\",\"status\":\"' || status || '\",\
\"failureCode\":null}' AS BLOB)
    FROM d";

const INSERT_DUE_ORDERS: &str = "
    WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
    INSERT INTO orders (project, sinch_id, first_seen_at, fetch_at)
    SELECT 1, printf('01m%023d', n), ?3, ?3 FROM n";

impl History {
    /// Makes the database of a service with this history. The program itself makes the tables.
    pub async fn fill(&self, settings: &Settings) {
        Service::start(settings).await.stop_well().await;
        let database = settings.database();
        let options = SqliteConnectOptions::new()
            .filename(&database)
            .foreign_keys(false)
            // A half-done file is useless, so nothing protects it; the service goes back to its own settings.
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .pragma("cache_size", "-100000");
        let mut db = options.connect().await.expect("the database opens");
        let past = now().0 - ENDED_AGO.as_micros() as i64;
        let orders = self.processed / 4;
        for sql in [INSERT_ENDED_ORDERS, INSERT_ANSWERS, INSERT_TRANSITIONS] {
            insert_rows(&mut db, sql, 1, orders, past, true).await;
        }
        insert_rows(&mut db, INSERT_DELIVERIES, 1, self.processed, past, true).await;
        let all = self.processed + self.waiting;
        insert_rows(
            &mut db,
            INSERT_DELIVERIES,
            self.processed + 1,
            all,
            past,
            false,
        )
        .await;
        insert_rows(&mut db, INSERT_DUE_ORDERS, 1, self.due, past, false).await;
        sqlx::query("UPDATE service SET processed_through = ?")
            .bind(self.processed)
            .execute(&mut db)
            .await
            .expect("the progress can be set");
        db.close().await.expect("the database closes");
        // Without the sync the system would go on writing during a measurement.
        let synced = File::open(database).and_then(|file| file.sync_all());
        synced.expect("the database can be synced");
    }
}

async fn insert_rows(
    db: &mut SqliteConnection,
    sql: &'static str,
    first: i64,
    last: i64,
    at: i64,
    processed: bool,
) {
    let mut from = first;
    while from <= last {
        let to = last.min(from + TRANSACTION_ROWS - 1);
        let query = sqlx::query(sql).bind(from).bind(to).bind(at);
        let inserted = query.bind(processed).bind(PROJECT).execute(&mut *db).await;
        inserted.unwrap_or_else(|error| panic!("{sql}: {error}"));
        from = to + 1;
    }
}
