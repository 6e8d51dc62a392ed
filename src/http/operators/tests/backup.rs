use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::Fixture;

const BODY_MAX_BYTES: usize = 1 << 24;

async fn backup(fixture: &Fixture) -> Response {
    let request = Request::post("/api/v1/backup").header("host", "localhost");
    let request = request.body(Body::empty()).expect("a request");
    let answer = fixture.router.clone().oneshot(request).await;
    answer.expect("answers")
}

#[tokio::test]
async fn a_copy_comes_with_its_checksum_and_leaves_no_file() {
    let fixture = Fixture::new().await;
    fixture.add_event("o1").await;
    let answer = backup(&fixture).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, BODY_MAX_BYTES).await.expect("a body");
    assert!(body.starts_with(b"SQLite format 3\0"));
    assert_eq!(head.headers[header::CONTENT_LENGTH], body.len().to_string());
    let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&body)));
    assert_eq!(head.headers["repr-digest"], digest);
    let entries = std::fs::read_dir(fixture.folder.path()).expect("can be read");
    for entry in entries {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("text");
        assert!(name.starts_with("fixture.db"), "{name}");
    }
}

#[tokio::test]
async fn there_is_one_at_a_time() {
    let fixture = Fixture::new().await;
    let first = backup(&fixture).await;
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(backup(&fixture).await.status(), StatusCode::CONFLICT);
    drop(first);
    assert_eq!(backup(&fixture).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_reserved_for_callbacks_is_not_for_copies() {
    let fixture = Fixture::reserving(u64::MAX / 2).await;
    let answer = fixture.send("POST", "/api/v1/backup", "").await;
    assert_eq!(answer.status, StatusCode::INSUFFICIENT_STORAGE);
    let detail = answer.json()["detail"].to_string();
    assert!(
        detail.contains("has no room beside the database"),
        "{detail}"
    );
}
