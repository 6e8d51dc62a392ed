//! Databases with many orders, written by SQL as the service would have left them.
//!
//! The orders came over sixty days, the first ones first. Their ids and times follow from their number, so that a question
//! about any of them can be asked without reading the database.

use std::fs::File as Synced;
use std::time::Duration;

use testkit::postgres::Server;
use testkit::{File, Outcome, Service, Settings, now};

use crate::DELIVERIES_EACH;

/// Time from the first order to the last.
pub const SPAN: Duration = Duration::from_secs(60 * 24 * 3600);

/// Share of the orders that are open, the newest: one in this number.
const OPEN_SHARE: usize = 20;

/// Share of the deliveries that are parked: the ninth of this number.
pub const PARKED_SHARE: usize = 25_000;

/// Number of changes of state, and of events, of each order.
pub const CHANGES_EACH: usize = 3;

/// Statements that both stores understand once a dialect has filled in their parts in braces. `s` has one row for each
/// number from 1, as `n`; `{at}` is the time of order or delivery `n`.
const COMMON: [(Rows, &str); 8] = [
    (
        Rows::Orders,
        "INSERT INTO orders (id, project, sinch_id, first_seen_at, heard_at, fetched_at, confirmed_state, updated_at,
            shown_at, confirmed_at, expires_at, parked, parked_fields)
         SELECT n, 1, {order}, {at}, {at}, {at}, state, CASE WHEN state IS NOT NULL THEN {at} END,
            CASE WHEN state IS NOT NULL THEN {at} END, CASE WHEN state IS NOT NULL THEN {at} END,
            CASE WHEN state = 'CREATED' THEN {end} + 864000000000 END,
            CASE WHEN n % 2500 = 12 THEN 'row-at-fault' END,
            CASE WHEN n % 2500 = 12 THEN '{\"fault\":\"confirmed_state: none that is known\"}' END
         FROM (SELECT n, CASE WHEN n % 500 = 7 THEN NULL WHEN n > {open} AND n % 10 < 2 THEN 'CREATED'
            WHEN n > {open} AND n % 10 < 4 THEN 'BLOCKED' WHEN n > {open} THEN 'IN_REVIEW'
            WHEN n % 100 < 10 THEN 'REJECTED' WHEN n % 100 < 20 THEN 'EXPIRED' ELSE 'COMPLETED' END AS state FROM s) AS o",
    ),
    (
        Rows::Orders,
        "INSERT INTO order_details (order_id, details{region column})
         SELECT n, '{\"region\":\"' || region || '\",\"number_type\":\"MOBILE\",\"created_at\":null,' ||
            '\"sms_configuration\":{\"servicePlanId\":\"plan\"},\"voice_configuration\":null,\"numbers\":[' ||
            '{\"phone_number\":\"' || {number} || '\",\"setup_price\":null,\"monthly_price\":null,' ||
            '\"payment_interval_months\":null,\"capabilities\":[\"SMS\",\"VOICE\"]}]}'{region value}
         FROM (SELECT n, CASE WHEN n % 50000 = 3 THEN 'NZ' WHEN n % 4 = 0 THEN 'US' WHEN n % 4 = 1 THEN 'AU'
            WHEN n % 4 = 2 THEN 'SE' ELSE 'GB' END AS region FROM s) AS o",
    ),
    (
        Rows::Orders,
        "INSERT INTO order_numbers (order_id, project, phone_number, followed_at, readiness, readiness_at, ready_at,
            fetched_at)
         SELECT n, 1, {number}, at, CASE WHEN at IS NULL THEN NULL WHEN n % 1000 = 33 THEN 'not-linked' ELSE 'ready' END,
            at, CASE WHEN n % 1000 <> 33 THEN at END, at
         FROM (SELECT n, CASE WHEN n % 100 >= 20 THEN {at} END AS at FROM s) AS o",
    ),
    (
        Rows::Changes,
        "INSERT INTO fetches (order_id{lease column}, fetched_at, state, updated_at, outcome, outcome_fields)
         SELECT {of}{lease value}, {at}, 'COMPLETED', {at}, 'first-answer', '{\"state\":\"COMPLETED\"}' FROM s",
    ),
    (
        Rows::Changes,
        "INSERT INTO transitions (order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, cause_fields,
            announced, latency_us)
         SELECT {of}, {at}, 'IN_REVIEW', 'COMPLETED', true, {at}, 'answer',
            '{\"outcome\":{\"code\":\"first-answer\",\"fields\":{\"state\":\"COMPLETED\"}}}', true, 4000000 FROM s",
    ),
    (
        Rows::Orders,
        "INSERT INTO alerts (order_id, kind, kind_fields, fired_at, resolved_at)
         SELECT n, 'overdue', NULL, {at}, {at} FROM s WHERE n % 10 = 0",
    ),
    (
        Rows::Changes,
        "INSERT INTO events (sequence, id, type, recorded_at, order_id, order_sequence, provisional, test, body)
         SELECT n, {event}, CASE WHEN n % 3 = 0 THEN 'order.in_review' WHEN n % 50000 = 1 THEN 'order.expiring'
            ELSE 'order.completed' END, {at}, {of}, (n - 1) / {orders} + 1, false, false,
            '{\"id\":\"' || {event} || '\",\"type\":\"order.completed\",\"timestamp\":\"2026-09-21T14:14:20Z\",' ||
            '\"sequence\":' || n || ',\"data\":{\"project\":\"p\",\"order\":\"o\",\"state\":\"COMPLETED\",' ||
            '\"confirmed\":true,\"expires_at\":null,\"cause\":\"answer\",\"previous_state\":\"IN_REVIEW\"}}' FROM s",
    ),
    (
        Rows::Changes,
        "INSERT INTO notifications (target, event, subject, phase, attempts, attempted_at, failure, failure_fields)
         SELECT 1, n, {of}, CASE WHEN n % 20000 = 5 THEN 'parked' ELSE 'delivered' END, 1, {at},
            CASE WHEN n % 20000 = 5 THEN 'refused' END,
            CASE WHEN n % 20000 = 5 THEN '{\"status\":500}' END FROM s",
    ),
];

const SQLITE_DELIVERIES: &str = "
    INSERT INTO deliveries (id, project, dedup_key, received_at, order_sinch_id, order_id, status, said_at, phase, decision,
        decision_fields, processed_at, body)
    SELECT n, 1, {event}, {at}, {order}, {of}, 'COMPLETED', {at}, CASE WHEN n % 25000 = 9 THEN 'parked' ELSE 'processed' END,
        CASE WHEN n % 25000 = 9 THEN 'api-off' WHEN n % 50000 = 8 THEN 'after-final' ELSE 'fits' END,
        CASE WHEN n % 25000 = 9 THEN '{\"decision\":{\"code\":\"fits\",\"fields\":{\"from\":\"IN_REVIEW\",\"to\":\"COMPLETED\"}}}'
            WHEN n % 50000 = 8 THEN '{\"said\":\"COMPLETED\",\"known\":\"REJECTED\"}'
            ELSE '{\"from\":\"IN_REVIEW\",\"to\":\"BLOCKED\"}' END,
        {at}, CAST(printf('%.300c', 'x') AS BLOB) FROM s";

const POSTGRES_DELIVERIES: [&str; 2] = [
    "INSERT INTO deliveries (id, project, dedup_key, digest, received_at, kind, order_sinch_id, status, said_at, body)
     SELECT n, 1, {event}, decode(md5(n::text), 'hex'), {at}, 'order', {order}, 'COMPLETED', {at},
        convert_to(repeat('x', 300), 'UTF8') FROM s",
    "INSERT INTO decisions (delivery_id, order_id, decision, decision_fields, parked, processed_at)
     SELECT n, {of}, CASE WHEN n % 25000 = 9 THEN 'api-off' WHEN n % 50000 = 8 THEN 'after-final' ELSE 'fits' END,
        CASE WHEN n % 25000 = 9 THEN '{\"decision\":{\"code\":\"fits\",\"fields\":{\"from\":\"IN_REVIEW\",\"to\":\"COMPLETED\"}}}'
            WHEN n % 50000 = 8 THEN '{\"said\":\"COMPLETED\",\"known\":\"REJECTED\"}'
            ELSE '{\"from\":\"IN_REVIEW\",\"to\":\"BLOCKED\"}' END,
        n % 25000 = 9, {at} FROM s",
];

/// Number of rows that a statement inserts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// One for each order.
    Orders,
    /// [`CHANGES_EACH`] for each order.
    Changes,
    /// [`DELIVERIES_EACH`] for each order.
    Deliveries,
}

impl Rows {
    fn each(self) -> usize {
        match self {
            Rows::Orders => 1,
            Rows::Changes => CHANGES_EACH,
            Rows::Deliveries => DELIVERIES_EACH,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

/// Fills in a statement. The rows of one order are as far apart as the orders are many, as when all are open at once.
fn statement(dialect: Dialect, rows: Rows, sql: &str, orders: usize) -> String {
    let count = orders * rows.each();
    let of = format!("((n - 1) % {orders} + 1)");
    let at = format!(
        "({{end}} - {} + n * {})",
        SPAN.as_micros(),
        SPAN.as_micros() / count as u128
    );
    let padded = |prefix: &str, number: &str, width: usize| {
        let zeros = "0".repeat(width);
        match dialect {
            Dialect::Sqlite => format!("'{prefix}' || substr('{zeros}' || {number}, -{width})"),
            Dialect::Postgres => format!("'{prefix}' || right('{zeros}' || {number}, {width})"),
        }
    };
    let sql = sql
        .replace(
            "{order}",
            &padded("01h", if rows == Rows::Orders { "n" } else { &of }, 23),
        )
        .replace("{number}", &padded("+44", "n", 10))
        .replace("{event}", &padded("e", "n", 25))
        .replace("{of}", &of)
        .replace("{orders}", &orders.to_string())
        .replace("{open}", &(orders - orders / OPEN_SHARE).to_string())
        .replace("{at}", &at)
        .replace("{end}", &now().0.to_string());
    match dialect {
        Dialect::Sqlite => format!(
            "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) {}",
            sql.replace("{region column}", "")
                .replace("{region value}", "")
                .replace("{lease column}", "")
                .replace("{lease value}", "")
        ),
        Dialect::Postgres => format!(
            "WITH s AS (SELECT generate_series(1, {count}::bigint) AS n) {}",
            sql.replace("{region column}", ", region")
                .replace("{region value}", ", region")
                .replace("{lease column}", ", lease")
                .replace("{lease value}", ", n")
        ),
    }
}

/// Makes the file of a service with this number of orders.
pub async fn sqlite(settings: &Settings, orders: usize) -> Outcome<()> {
    // The program itself makes the tables.
    Service::start(settings).await.stop_well().await;
    let mut file = File::open(&settings.database()).await;
    // A half-done file is useless, so nothing protects it; the service goes back to its own settings.
    for pragma in [
        "foreign_keys = OFF",
        "journal_mode = OFF",
        "synchronous = OFF",
        "cache_size = -400000",
    ] {
        file.execute(&format!("PRAGMA {pragma}")).await;
    }
    for (rows, sql) in COMMON
        .into_iter()
        .chain([(Rows::Deliveries, SQLITE_DELIVERIES)])
    {
        file.execute(&statement(Dialect::Sqlite, rows, sql, orders))
            .await;
    }
    let processed = orders * DELIVERIES_EACH;
    file.execute(&format!(
        "UPDATE service SET processed_through = {processed}"
    ))
    .await;
    file.close().await;
    // Without the sync the system would go on writing during a measurement.
    Synced::open(settings.database())?.sync_all()?;
    Ok(())
}

/// Fills a database of PostgreSQL with this number of orders.
pub async fn postgres(
    server: &Server,
    database: &str,
    settings: &Settings,
    orders: usize,
) -> Outcome<()> {
    // The program itself makes the tables.
    Service::start(settings).await.stop_well().await;
    let deliveries = POSTGRES_DELIVERIES.map(|sql| (Rows::Deliveries, sql));
    for (rows, sql) in COMMON.into_iter().chain(deliveries) {
        let sql = statement(Dialect::Postgres, rows, sql, orders);
        server.sql(database, &format!("SET synchronous_commit = off; {sql}"));
    }
    let (deliveries, events) = (orders * DELIVERIES_EACH, orders * CHANGES_EACH);
    server.sql(
        database,
        &format!(
            "SELECT setval(pg_get_serial_sequence('orders', 'id'), {orders}),
                setval(pg_get_serial_sequence('deliveries', 'id'), {deliveries});
             UPDATE event_sequence SET last = {events}"
        ),
    );
    server.sql(database, "VACUUM ANALYZE");
    server.sql(database, "CHECKPOINT");
    Ok(())
}
