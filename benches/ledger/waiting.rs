//! Databases in which notifications wait, written by SQL as the service would have left them.

use testkit::{File, PROJECT, Service, Settings, now};

/// Number of events about each order.
const EACH: usize = 5;

/// Makes a database in which each target of the settings waits to be told this many events.
pub async fn fill(settings: &Settings, events: usize) {
    // The program itself makes the tables, and knows the targets.
    Service::start(settings).await.stop_well().await;
    let (at, orders) = (now().0, events.div_ceil(EACH));
    let count = |last: usize| {
        format!("WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {last})")
    };
    let (of_orders, of_events) = (count(orders), count(events));
    let mut file = File::open(&settings.database()).await;
    file.execute("PRAGMA synchronous = OFF").await;
    for sql in [
        format!(
            "{of_orders} INSERT INTO orders (id, project, sinch_id, first_seen_at, fetched_at, confirmed_state,
                updated_at, shown_at, confirmed_at)
             SELECT n, 1, printf('01h%023d', n), {at}, {at}, 'COMPLETED', {at}, {at}, {at} FROM n"
        ),
        format!(
            "{of_events} INSERT INTO events (sequence, id, type, recorded_at, order_id, order_sequence, provisional,
                test, body)
             SELECT n, printf('evt_%032x', n), 'order.completed', {at}, (n - 1) % {orders} + 1,
                (n - 1) / {orders} + 1, 0, 0,
                printf('{{\"id\":\"evt_%032x\",\"type\":\"order.completed\",\"timestamp\":\"2026-09-21T14:14:20Z\",\
\"sequence\":%d,\"data\":{{\"project\":\"{PROJECT}\",\"order\":\"01h%023d\",\"order_sequence\":%d,\
\"state\":\"COMPLETED\",\"confirmed\":true,\"expires_at\":null,\"details\":{{\"region\":\"GB\",\
\"number_type\":\"MOBILE\",\"created_at\":\"2026-09-21T14:13:20Z\",\"sms_configuration\":null,\
\"voice_configuration\":null,\"numbers\":[{{\"phone_number\":\"+447700900000\",\"setup_price\":null,\
\"monthly_price\":null,\"payment_interval_months\":null,\"capabilities\":[\"SMS\",\"VOICE\"]}}]}},\
\"cause\":\"answer\",\"changed_at\":\"2026-09-21T14:13:50Z\",\"previous_state\":\"IN_REVIEW\"}}}}',
                    n, n, (n - 1) % {orders} + 1, (n - 1) / {orders} + 1)
             FROM n"
        ),
        "INSERT INTO notifications (target, event, subject, phase)
         SELECT t.id, e.sequence, e.order_id, 'waiting' FROM events AS e CROSS JOIN targets AS t ORDER BY e.sequence"
            .to_owned(),
        format!(
            "INSERT INTO notification_queues (target, subject, due_at)
             SELECT DISTINCT target, subject, {at} FROM notifications"
        ),
    ] {
        file.execute(&sql).await;
    }
    file.close().await;
    // Without the sync the system would go on writing during a measurement.
    let synced = std::fs::File::open(settings.database()).and_then(|file| file.sync_all());
    synced.expect("the database can be synced");
}
