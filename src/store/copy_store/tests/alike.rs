//! What a copy shows and does, compared with what its source does.

use std::collections::BTreeSet;

use super::filling::filled;
use super::*;
use crate::store::{DeliveryFilter, OrderFilter};
use number_order::{Limits, State};
use std::time::Duration;

/// Returns all that operators see of a store, as text.
async fn seen(fixture: &Fixture) -> String {
    let store = &fixture.store;
    let filter = OrderFilter {
        limit: 99,
        ..OrderFilter::default()
    };
    let orders = store.orders(&filter).await.expect("reads").items;
    let mut seen = String::new();
    for order in &orders {
        let history = fixture.history(&order.order).await;
        let history = serde_json::to_string_pretty(&history).expect("is JSON");
        seen.push_str(&history);
    }
    let filter = DeliveryFilter {
        limit: 999,
        ..DeliveryFilter::default()
    };
    let deliveries = store.deliveries(&filter).await.expect("reads").items;
    for delivery in &deliveries {
        let body = store.body(delivery.delivery.id).await.expect("reads");
        let delivery = serde_json::to_string_pretty(delivery).expect("is JSON");
        seen.push_str(&format!("{delivery} {body:?}\n"));
    }
    let filter = QuarantineFilter {
        limit: 99,
        ..QuarantineFilter::default()
    };
    let quarantine = store.quarantined(&filter).await.expect("reads").items;
    let bodies = store.quarantine_part(0, None, None).await.expect("reads");
    seen.push_str(&format!("{quarantine:#?} {:#?}", bodies.rows));
    let limits = Limits {
        expiring: vec![Duration::from_secs(9_000)],
        review: Duration::from_secs(1),
        blocked: Duration::from_secs(1),
    };
    let standing = store.standing(at(6000), &limits, 100).await.expect("reads");
    seen.push_str(&format!("{:#?}", standing.service_alerts));
    let mut alerts = standing.alerts;
    // Those that have fired for as long are listed in any order.
    alerts.sort_by_key(|row| format!("{row:?}"));
    let placed = store
        .placement(&id(PROJECT), "form-1")
        .await
        .expect("reads");
    let circuit = store.circuit(&id(PROJECT)).await.expect("reads");
    seen.push_str(&format!("{alerts:#?} {circuit:?} {placed:#?}"));
    assert!(orders.len() > 8, "{seen}");
    seen
}

/// The texts with the character 0 are those that PostgreSQL itself would have stored. The keys of conflicts have no digest
/// behind them.
fn as_stored(seen: &str) -> String {
    let mut text = seen.to_owned();
    for form in ["\\u0000", "\\\\0", "\\0"] {
        text = text.replace(form, "\u{fffd}");
    }
    while let Some(at) = text.find(" sha256:") {
        text.replace_range(at..at + " sha256:".len() + 32, "");
    }
    // Each draws its own ids of what happens after the copy.
    while let Some(at) = text.find("\"evt_") {
        text.replace_range(at..at + "\"evt_".len() + 32, "\"");
    }
    text
}

fn assert_same(ours: &str, theirs: &str) {
    let other = ours.lines().zip(theirs.lines()).enumerate();
    let other = other.filter(|(_, (ours, theirs))| ours != theirs);
    for (line, (ours, theirs)) in other.take(20) {
        eprintln!("line {line}: {ours}\n   against: {theirs}");
    }
    assert!(ours == theirs, "they differ");
}

/// A reader of a copy gets the answers of its source, and both go on alike: with what waited at the copy, with what is
/// received and fetched, and with what is pruned.
#[tokio::test]
async fn a_copy_is_and_does_what_its_source_does() {
    let target = target!();
    let source = filled().await;
    let copied = copy_into(&source.path(), &target).await;
    for table in &copied.tables {
        assert!(table.rows > 0, "{} has no rows: {copied:?}", table.name);
    }
    let ours = Fixture::open(source, ONE_PROJECT).await;
    let theirs = Fixture::open(target, ONE_PROJECT).await;
    let same = async || {
        let ours = as_stored(&seen(&ours).await);
        assert_same(&ours, &as_stored(&seen(&theirs).await));
    };
    same().await;
    let both = [&ours, &theirs];
    for fixture in both {
        let report = fixture.process(5010).await;
        assert_eq!(report.processed.len(), 21, "what waited at the copy");
        for n in [0, 3, 4] {
            // A callback and a conflict that are known, and a new one.
            let known = delivery(&format!("e{n}"), &format!("o{n}"), state_of(n), 10);
            assert_eq!(fixture.accept(known.clone()).await, Accepted::Duplicate);
            if n % 4 == 0 {
                let mut conflict = known;
                conflict.body = format!("e{n} otherwise").into();
                assert_eq!(fixture.accept(conflict).await, Accepted::Duplicate);
            }
            let new = delivery(&format!("new{n}"), "new", State::Created, 5011);
            assert_eq!(fixture.accept(new).await, Accepted::New);
        }
        fixture.process(5012).await;
    }
    same().await;
    let mut claimed = Vec::new();
    for fixture in both {
        let claims = fixture.claim_some(100, ClaimOrder::Oldest, 5020).await;
        for claim in &claims {
            fixture
                .record(claim, shows(State::Completed, 5015), 5021)
                .await;
        }
        let orders = claims.into_iter().map(|claim| claim.key.order.to_string());
        claimed.push(orders.collect::<BTreeSet<String>>());
    }
    assert!(claimed[0].len() > 8, "{claimed:?}");
    assert_eq!(claimed[0], claimed[1], "leases are not copied");
    same().await;
    for fixture in both {
        fixture.prune_all(at(5_300)).await;
    }
    same().await;
}

fn state_of(n: i64) -> State {
    if n % 2 == 0 {
        State::Created
    } else {
        State::Blocked
    }
}

/// An id that was ever used is not used again: progress of retention, lists and histories stand on ids.
#[tokio::test]
async fn new_rows_have_ids_beyond_all_that_were_used() {
    let target = target!();
    let source = filled().await;
    source
        .edit(
            "DELETE FROM orders WHERE id = (SELECT max(id) FROM orders WHERE id NOT IN (SELECT order_id FROM deliveries \
             WHERE order_id IS NOT NULL UNION SELECT order_id FROM fetches UNION SELECT order_id FROM transitions \
             UNION SELECT order_id FROM alerts)); \
             UPDATE service SET processed_through = 700, deliveries_pruned_through = 600, fetches_pruned_through = 800; \
             UPDATE sqlite_sequence SET seq = 900 WHERE name = 'orders'",
        )
        .await;
    copy_into(&source.path(), &target).await;
    let fixture = Fixture::open(target, ONE_PROJECT).await;
    fixture
        .accept(delivery("new", "new", State::Created, 5011))
        .await;
    fixture.process(5012).await;
    let claims = fixture.claim_some(100, ClaimOrder::Oldest, 5020).await;
    for claim in &claims {
        fixture
            .record(claim, shows(State::Completed, 5015), 5021)
            .await;
    }
    for (table, used) in [("deliveries", 701), ("orders", 901), ("fetches", 801)] {
        let sql = format!("SELECT count(*) FROM {table} WHERE id = {used}");
        assert_eq!(fixture.number(&sql).await, 1, "{table}");
    }
}

/// While the copy is made no callbacks are taken. The first start on the copy notices that, as after any absence.
#[tokio::test]
async fn a_start_long_after_the_copy_fetches_open_orders_again() {
    let (quick, late) = (target!(), target!());
    let source = filled().await;
    copy_into(&source.path(), &quick).await;
    source
        .edit("UPDATE service SET write_probed_at = write_probed_at - 3600000000")
        .await;
    copy_into(&source.path(), &late).await;
    let planned = "SELECT sum(fetch_at) FROM orders WHERE fetch_at > 5000000000";
    let planned_by = async |target: Place| {
        target
            .edit("UPDATE orders SET fetch_at = 6000000000 WHERE fetch_at IS NOT NULL")
            .await;
        Fixture::open(target, ONE_PROJECT)
            .await
            .number(planned)
            .await
    };
    assert!(planned_by(late).await < planned_by(quick).await);
}

/// Each table of the schema is copied with all of its columns, but for those that a copy must not have.
#[tokio::test]
async fn no_table_and_no_column_is_left_out() {
    let target = target!();
    let source = filled().await;
    copy_into(&source.path(), &target).await;
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns \
               WHERE table_schema = 'public' AND is_generated = 'NEVER' AND table_name <> '_sqlx_migrations'";
    let schema: BTreeSet<String> = target.texts(sql).await.into_iter().collect();
    let columns = TABLES.iter().flat_map(|table| {
        let columns = table.columns.split(", ");
        columns.map(|column| format!("{}.{column}", table.name))
    });
    let copied: BTreeSet<String> = columns.collect();
    let left_out: Vec<&String> = schema.difference(&copied).collect();
    let expected = [
        "notification_queues.lease",
        "order_numbers.leased_until_at",
        "orders.lease",
        "orders.leased_until_at",
        "projects.next_fetch_at",
        "projects.probe_lease",
        "projects.probe_until_at",
        "schema_compat.id",
        "schema_compat.usable_from",
        "store_copy.begun_at",
        "store_copy.ended_at",
        "store_copy.id",
        "store_copy.source",
        "store_copy.state",
    ];
    assert_eq!(left_out, expected);
    assert!(copied.is_subset(&schema), "{copied:?}");
    let sql = "SELECT table_name::text FROM information_schema.columns \
               WHERE table_schema = 'public' AND is_identity = 'YES' ORDER BY 1";
    let mut with_ids = WITH_IDS.map(str::to_owned).to_vec();
    with_ids.sort();
    assert_eq!(target.texts(sql).await, with_ids);
}
