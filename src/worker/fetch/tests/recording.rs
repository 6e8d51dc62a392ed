//! The recorder: what it writes, and what it logs.

use std::sync::Arc;
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tracing::instrument::WithSubscriber;

use super::fetching::{BACKOFF, Fixture, NEVER, policy};
use super::simulated::project;
use crate::clock;
use crate::metrics::Metrics;
use crate::store::{ClaimOrder, ClaimRequest, FetchResult, Rate};
use crate::traces::Traces;
use crate::worker::fetch::recorder::Recorder;
use number_order::{Answer, Snapshot, State, Status};

impl Fixture {
    /// Claims all orders and records the same answer for each.
    async fn record(&self, orders: u32, answer: Answer) {
        let request = ClaimRequest {
            project: project(),
            orders_max: orders,
            rate: Rate {
                interval: Duration::from_secs(1),
                burst: 1000,
            },
            claim_order: ClaimOrder::Oldest,
            isolated: Arc::default(),
            known_pause: None,
            now: clock::now(),
            lease: NEVER,
        };
        let claims = self.store.claim(request).await.expect("claims").claims();
        assert_eq!(claims.len(), orders as usize);
        let (results, received) = mpsc::unbounded_channel();
        for claim in claims {
            let result = FetchResult {
                claim,
                fetched_at: clock::now(),
                result: Ok(answer.clone()),
                healthy: true,
                now: clock::now(),
                jitter: 0.5,
                policy: policy(),
                backoff: BACKOFF,
            };
            results.send(result).expect("is received");
        }
        drop(results);
        let recorder = Recorder {
            project: project(),
            store: self.store.clone(),
            metrics: Arc::new(Metrics::new()),
            traces: Traces::default(),
        };
        assert_eq!(recorder.run(received).await, Ok(()));
    }
}

#[tokio::test]
async fn an_answer_that_the_database_will_not_take_does_not_spoil_the_others() {
    let fixture = Fixture::new(3).await;
    sqlx::query(
        "CREATE TRIGGER refuses BEFORE INSERT ON fetches WHEN NEW.order_id = 2 \
         BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    .execute(&mut fixture.file().await)
    .await
    .expect("is made");
    fixture.record(3, Answer::NotFound).await;
    assert_eq!(fixture.count("lease IS NULL AND fetched_at > 0").await, 2);
    let aside = "parked = 'row-at-fault' AND parked_fields ->> 'fault' LIKE 'row 2 of orders cannot be written: %' \
                 AND fetch_at IS NULL";
    assert_eq!(fixture.count(aside).await, 1);
}

#[tokio::test]
async fn the_log_shows_an_expiry_that_cannot_be_read() {
    let fixture = Fixture::new(1).await;
    let shown = Snapshot {
        state: Status::Known(State::Created),
        updated_at: clock::now(),
        expires_at: None,
        unreadable_expiry: Some(r#""9999-12-31T23:59:59Z""#.to_owned()),
        details: None,
        sent_at: None,
    };
    let log = NamedTempFile::new().expect("a file");
    let writer = Arc::new(log.reopen().expect("opens"));
    let logging = tracing_subscriber::fmt()
        .json()
        .with_writer(writer)
        .finish();
    let recording = fixture.record(1, Answer::Found(shown));
    recording.with_subscriber(logging).await;
    let log = std::fs::read_to_string(log.path()).expect("reads");
    let line = log.lines().find(|line| line.contains("fetched an anomaly"));
    let line: serde_json::Value = serde_json::from_str(line.expect("a line")).expect("JSON");
    let fields = &line["fields"];
    assert_eq!(fields["outcome"], "first-answer", "{line}");
    assert_eq!(
        fields["unreadable_expiry"], r#""9999-12-31T23:59:59Z""#,
        "{line}"
    );
}
