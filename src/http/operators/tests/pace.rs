//! The pace: a request for what asks the store waits for the end of a rest.

use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn a_request_waits_while_answers_rest() {
    let fixture = Fixture::new().await;
    let (began, took) = (Instant::now(), Duration::from_secs(10));
    fixture.context.pace.rest(began, took, 0.0);
    fixture.get("/api/v1/targets").await;
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "no rest was kept"
    );
}
