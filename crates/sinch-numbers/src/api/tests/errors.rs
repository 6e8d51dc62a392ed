//! Failures in words: three shapes of bodies, one error.

use std::time::Duration;

use serde_json::{Value, json};

use super::sent::number;
use super::*;

/// Returns the failure of a registration that is answered with this.
async fn refused(status: u16, headers: &'static str, body: &str) -> CallError {
    let body = body.to_owned();
    let server = Server::start(move |_, _| Reply::new(status, headers, &body)).await;
    let form = RegistrationData::new(json!([]));
    let answer = server.basic().put_registration(&id("o1"), &form).await;
    answer.expect_err("an error")
}

fn error_body(message: &str, details: &Value) -> String {
    json!({ "error": { "code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": details } }).to_string()
}

#[tokio::test]
async fn violations_are_told_field_by_field() {
    let details = json!([
        { "type": "BadRequest", "fieldViolations": [
            { "field": "data[1].postalCode", "description": "must have 5 digits" },
            { "field": "", "description": "a letter is missing" },
        ] },
        {},
        { "fieldViolations": [{ "field": "city" }] },
    ]);
    let error = refused(400, "", &error_body("Invalid", &details)).await;
    assert_eq!(
        error.told().to_string(),
        "cannot register the order: the Number Order API answered 400; correct what Sinch names before you send it again\n  \
         Sinch says: Invalid\n  \
         data[1].postalCode: must have 5 digits\n  \
         the request: a letter is missing\n  \
         city: is not accepted, without a reason"
    );
    let refusal = error.refusal.expect("a refusal");
    assert_eq!(refusal.kind().as_deref(), Some("INVALID_ARGUMENT"));
    assert_eq!(refusal.violations().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_read_whole() {
    let body = json!({
        "error": { "code": 400, "message": "m", "status": "S", "details": [{
            "type": "t", "resourceType": "rt", "resourceName": "rn", "owner": "o", "description": "d",
            "fieldViolations": [{ "field": "f", "description": "fd" }],
        }] },
        "type": "https://a.test/e", "title": "T", "detail": "D",
    });
    let error = refused(400, "", &body.to_string()).await;
    let refusal = error.refusal.expect("a refusal");
    assert_eq!(shown::refusal(&refusal), body);
}

#[tokio::test]
async fn the_three_shapes_are_read_as_one() {
    let described = json!({ "error": { "message": "", "details": [{ "description": "" }, { "description": "d" }] } });
    for (body, kind, message) in [
        (
            json!({ "error": { "message": "m", "status": "S" } }),
            Some("S"),
            Some("m"),
        ),
        (described, None, Some("d")),
        (
            json!({ "error": { "code": 500, "message": "", "status": "INTERNAL" } }),
            Some("INTERNAL"),
            None,
        ),
        (json!({ "error": "a text" }), None, Some("a text")),
        (
            json!({ "type": "https://a.test/e", "title": "T", "detail": "D" }),
            Some("https://a.test/e"),
            Some("D"),
        ),
        (json!({ "title": "T" }), None, Some("T")),
        (json!({}), None, None),
        (json!({ "error": null }), None, None),
        (
            json!({ "error": { "message": 1, "details": "none" } }),
            None,
            None,
        ),
    ] {
        let error = refused(400, "", &body.to_string()).await;
        let told = error.told().to_string();
        let refusal = error.refusal.expect("a refusal");
        assert_eq!(
            (refusal.kind().as_deref(), refusal.message().as_deref()),
            (kind, message),
            "{body}"
        );
        assert_eq!(refusal.object().json(), body.to_string());
        let expected = message.map_or("Sinch gave no reason".to_owned(), |text| {
            format!("Sinch says: {text}")
        });
        assert!(told.ends_with(&expected), "{told}");
    }
    for body in ["", "<h1>Bad Request</h1>", "[]", "{"] {
        let error = refused(400, "", body).await;
        assert_eq!(error.refusal, None, "{body}");
        assert!(
            error.told().to_string().ends_with("Sinch gave no reason"),
            "{body}"
        );
    }
}

/// Asserts that the failure of a call is told with these words.
fn says(call: Call, failure: Failure, expected: &str) {
    let error = CallError {
        call,
        request: of_api(failure),
        refusal: None,
    };
    let said = error.to_string();
    let begin = format!("cannot {call}: the Number Order API ");
    assert!(said.starts_with(&begin), "{said}");
    assert!(said.contains(expected), "{said}");
}

fn broken() -> Failure {
    let cause = "reset".to_owned();
    Failure::BrokenOff { cause }
}

#[test]
fn a_refusal_says_what_must_change() {
    says(Call::CreateOrder, status(400, None), "correct what Sinch");
    says(Call::ListRegions, status(401, None), "check the access key");
    says(Call::RentNumber, status(403, None), "a trial account");
    says(Call::GetOrder, status(404, None), "check the API's address");
    says(Call::ListRegions, status(307, None), "leads to another one");
    says(Call::ListRegions, status(407, None), "access to the proxy");
    says(Call::SubmitOrder, status(409, None), "does not document");
    says(
        Call::PutRegistration,
        status(413, None),
        "the request is too",
    );
    says(Call::UploadAttachment, status(413, None), "the file is too");
    let foreign = unreadable(404, BodyFault::Html);
    says(
        Call::GetOrder,
        foreign,
        "not Sinch's: check the API's address",
    );
    let revoked = "the key was revoked";
    for (code, expected) in [
        (400, revoked),
        (401, revoked),
        (403, revoked),
        (404, "check the token endpoint's address"),
    ] {
        let error = CallError {
            call: Call::CreateOrder,
            request: of_token(status(code, None)),
            refusal: None,
        };
        let told = error.told().to_string();
        assert!(told.ends_with(expected), "{told}");
    }
}

#[test]
fn a_404_says_what_is_not_there() {
    for call in [Call::GetOrder, Call::SubmitOrder, Call::PutRegistration] {
        says(call, Failure::NotFound, "expired and is forgotten");
    }
    for call in [
        Call::GetAvailableNumber,
        Call::RentNumber,
        Call::CreateOrder,
    ] {
        says(call, Failure::NotFound, "choose another");
    }
    for call in [Call::GetActiveNumber, Call::ReleaseActiveNumber] {
        says(call, Failure::NotFound, "not active, or not yet");
    }
    says(
        Call::UploadAttachment,
        Failure::NotFound,
        "ids of order and",
    );
    says(Call::ListRegions, Failure::NotFound, "the project's id");
}

#[test]
fn a_lost_answer_says_if_and_when_to_try_again() {
    says(
        Call::ListRegions,
        status(429, Some(17)),
        "try again in 17 s",
    );
    says(Call::ListRegions, status(503, None), "try again later");
    says(Call::PutRegistration, Failure::TimedOut, "try again later");
    says(
        Call::UploadAttachment,
        broken(),
        "the file in the registration",
    );
    let portal = unreadable(200, BodyFault::Html);
    says(Call::ListRegions, portal, "proxies on the way");
    let unknown = "do not repeat it: see if the number is still available";
    says(Call::CreateOrder, status(429, Some(17)), unknown);
    says(Call::CreateOrder, Failure::TimedOut, "no call lists orders");
    says(Call::SubmitOrder, broken(), "any state but CREATED");
    says(Call::RentNumber, broken(), "fetch the active number");
    says(Call::RentAnyNumber, broken(), "list the active numbers");
    says(Call::UpdateActiveNumber, broken(), "and compare");
    says(Call::ReleaseActiveNumber, broken(), "expireAt");
    says(Call::UpdateCallbackConfiguration, broken(), "the secret");
}

#[tokio::test]
async fn an_error_can_be_logged_and_its_story_cannot() {
    let details = json!([{ "resourceName": PRIVATE, "fieldViolations": [{ "field": "f", "description": PRIVATE }] }]);
    for status in [400, 403, 404, 429, 500] {
        let error = refused(status, "", &error_body(PRIVATE, &details)).await;
        let said = format!("{error} {error:?} {:?}", error.refusal);
        assert!(!said.contains(PRIVATE), "{said}");
        assert!(error.told().to_string().contains(PRIVATE));
    }
}

#[tokio::test]
async fn a_text_cannot_take_over_the_terminal() {
    let long = "é".repeat(1001);
    let many = vec![json!({ "field": "f\u{9b}", "description": "\u{1b}[2J\r\n" }); 102];
    let error = refused(
        400,
        "",
        &error_body(&long, &json!([{ "fieldViolations": many }])),
    )
    .await;
    let told = error.told().to_string();
    assert!(told.contains(&format!("{}…", "é".repeat(1000))));
    assert!(!told.contains(&long));
    assert!(
        !told.chars().any(|char| char.is_control() && char != '\n'),
        "{told:?}"
    );
    assert_eq!(told.lines().count(), 1 + 1 + 100 + 1);
    assert!(told.ends_with("and 2 more"));
}

#[tokio::test]
async fn a_wait_is_kept() {
    let error = refused(429, "Retry-After: 17\r\n", "").await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    let error = refused(404, "Retry-After: 17\r\n", r#"{"error":{}}"#).await;
    assert_eq!(
        (error.request.failure.clone(), error.retry_after()),
        (Failure::NotFound, None)
    );
}

/// Without its body a 404 is not known to be the API's.
#[tokio::test]
async fn a_404_that_breaks_off_is_no_refusal() {
    let short = "HTTP/1.1 404 X\r\nContent-Length: 99\r\n\r\n{";
    let server = Server::start(move |_, _| Reply::raw(short, server::Then::Close)).await;
    let error = server
        .basic()
        .get_available_number(&number("+46700000001"))
        .await;
    let error = error.expect_err("an error");
    assert!(
        matches!(error.request.failure, Failure::BrokenOff { .. }),
        "{error}"
    );
    let short = "HTTP/1.1 400 X\r\nContent-Length: 99\r\n\r\n{";
    let server = Server::start(move |_, _| Reply::raw(short, server::Then::Close)).await;
    let error = server
        .basic()
        .get_available_number(&number("+46700000001"))
        .await;
    assert_eq!(
        error.expect_err("an error").request,
        of_api(status(400, None))
    );
}

#[tokio::test]
async fn success_without_an_object_is_a_failure() {
    for (status, body, fault) in [
        (200, "", BodyFault::NotAnObject),
        (201, "[]", BodyFault::NotAnObject),
        (204, "", BodyFault::NotAnObject),
        (200, "<html>", BodyFault::Html),
    ] {
        let error = refused(status, "", body).await;
        assert_eq!(error.request, of_api(unreadable(status, fault)));
    }
}
