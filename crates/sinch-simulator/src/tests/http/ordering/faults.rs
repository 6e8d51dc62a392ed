//! Answers that are lost, broken or refused.

use super::*;
use crate::ordering::{Call, FailureBody, Fault, RefusalBody, RetryAfter, Silence, Tokens};

#[tokio::test]
async fn lost_answers_leave_an_order_and_lost_requests_none() {
    for (fault, orders) in [
        (Fault::RequestLost(Silence::Cut), 0),
        (Fault::AnswerLost(Silence::Cut), 1),
        (Fault::RequestLost(Silence::Hang), 0),
        (Fault::AnswerLost(Silence::Hang), 1),
    ] {
        let caller = caller(|_| {}).await;
        let ordering = caller.simulator.ordering();
        ordering.push_fault(Call::CreateOrder, Some(fault));
        let request = caller.request("POST", "numberOrders:createNumberOrder");
        let request = request.body(au(NUMBER).to_string());
        if matches!(
            fault,
            Fault::RequestLost(Silence::Cut) | Fault::AnswerLost(Silence::Cut)
        ) {
            let error = within(request.send()).await.expect_err("no answer");
            assert!(!error.is_timeout(), "{error:?}");
        } else {
            let hanging = tokio::spawn(request.send());
            within(async {
                while ordering.calls().is_empty() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            // Other calls are answered in the time in which a cut would have been seen.
            for _ in 0..50 {
                caller.ok("GET", "availableRegions", &Value::Null).await;
            }
            assert!(!hanging.is_finished());
            hanging.abort();
        }
        assert_eq!(caller.orders().len(), orders, "{fault:?}");
        assert_eq!(ordering.calls()[0].status, None);
        let probe = format!("availableNumbers/{NUMBER}");
        let (status, _) = caller.call("GET", &probe, &Value::Null).await;
        assert_eq!(status == 404, orders == 1, "{fault:?}");
        within(caller.simulator.shutdown()).await;
    }
}

#[tokio::test]
async fn failures_have_several_bodies_and_may_have_taken_effect() {
    let text = |body: &Value| body.as_str().is_some_and(|text| text.starts_with("<html>"));
    for (form, is_page) in [(FailureBody::Json, false), (FailureBody::Html, true)] {
        let caller = caller(|script| script.readings.failure_body = form).await;
        let ordering = caller.simulator.ordering();
        ordering.push_fault(Call::CreateOrder, Some(Fault::Broken(503)));
        ordering.push_fault(Call::CreateOrder, Some(Fault::AnswerBroken(502)));
        for (status, orders) in [(503, 0), (502, 1)] {
            let path = "numberOrders:createNumberOrder";
            let (answered, body) = caller.call("POST", path, &au(NUMBER)).await;
            assert_eq!((answered, caller.orders().len()), (status, orders));
            assert_eq!(text(&body), is_page, "{body}");
        }
    }
    for (form, key) in [
        (RefusalBody::Api, "/error/status"),
        (RefusalBody::Gateway, "/error"),
        (RefusalBody::Registry, "/type"),
    ] {
        for (retry_after, header) in [(RetryAfter::Sent, true), (RetryAfter::Missing, false)] {
            let mut caller = caller(|script| {
                (script.readings.refusal_body, script.readings.retry_after) = (form, retry_after);
            })
            .await;
            let ordering = caller.simulator.ordering();
            ordering.push_fault(Call::ListRegions, Some(Fault::Throttled));
            ordering.push_fault(Call::ListRegions, Some(Fault::Unauthorized));
            let throttled = caller.request("GET", "availableRegions").send().await;
            let throttled = throttled.expect("an answer");
            assert_eq!(throttled.status(), 429);
            assert_eq!(throttled.headers().contains_key("retry-after"), header);
            let body = json(throttled).await;
            assert!(body.pointer(key).is_some_and(Value::is_string), "{body}");
            // The token is withdrawn, so the next call fails too.
            for _ in 0..2 {
                let refused = caller.request("GET", "availableRegions").send().await;
                let refused = refused.expect("an answer");
                assert_eq!(refused.status(), 401);
                let challenge = refused.headers()["www-authenticate"].to_str();
                assert!(challenge.expect("text").starts_with("Bearer error="));
                let body = json(refused).await;
                assert!(body.pointer(key).is_some_and(Value::is_string), "{body}");
            }
            caller.renew_token().await;
            caller.ok("GET", "availableRegions", &Value::Null).await;
        }
    }
}

/// A token that is new is good, however many calls others have made: a client may ask for one and repeat once.
#[tokio::test]
async fn a_short_lived_token_is_refused_at_its_fifth_call() {
    let mut caller = caller(|script| script.readings.tokens = Tokens::Short).await;
    for _ in 0..2 {
        for n in 1..=6 {
            let (status, _) = caller.call("GET", "availableRegions", &Value::Null).await;
            assert_eq!(status == 401, n >= 5, "call {n}");
        }
        caller.renew_token().await;
    }
}

#[tokio::test]
async fn only_the_key_and_its_tokens_place_orders() {
    let mut caller = caller(|_| {}).await;
    let good = std::mem::replace(&mut caller.token, "guessed".to_owned());
    let create = "numberOrders:createNumberOrder";
    assert_eq!(caller.call("POST", create, &au(NUMBER)).await.0, 401);
    caller.token = good;
    caller
        .simulator
        .set_outage(Outage::Unavailable { retry_after: None });
    assert_eq!(caller.call("POST", create, &au(NUMBER)).await.0, 503);
    caller.simulator.set_outage(Outage::None);
    let ordering = caller.simulator.ordering();
    ordering.push_fault(Call::CreateOrder, Some(Fault::Forbidden));
    let (status, refused) = caller.call("POST", create, &au(NUMBER)).await;
    assert_eq!((status, &refused["error"]["message"]), (403, &"".into()));
    assert!(caller.orders().is_empty());
    caller.place("codes").await;
    let orders = caller.orders();
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].numbers, [NUMBER]);
}
