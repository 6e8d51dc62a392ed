//! What is kept: it outlasts a stop, is counted and listed, and goes when it is dismissed.

use serde_json::Value;
use testkit::{PATH, PROJECT, Request, Service, Settings, event, folder, now};

use super::{OTHER_SECRET, callback, kept};

#[tokio::test]
async fn a_stop_keeps_what_was_handed_over_before() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    for n in 0..60 {
        let refused = callback(OTHER_SECRET, &format!("e{n}"), "o1");
        assert_eq!(service.send(&refused).await.status, 401);
    }
    service.stop_well().await;
    let service = Service::start(&settings).await;
    assert_eq!(service.list("/api/v1/quarantine").await.len(), 60);
    service.stop_well().await;
}

#[tokio::test]
async fn every_figure_is_there_from_the_start() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    let metrics = service.get("/metrics").await.timeless();
    for reason in ["wrong-signature", "unknown-source"] {
        for name in ["quarantined", "quarantine_dropped_total"] {
            let sample =
                format!("sinch_callbacks_{name}{{project=\"{PROJECT}\",reason=\"{reason}\"}} 0");
            assert!(metrics.contains(&sample), "{sample} in {metrics}");
        }
    }
    assert!(
        metrics.contains("sinch_callbacks_sources_unexamined_total 0"),
        "{metrics}"
    );
    service.stop_well().await;
}

#[tokio::test]
async fn the_api_says_what_it_takes_and_what_is_dismissed_is_gone() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    let unsigned = Request::post(PATH, event("e1", "o1", "COMPLETED", now()));
    assert_eq!(service.send(&unsigned).await.status, 401);
    let listed = kept(&service, 1).await;
    let dismiss = format!("/api/v1/quarantine/{}/dismiss", listed[0]["id"]);
    for (status, request, words) in [
        (
            400,
            Request::new("GET", "/api/v1/quarantine?reason=x"),
            "wrong-signature",
        ),
        (
            404,
            Request::new("GET", "/api/v1/quarantine?project=nobody"),
            "",
        ),
        (
            422,
            Request::post("/api/v1/quarantine/reverify", "{}"),
            "dry_run: missing",
        ),
        (
            422,
            Request::post(
                "/api/v1/quarantine/reverify",
                r#"{"dry_run":true,"reason":"x"}"#,
            ),
            "write wrong-signature or unknown-source",
        ),
        (
            404,
            Request::post("/api/v1/quarantine/999/dismiss", ""),
            "no such callback",
        ),
        (204, Request::post(&dismiss, ""), ""),
        (404, Request::post(&dismiss, ""), "no such callback"),
    ] {
        let answer = service.send_to_operators(&request).await;
        assert_eq!(answer.status, status, "{request:?}: {answer:?}");
        assert!(answer.timeless().contains(words), "{request:?}: {answer:?}");
    }
    assert_eq!(
        service.list("/api/v1/quarantine").await,
        Vec::<Value>::new()
    );
    // What is dismissed is kept again when it comes again.
    assert_eq!(service.send(&unsigned).await.status, 401);
    kept(&service, 1).await;
    service.stop_well().await;
}
