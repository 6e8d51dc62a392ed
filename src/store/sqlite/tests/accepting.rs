//! Acceptance of deliveries, and what another program or a move of the file does to it.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::time::timeout;

use super::*;
use crate::store::sql::inbox::digest;
use crate::store::sqlite::command::{WriteCommand, WriteContext};

/// Another program may have used the id that comes next. Its row is no duplicate of the callback.
#[tokio::test]
async fn an_id_that_somebody_took_is_no_acknowledgement() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    let url = format!("sqlite://{}", fixture.path().display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    let theirs = "INSERT INTO deliveries (project, dedup_key, received_at, phase, decision, body) \
                  SELECT project, 'theirs', received_at, 'recorded', 'other-resource', body FROM deliveries";
    sqlx::query(theirs).execute(&mut db).await.expect("inserts");
    db.close().await.expect("closes");
    let refused = fixture
        .store
        .accept(delivery("e2", "o2", State::InReview, 10));
    let refused = refused.await.expect_err("the id is taken");
    assert!(matches!(refused, StoreError::Rejected(_)), "{refused}");
    assert_eq!(
        fixture
            .accept(delivery("e2", "o2", State::InReview, 10))
            .await,
        Accepted::New,
        "it comes again, and the next id is free"
    );
    fixture.process(20).await;
    assert_eq!(fixture.history("o2").await.deliveries.len(), 1);
}

/// A write that never ends.
struct Endless;

impl WriteCommand for Endless {
    type Reply = ();

    async fn run(&self, _context: &mut WriteContext) -> sqlx::Result<()> {
        pending().await
    }
}

#[tokio::test]
async fn a_callback_waits_for_nothing_that_waits_with_it() {
    let folder = folder();
    let settings = settings(folder.path().join("service.db"));
    let (store, writer) = open(&settings).await.expect("opens");
    // All three wait for the writer before it begins.
    let accept = |event| store.accept(delivery(event, "o1", State::InReview, 10));
    let mut endless = pin!(store.write(Endless));
    let mut callbacks = pin!(async { tokio::join!(accept("e1"), accept("e2")) });
    assert!(polled_once(&mut endless).await.is_none());
    assert!(polled_once(&mut callbacks).await.is_none());
    let writer = tokio::spawn(writer);
    let accepted = timeout(Duration::from_secs(60), callbacks);
    let accepted = accepted.await.expect("callbacks come first");
    assert_eq!(accepted, (Ok(Accepted::New), Ok(Accepted::New)));
    writer.abort();
}

/// Polls a future once.
async fn polled_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let once = poll_fn(|context| {
        Poll::Ready(match Pin::new(&mut *future).poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    });
    once.await
}

/// Only the writer decides that the file cannot be trusted.
#[tokio::test]
async fn a_reader_that_cannot_be_opened_says_nothing_about_the_database() {
    let nowhere = "sqlite:///nowhere/at/all.db?mode=ro";
    let error = || async {
        SqliteConnection::connect(nowhere)
            .await
            .expect_err("is not there")
    };
    let read = StoreError::from(error().await);
    assert!(matches!(read, StoreError::Unread(_)), "{read:?}");
    let written = StoreError::of_writer(error().await);
    assert!(matches!(written, StoreError::Broken(_)), "{written:?}");

    // The open connections have all their files, so no further descriptor is opened later.
    let fixture = Fixture::new().await;
    let before = open_files(fixture.place.folder().path());
    let reads: Vec<_> = (0..40)
        .map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move { store.summary(at(0)).await.map(drop) })
        })
        .collect();
    for read in reads {
        read.await.expect("no panic").expect("reads");
    }
    fixture.process(20).await;
    assert_eq!(open_files(fixture.place.folder().path()), before);
}

#[tokio::test]
async fn one_bad_command_does_not_spoil_its_batch() {
    let fixture = Fixture::new().await;
    let request = WatchRequest {
        project: id(PROJECT),
        orders: vec![id("bad"), id("good")],
        now: at(1),
    };
    assert_eq!(fixture.store.watch(request).await, Ok(2));
    let refuses = "CREATE TRIGGER refuses BEFORE UPDATE OF fetch_requested_at ON orders WHEN old.sinch_id = 'bad' \
                   BEGIN SELECT raise(ABORT, 'on purpose'); END";
    fixture.edit(refuses).await;
    let (bad, good) = tokio::join!(
        fixture.store.request_fetch(key("bad"), at(50)),
        fixture.store.request_fetch(key("good"), at(50)),
    );
    assert!(matches!(bad, Err(StoreError::Rejected(_))), "{bad:?}");
    assert_eq!(good, Ok(true));
    let order = fixture.history("good").await.order;
    assert_eq!(order.fetch_at, Some(at(50)), "is committed");
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_noticed() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    std::fs::rename(
        fixture.path(),
        fixture.place.folder().path().join("elsewhere.db"),
    )
    .expect("moves");
    let answer = fixture
        .store
        .accept(delivery("e2", "o1", State::InReview, 10))
        .await;
    assert!(matches!(answer, Err(StoreError::Broken(_))), "{answer:?}");
    let end = fixture.run.await.expect("no panic");
    assert!(matches!(end, Err(StoreError::Broken(_))), "{end:?}");
}

/// A conflicting body is kept even if other deliveries have taken the keys for it, one after the other.
#[tokio::test]
async fn a_conflict_whose_name_is_taken_is_kept() {
    let fixture = Fixture::new().await;
    let told = |event: &str, body: &str| NewDelivery {
        body: body.to_owned().into(),
        ..delivery(event, "o1", State::InReview, 10)
    };
    // Key under which a conflict is kept. Every sender with the secret can compute it.
    let name = |event: &str, body: &str| {
        let digest = digest(body.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{event} sha256:{hex}")
    };
    let (first, second) = (name("e", "late"), name(&name("e", "late"), "late"));
    let told = [
        (told("e", "early"), Accepted::New),
        (told(&first, "in its place"), Accepted::New),
        (told(&second, "in the next one"), Accepted::New),
        (told("e", "late"), Accepted::Conflict),
        (told("e", "late"), Accepted::Duplicate),
        (told(&second, "late"), Accepted::Duplicate),
        (told(&first, "late"), Accepted::Duplicate),
        (told(&first, "in its place"), Accepted::Duplicate),
    ];
    for (index, (delivery, expected)) in told.into_iter().enumerate() {
        assert_eq!(fixture.accept(delivery).await, expected, "callback {index}");
    }
    fixture.process(20).await;
    let history = fixture.history("o1").await;
    let duplicates: Vec<i64> = history.deliveries.iter().map(|d| d.duplicates).collect();
    assert_eq!(duplicates.len(), 4, "each body is kept once");
    assert_eq!(duplicates.iter().sum::<i64>(), 4);
}
