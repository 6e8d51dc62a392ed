//! Callbacks that were refused and are perhaps genuine: what is kept of them.

mod admitting;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::store::sql::quarantine::{BYTES_MAX, ROWS_MAX};

/// A callback about an order that was refused for its signature.
fn refused(event: &str, order: &str, secs: i64) -> NewQuarantined {
    NewQuarantined {
        project: id(PROJECT),
        callback_key: None,
        reason: QuarantineReason::WrongSignature,
        origin: Origin {
            source: [192, 0, 2, 1].into(),
            peer: [10, 0, 0, 1].into(),
            forwarded_for: Some("192.0.2.1".to_owned()),
        },
        signature: Some(SecretString::from("a".repeat(40))),
        order: Some(id(order)),
        number: None,
        received_at: at(secs),
        body: body(event, order),
    }
}

/// Body of the delivery that [`delivery`] makes of the same event.
fn body(event: &str, order: &str) -> Bytes {
    delivery(event, order, State::InReview, 0).body
}

/// A callback about a number from a source that is not allowed.
fn foreign(event: &str, number: &str, source: [u8; 4]) -> NewQuarantined {
    NewQuarantined {
        reason: QuarantineReason::UnknownSource,
        origin: Origin {
            source: source.into(),
            peer: source.into(),
            forwarded_for: None,
        },
        order: None,
        number: Some(number.to_owned()),
        ..refused(event, "o1", 10)
    }
}

impl Fixture {
    async fn keep(&self, callbacks: Vec<NewQuarantined>) -> Vec<Quarantining> {
        self.store.quarantine(callbacks).await.expect("writes")
    }

    async fn in_quarantine(&self) -> Vec<QuarantineRow> {
        let filter = QuarantineFilter {
            limit: 1000,
            ..QuarantineFilter::default()
        };
        self.store.quarantined(&filter).await.expect("reads").items
    }

    async fn part(&self) -> Vec<Quarantined> {
        let part = self.store.quarantine_part(0, None, None).await;
        part.expect("reads").rows
    }
}

async fn the_same_body_is_kept_once_with_what_came_last(on: Backend) {
    let fixture = Fixture::on(on).await;
    let first = refused("e1", "o1", 10);
    let again = NewQuarantined {
        origin: Origin {
            source: [192, 0, 2, 2].into(),
            peer: [192, 0, 2, 2].into(),
            forwarded_for: None,
        },
        signature: Some(SecretString::from("b".repeat(40))),
        received_at: at(20),
        ..first.clone()
    };
    let unsigned = NewQuarantined {
        signature: None,
        ..again.clone()
    };
    let other_reason = NewQuarantined {
        reason: QuarantineReason::UnknownSource,
        ..first.clone()
    };
    let done = fixture.keep(vec![first.clone(), again]).await;
    assert_eq!(done, [Quarantining::Kept, Quarantining::Again]);
    let done = fixture.keep(vec![unsigned, other_reason]).await;
    assert_eq!(done, [Quarantining::Again, Quarantining::Kept]);

    let listed = fixture.in_quarantine().await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let row = listed
        .iter()
        .find(|row| row.reason == QuarantineReason::WrongSignature);
    let row = row.expect("is listed");
    assert_eq!(
        (row.received_at, row.last_at, row.times),
        (at(10), at(20), 3)
    );
    assert_eq!(
        (row.source.as_str(), row.bytes),
        ("192.0.2.2", first.body.len() as i64)
    );
    assert_eq!(
        (row.project.as_str(), row.order.as_deref()),
        (PROJECT, Some("o1"))
    );

    let part = fixture.part().await;
    let judged = part.iter().find(|one| one.id == row.id).expect("is there");
    let signature = judged.signature.as_ref().map(SecretString::expose_secret);
    assert_eq!(
        signature,
        Some("b".repeat(40).as_str()),
        "the last one in the documented form"
    );
    assert_eq!((&judged.body, judged.received_at), (&first.body, at(10)));
    assert_eq!(judged.origin.forwarded_for, None);
    // What a program prints for its own makers has no signature either.
    assert!(!format!("{judged:?} {:?}", refused("e", "o", 1)).contains("aaaa"));
}

#[expect(clippy::too_many_lines, reason = "a table")]
async fn the_quarantine_is_listed_by_project_reason_and_time(on: Backend) {
    let projects: Projects<'_> = &[(PROJECT, Some(5.0)), ("project-2", None)];
    let fixture = Fixture::with(on, projects).await;
    let of_other = NewQuarantined {
        project: id("project-2"),
        ..refused("e4", "o4", 40)
    };
    for callback in [
        refused("e1", "o1", 10),
        refused("e2", "o2", 20),
        foreign("e3", "+61491570156", [198, 51, 100, 1]),
        of_other,
    ] {
        fixture.keep(vec![callback]).await;
    }
    let orders = async |filter: QuarantineFilter| {
        let page = fixture.store.quarantined(&filter).await.expect("reads");
        let items = page
            .items
            .into_iter()
            .map(|row| row.order.unwrap_or_default());
        (items.collect::<Vec<_>>(), page.next)
    };
    let all = QuarantineFilter {
        limit: 10,
        ..QuarantineFilter::default()
    };
    for (filter, expected) in [
        (all.clone(), vec!["o1", "o2", "", "o4"]),
        (
            QuarantineFilter {
                newest_first: true,
                ..all.clone()
            },
            vec!["o4", "", "o2", "o1"],
        ),
        (
            QuarantineFilter {
                project: Some(id("project-2")),
                ..all.clone()
            },
            vec!["o4"],
        ),
        (
            QuarantineFilter {
                reason: Some(QuarantineReason::UnknownSource),
                ..all.clone()
            },
            vec![""],
        ),
        (
            QuarantineFilter {
                since: Some(at(20)),
                until: Some(at(40)),
                ..all.clone()
            },
            vec!["o2"],
        ),
    ] {
        assert_eq!(orders(filter.clone()).await.0, expected, "{filter:?}");
    }
    let page = QuarantineFilter { limit: 3, ..all };
    let (first, next) = orders(page.clone()).await;
    assert_eq!(first, ["o1", "o2", ""]);
    let after = QuarantineFilter {
        after: next,
        ..page
    };
    assert_eq!(orders(after).await, (vec!["o4".to_owned()], None));
    let foreign = QuarantineFilter {
        after: Some(Cursor::from_caller("d0000000000000001")),
        ..QuarantineFilter::default()
    };
    let refused = fixture.store.quarantined(&foreign).await;
    assert_eq!(refused.err(), Some(StoreError::NoSuchCursor));

    let part = async |project: Option<&str>, reason| {
        let project = project.map(id);
        let part = fixture.store.quarantine_part(0, project.as_ref(), reason);
        part.await.expect("reads").rows.len()
    };
    assert_eq!(part(None, None).await, 4);
    assert_eq!(part(Some("project-2"), None).await, 1);
    assert_eq!(part(None, Some(QuarantineReason::WrongSignature)).await, 3);
}

/// Makes rows of a project's quarantine, each with a body of its own of the given size.
fn rows(fixture: &Fixture, rows: i64, bytes: i64) -> String {
    let (series, digest, body) = (
        fixture.pick(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows) ",
            "WITH n (i) AS (SELECT generate_series(1, $rows)) ",
        ),
        fixture.pick(
            "unhex(printf('%032x', i))",
            "decode(lpad(to_hex(i), 32, '0'), 'hex')",
        ),
        fixture.pick("zeroblob($bytes)", "decode(repeat('00', $bytes), 'hex')"),
    );
    let sql = format!(
        "DELETE FROM quarantine; {series} INSERT INTO quarantine \
         (project, reason, digest, received_at, last_at, source, peer, bytes, body) \
         SELECT (SELECT id FROM projects), 'wrong-signature', {digest}, 1, 1, 'x', 'x', $bytes, {body} FROM n"
    );
    sql.replace("$rows", &rows.to_string())
        .replace("$bytes", &bytes.to_string())
}

async fn what_finds_no_room_is_not_kept_and_nothing_is_displaced(on: Backend) {
    let fixture = Fixture::on(on).await;
    let size = body("e1", "o1").len() as i64;
    let quarter = BYTES_MAX / 4;
    for (full, count) in [
        (rows(&fixture, ROWS_MAX - 1, 0), ROWS_MAX),
        (rows(&fixture, 4, quarter - size / 4 - 1), 5),
    ] {
        fixture.edit(&full).await;
        for (event, expected) in [
            ("e1", Quarantining::Kept),
            ("e2", Quarantining::NoRoom),
            ("e1", Quarantining::Again),
        ] {
            let done = fixture.keep(vec![refused(event, "o1", 10)]).await;
            assert_eq!(done, [expected], "{event}");
        }
        let number = "SELECT count(*) FROM quarantine WHERE reason = 'wrong-signature'";
        assert_eq!(fixture.number(number).await, count);
        // The other reason has room of its own.
        let other = foreign("e4", "+61491570156", [198, 51, 100, 1]);
        assert_eq!(fixture.keep(vec![other]).await, [Quarantining::Kept]);
    }
}

async fn the_quarantine_is_kept_for_its_period(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture.keep(vec![refused("e1", "o1", 10)]).await;
    fixture.keep(vec![refused("e2", "o2", 500)]).await;
    let orders = async || {
        let listed = fixture.in_quarantine().await.into_iter();
        listed.filter_map(|row| row.order).collect::<Vec<_>>()
    };
    fixture.prune_all(at(3009)).await;
    assert_eq!(orders().await, ["o1", "o2"]);
    let steps = fixture.prune_all(at(3010)).await;
    assert_eq!(steps.iter().map(|step| step.quarantined).sum::<u64>(), 1);
    assert_eq!(orders().await, ["o2"]);
}

async fn forgetting_an_order_takes_what_claims_to_be_about_it(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .accept(delivery("e0", "o1", State::InReview, 5))
        .await;
    fixture.process(6).await;
    let of_project = "INSERT INTO order_numbers (order_id, project, phone_number) \
                      SELECT id, project, '+61491570156' FROM orders";
    fixture.edit(of_project).await;
    fixture
        .keep(vec![
            refused("e1", "o1", 10),
            refused("e2", "o2", 10),
            foreign("e3", "+61491570156", [198, 51, 100, 1]),
            foreign("e4", "+61491570157", [198, 51, 100, 1]),
        ])
        .await;
    let kept = fixture.store.kept(&key("o1")).await.expect("reads");
    assert_eq!(kept.map(|kept| kept.quarantined), Some(2));
    let forgotten = fixture.store.forget(key("o1")).await.expect("writes");
    assert_eq!(forgotten.map(|kept| kept.quarantined), Some(2));
    let left = fixture
        .in_quarantine()
        .await
        .into_iter()
        .map(|row| row.order);
    assert_eq!(left.collect::<Vec<_>>(), [Some("o2".to_owned()), None]);
}

async fn dropping_a_project_takes_its_quarantine(on: Backend) {
    let projects: Projects<'_> = &[(PROJECT, Some(5.0)), ("project-2", None)];
    let fixture = Fixture::with(on, projects).await;
    let of_other = NewQuarantined {
        project: id("project-2"),
        ..refused("e2", "o2", 10)
    };
    fixture.keep(vec![refused("e1", "o1", 10), of_other]).await;
    let fixture = fixture.again().await;
    let gone = id("project-2");
    let holdings = fixture.store.holdings(&gone).await.expect("reads");
    assert_eq!(holdings.map(|left| left.quarantined), Some(1));
    let removed = fixture.store.drop_some(gone.clone()).await.expect("writes");
    assert_eq!(removed.quarantined, 1);
    assert_eq!(fixture.store.knows(&gone).await, Ok(false));
    assert_eq!(fixture.in_quarantine().await.len(), 1);
}

async fn the_figures_count_it_by_project_and_reason(on: Backend) {
    let fixture = Fixture::on(on).await;
    let counted = async || fixture.summary(20).await.quarantined;
    let expected = |wrong, unknown| {
        vec![
            (PROJECT.to_owned(), QuarantineReason::WrongSignature, wrong),
            (PROJECT.to_owned(), QuarantineReason::UnknownSource, unknown),
        ]
    };
    assert_eq!(counted().await, expected(0, 0));
    fixture
        .keep(vec![
            refused("e1", "o1", 10),
            refused("e2", "o1", 10),
            foreign("e3", "+61491570156", [198, 51, 100, 1]),
        ])
        .await;
    assert_eq!(counted().await, expected(2, 1));
}

async fn unknown_sources_are_an_alert_until_none_is_left(on: Backend) {
    let fixture = Fixture::on(on).await;
    let limits = notifications::AlertLimits {
        trouble: Duration::from_secs(300),
        silence: Duration::from_secs(1000),
        quiet: Duration::from_secs(100),
    };
    let check = async |secs| {
        let observed = Observed::default();
        let changes = fixture
            .store
            .check_service(&observed, &limits, at(secs))
            .await;
        let changes = changes.expect("writes");
        let told = |rows: Vec<ServiceAlertRow>| {
            let rows = rows.into_iter();
            rows.map(|row| (row.project, row.alert.to_string()))
                .collect::<Vec<_>>()
        };
        (told(changes.fired), told(changes.resolved))
    };
    // A wrong signature has an alert of its own.
    fixture.keep(vec![refused("e0", "o1", 10)]).await;
    assert_eq!(check(15).await, (vec![], vec![]));
    for (event, source) in [("e1", 1), ("e2", 2), ("e3", 2)] {
        fixture
            .keep(vec![foreign(event, "+61491570156", [198, 51, 100, source])])
            .await;
    }
    let text = "3 callbacks have a valid signature and came from an address that is not allowed: \
                198.51.100.2, 198.51.100.1";
    let alert = vec![(Some(id(PROJECT)), text.to_owned())];
    assert_eq!(check(20).await, (alert.clone(), vec![]));
    assert_eq!(check(2000).await, (vec![], vec![]), "it goes on");
    for row in fixture.in_quarantine().await {
        if row.reason == QuarantineReason::UnknownSource {
            assert_eq!(fixture.store.dismiss_quarantined(row.id).await, Ok(true));
        }
    }
    assert_eq!(check(2010).await, (vec![], alert));
}

suite!(
    the_same_body_is_kept_once_with_what_came_last,
    the_quarantine_is_listed_by_project_reason_and_time,
    what_finds_no_room_is_not_kept_and_nothing_is_displaced,
    the_quarantine_is_kept_for_its_period,
    forgetting_an_order_takes_what_claims_to_be_about_it,
    dropping_a_project_takes_its_quarantine,
    the_figures_count_it_by_project_and_reason,
    unknown_sources_are_an_alert_until_none_is_left,
);
