//! Repetition of calls that failed: allowed, forbidden, or only after it is known what happened.

use super::Repeat::{Allowed, FindOutFirst, Forbidden};
use super::*;

const READING: [Call; 8] = [
    Call::LookUpRequirements,
    Call::GetOrder,
    Call::GetRegistration,
    Call::ListRegions,
    Call::SearchAvailableNumbers,
    Call::GetAvailableNumber,
    Call::ListActiveNumbers,
    Call::GetCallbackConfiguration,
];

const THE_SAME_EACH_TIME: [Call; 2] = [Call::PutRegistration, Call::UploadAttachment];

const ANOTHER_EACH_TIME: [Call; 7] = [
    Call::CreateOrder,
    Call::SubmitOrder,
    Call::RentNumber,
    Call::RentAnyNumber,
    Call::UpdateActiveNumber,
    Call::ReleaseActiveNumber,
    Call::UpdateCallbackConfiguration,
];

fn cause() -> String {
    "reset".to_owned()
}

/// Failures of a request that may have arrived.
fn lost() -> Vec<Failure> {
    let cause = cause();
    let mut lost = vec![Failure::TimedOut, Failure::BrokenOff { cause }];
    lost.extend([408, 429, 500, 502, 503, 504, 599].map(|code| status(code, Some(1))));
    lost.extend([200, 201, 502].map(|code| unreadable(code, BodyFault::Html)));
    lost.push(unreadable(200, BodyFault::TooLarge));
    lost
}

/// Failures after which nothing was done, and nothing will be.
fn refused() -> Vec<Failure> {
    let mut refused = vec![Failure::NotFound, unreadable(404, BodyFault::Html)];
    let codes = [301, 307, 400, 401, 403, 404, 405, 407, 409, 413, 415, 422];
    refused.extend(codes.map(|code| status(code, None)));
    refused
}

fn check(calls: &[Call], error: &RequestError, expected: Repeat) {
    for call in calls {
        assert_eq!(call.repeat(error), expected, "{call:?} {error:?}");
    }
}

#[test]
fn a_lost_answer_forbids_a_blind_repetition_of_what_takes_effect() {
    for failure in lost() {
        let error = of_api(failure);
        check(&READING, &error, Allowed);
        check(&[Call::GetActiveNumber], &error, Allowed);
        check(&THE_SAME_EACH_TIME, &error, Allowed);
        check(&ANOTHER_EACH_TIME, &error, FindOutFirst);
    }
}

#[test]
fn a_refusal_stays_one() {
    for failure in refused() {
        let error = of_api(failure);
        check(&READING, &error, Forbidden);
        check(&THE_SAME_EACH_TIME, &error, Forbidden);
        check(&ANOTHER_EACH_TIME, &error, Forbidden);
    }
    // What is not active yet will be.
    let call = Call::GetActiveNumber;
    assert_eq!(call.repeat(&of_api(Failure::NotFound)), Allowed);
    assert_eq!(call.repeat(&of_api(status(403, None))), Forbidden);
}

#[test]
fn a_request_that_never_left_may_be_repeated() {
    let unreachable = || Failure::Unreachable { cause: cause() };
    let mut never_left = vec![of_api(unreachable()), of_token(unreachable())];
    never_left.extend(lost().into_iter().map(of_token));
    never_left.push(of_token(unreadable(200, BodyFault::NoToken)));
    for error in never_left {
        check(&READING, &error, Allowed);
        check(&THE_SAME_EACH_TIME, &error, Allowed);
        check(&ANOTHER_EACH_TIME, &error, Allowed);
    }
    for code in [302, 400, 401, 403, 404] {
        check(&ANOTHER_EACH_TIME, &of_token(status(code, None)), Forbidden);
    }
}

/// The client itself repeats nothing but a request that was refused with 401.
#[tokio::test]
async fn the_client_sends_a_create_once() {
    let order = typed::new_order(&serde_json::json!({
        "regionCode": "SE", "numberType": "MOBILE", "numberOrderOption": { "phoneNumbers": ["+46700000001"] },
    }));
    for code in [400, 409, 429, 500, 502, 503, 504] {
        let server = Server::start(move |_, _| Reply::new(code, "Retry-After: 0\r\n", "")).await;
        server
            .basic()
            .create_order(&order)
            .await
            .expect_err("an error");
        assert_eq!(server.counts(), (1, 0), "{code}");
    }
    for then in [|| server::Then::Close, || server::Then::Reset] {
        let server = Server::start(move |_, _| Reply::raw("", then())).await;
        let error = server
            .basic()
            .create_order(&order)
            .await
            .expect_err("an error");
        assert_eq!((error.repeat(), server.counts()), (FindOutFirst, (1, 0)));
    }
}

/// A connection that the server closes while it is idle must not make the client send twice what it may have taken.
#[tokio::test]
async fn a_connection_that_was_used_before_changes_nothing() {
    let server = Server::start(|_, nth| match nth {
        0 => Reply::new(200, "", "{}"),
        _ => Reply::raw("", server::Then::Close),
    })
    .await;
    let client = server.basic();
    client.submit_order(&id("o1")).await.expect("an answer");
    let error = client.submit_order(&id("o1")).await.expect_err("an error");
    assert_eq!((error.repeat(), server.counts()), (FindOutFirst, (2, 0)));
}
