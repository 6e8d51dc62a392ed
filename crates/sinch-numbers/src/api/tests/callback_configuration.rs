//! The secret with which callbacks are signed.

use secrecy::SecretString;
use serde_json::json;

use super::*;

#[tokio::test]
async fn the_secret_is_fetched_and_changed() {
    let body = json!({ "projectId": "p1", "hmacSecret": SECRET });
    let server = Server::answering(200, &body).await;
    let client = server.basic();
    let answer = client
        .get_callback_configuration()
        .await
        .expect("an answer");
    assert_eq!(shown::callback_configuration(&answer.content), body);
    let sent = server.sent();
    assert_eq!(sent.line, "GET /v1/projects/p1/callbackConfiguration");
    sent.has_nothing_else();
    let secret = SecretString::from("any secret at all");
    let changed = client
        .update_callback_configuration(&secret)
        .await
        .expect("an answer");
    let sent = server.sent();
    assert_eq!(sent.line, "PATCH /v1/projects/p1/callbackConfiguration");
    assert_eq!(sent.json(), json!({ "hmacSecret": "any secret at all" }));
    for answer in [answer, changed] {
        let said = format!("{answer:?} {:?}", answer.content.hmac_secret());
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[tokio::test]
async fn a_project_may_have_no_secret() {
    let server = Server::answering(200, &json!({ "projectId": "p1", "hmacSecret": "" })).await;
    let answer = server.basic().get_callback_configuration().await;
    let secret = answer.expect("an answer").content.hmac_secret();
    assert!(secret.is_none());
}

#[test]
fn a_new_secret_is_checked_against_the_documented_form() {
    let check = |text: &str| check_new_secret(&SecretString::from(text));
    let letters = |many| "aZ9-".repeat(17)[..many].to_owned();
    for many in [32, 64] {
        assert_eq!(check(&letters(many)), Ok(()));
    }
    let (odd, accent) = (letters(40) + "_", letters(40) + "é");
    for bad in ["", &letters(31), &letters(65), &odd, &accent] {
        let error = check(bad).expect_err("not accepted");
        assert!(error.to_string().contains("32 to 64"), "{error}");
    }
}
