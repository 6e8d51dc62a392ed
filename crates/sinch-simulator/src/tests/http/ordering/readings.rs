//! Open questions, each with a client that takes one reading for granted: it must fail where another one holds.
//!
//! These clients are the controls of every play by seed. If one of them succeeded under all readings of its question, the
//! simulator would not tell the readings apart, and no client could be found out.

use super::*;
use crate::ordering::{Call, Fault, Readings};
use number_order::Id;

/// A time that no test lives to see.
const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_client_that_takes_one_reading_for_granted_fails_under_another() {
    let questions = plain().list();
    assert!(questions.len() >= 30, "{questions:?}");
    for (question, _) in questions {
        let mut succeeded = Vec::new();
        while let Some(readings) = plain().with(question, succeeded.len()) {
            let caller = caller_of(question, readings).await;
            succeeded.push(control(question, &caller).await);
        }
        assert!(succeeded.contains(&true), "{question}: {succeeded:?}");
        assert!(succeeded.contains(&false), "{question}: {succeeded:?}");
    }
}

/// Makes the simulator for a question. What a control looks at "at once" is not over before it looks.
async fn caller_of(question: &str, readings: Readings) -> Caller {
    caller(|script| {
        script.readings = readings;
        match question {
            "upload" => script.pace.upload = NEVER,
            "activation" => script.pace.activation = NEVER,
            "too_large" => script.upload_max_bytes = 10,
            _ => {}
        }
    })
    .await
}

/// Runs the control of a question; `true`: it succeeds.
async fn control(question: &str, caller: &Caller) -> bool {
    match question {
        "nothing_required"
        | "attachments_place"
        | "rule_sentences"
        | "search_without_type"
        | "pattern_alone" => looked_up(question, caller).await,
        "unset" | "fractions" | "created_status" | "taken_number" | "quantity" | "expire_time" => {
            created(question, caller).await
        }
        "expiring" | "expired" | "incomplete" | "submitted" | "without_form" | "unblocking" => {
            on_its_way(question, caller).await
        }
        "field_notation" | "violation_text" | "attachment_list" | "attachment_id" | "upload"
        | "too_large" => registered(question, caller).await,
        "activation" | "number_callbacks" | "provisioning" => completed(question, caller).await,
        "tokens" | "refusal_body" | "retry_after" | "failure_body" => {
            failing(question, caller).await
        }
        _ => panic!("{question}: no client takes a reading of it for granted"),
    }
}

async fn looked_up(question: &str, caller: &Caller) -> bool {
    let look_up = async |region: &str, number_type: &str| {
        let body = object!({"regionCode": region, "numberType": number_type});
        let path = "numberOrders:lookupNumberRequirements";
        caller.call("POST", path, &body).await
    };
    let search = async |query: &str| {
        let path = format!("availableNumbers?regionCode=AU&{query}");
        caller.call("GET", &path, &Value::Null).await
    };
    match question {
        // Nothing is required where the answer is 404, and only there.
        "nothing_required" => look_up("US", "LOCAL").await.0 == 404,
        // The documents stand beside the fields.
        "attachments_place" => look_up("AU", "MOBILE").await.1["attachments"].is_array(),
        // A rule's sentences are its `message`.
        "rule_sentences" => look_up("AU", "MOBILE")
            .await
            .1
            .to_string()
            .contains("\"message\":"),
        // The type need not be said.
        "search_without_type" => search("size=1").await.0 == 200,
        // A pattern alone may stand anywhere.
        _ => {
            let (_, found) = search("type=MOBILE&numberPattern.pattern=571").await;
            found["availableNumbers"]
                .as_array()
                .is_some_and(|found| !found.is_empty())
        }
    }
}

async fn created(question: &str, caller: &Caller) -> bool {
    let create = async |body: Value| {
        let path = "numberOrders:createNumberOrder";
        caller.call("POST", path, &body).await
    };
    let (status, order) = create(au(NUMBER)).await;
    match question {
        // What is not set is absent.
        "unset" => order.get("voiceConfiguration").is_none(),
        // A time has six digits after the point.
        "fractions" => {
            let time = order["createTime"].as_str().expect("a time");
            time.len() == "2026-01-01T00:00:00.000000Z".len()
        }
        // Success is 200.
        "created_status" => status == 200,
        // Another number is tried where the answer is 404.
        "taken_number" => create(au(NUMBER)).await.0 == 404,
        // Sinch reserves as many numbers as were asked for.
        "quantity" => {
            let body = object!({
                "regionCode": "AU",
                "numberType": "MOBILE",
                "quantityOrderOption": {"requestedQuantity": 3},
            });
            let (_, order) = create(body).await;
            order["orderNumbers"].as_array().map(Vec::len) == Some(3)
        }
        // Sinch says when the reservation ends.
        _ => order["expireTime"]
            .as_str()
            .is_some_and(|time| !time.is_empty()),
    }
}

async fn on_its_way(question: &str, caller: &Caller) -> bool {
    let state = async |order: &str| {
        let path = format!("numberOrders/{order}");
        let (_, shown) = caller.call("GET", &path, &Value::Null).await;
        shown["state"].as_str().unwrap_or_default().to_owned()
    };
    let end_reservation = |order: &str| {
        let id = Id::new(order).expect("an id");
        caller.simulator.ordering().end_reservation(&id);
    };
    let blocked = async || {
        let order = caller.place("BLOCK-ONCE").await;
        caller.until_state(&order, "BLOCKED").await;
        order
    };
    match question {
        // A blocked order keeps its number.
        "expiring" => {
            let order = blocked().await;
            end_reservation(&order);
            state(&order).await == "BLOCKED"
        }
        // An expired order is shown.
        "expired" => {
            let order = caller.create(&au(NUMBER)).await;
            end_reservation(&order);
            state(&order).await == "EXPIRED"
        }
        // A submit is refused where something is missing.
        "incomplete" => {
            let order = caller.create(&au(NUMBER)).await;
            let path = format!("numberOrders/{order}/submit");
            caller.call("POST", &path, &Value::Null).await.0 == 400
        }
        // The answer to a submit shows the review.
        "submitted" => {
            let order = caller.create(&au(NUMBER)).await;
            caller.register(&order, "codes").await;
            caller.upload(&order, 9).await;
            caller.submit(&order).await["state"] == "IN_REVIEW"
        }
        // What needs no review is completed with the submit.
        "without_form" => {
            let body = object!({
                "regionCode": "US",
                "numberType": "LOCAL",
                "numberOrderOption": {"phoneNumbers": ["+12015550100"]},
            });
            let order = caller.create(&body).await;
            caller.submit(&order).await["state"] == "COMPLETED"
        }
        // A corrected registration is enough.
        _ => {
            let order = blocked().await;
            caller.register(&order, "corrected").await;
            state(&order).await != "BLOCKED"
        }
    }
}

async fn registered(question: &str, caller: &Caller) -> bool {
    let order = caller.create(&au(NUMBER)).await;
    let path = format!("numberOrders/{order}/registration");
    let refused = async || {
        let mut wrong = form("codes");
        wrong["requestDetails"]["data"][1]["postalCode"] = "HIDDEN".into();
        let (status, refusal) = caller.call("PUT", &path, &wrong).await;
        assert_eq!(status, 400);
        refusal
    };
    let attachments = async || {
        let shown = caller.ok("GET", &path, &Value::Null).await;
        shown["attachments"].as_array().cloned().unwrap_or_default()
    };
    match question {
        // A field is named by its place in `data`.
        "field_notation" => {
            let refusal = refused().await;
            let field = refusal.pointer("/error/details/0/fieldViolations/0/field");
            field.and_then(Value::as_str) == Some("data[1].postalCode")
        }
        // A violation can be logged.
        "violation_text" => !refused().await.to_string().contains("HIDDEN"),
        // The registration lists what is to be uploaded.
        "attachment_list" => {
            caller.register(&order, "codes").await;
            !attachments().await.is_empty()
        }
        // A document is found again by the lookup's id.
        "attachment_id" => {
            caller.upload(&order, 9).await;
            let shown = attachments().await;
            shown.iter().any(|shown| shown["attachmentId"] == LETTER)
        }
        // A document that was taken is there.
        "upload" => {
            assert_eq!(caller.upload(&order, 9).await.0, 200);
            attachments().await[0]["uploadStatus"] == "COMPLETED"
        }
        // A refusal is JSON.
        _ => {
            let (status, refusal) = caller.upload(&order, 11).await;
            assert_eq!(status, 413);
            serde_json::from_str::<Value>(&refusal).is_ok()
        }
    }
}

async fn completed(question: &str, caller: &Caller) -> bool {
    let order = caller.place("codes").await;
    caller.until_state(&order, "COMPLETED").await;
    let path = format!("activeNumbers/{NUMBER}");
    if question == "activation" {
        // The number of a completed order is active.
        return caller.call("GET", &path, &Value::Null).await.0 == 200;
    }
    let active = |active: &Value| {
        let sms = &active["smsConfiguration"];
        let failed = sms["scheduledProvisioning"]["status"] == "FAILED";
        failed || sms["servicePlanId"] == "plan"
    };
    let active = caller.until(&path, active).await;
    if question == "number_callbacks" {
        // A number has the callback URL of its order.
        return active["callbackUrl"] == au(NUMBER)["callbackUrl"];
    }
    // A number gets the link that was ordered.
    active["smsConfiguration"]["servicePlanId"] == "plan"
}

async fn failing(question: &str, caller: &Caller) -> bool {
    let call = async || caller.call("GET", "availableRegions", &Value::Null).await;
    let fault = |fault: Fault| {
        let ordering = caller.simulator.ordering();
        ordering.push_fault(Call::ListRegions, Some(fault));
    };
    let is_of_the_api = |body: &Value| body["error"]["status"].is_string();
    match question {
        // A token lives as long as it says.
        "tokens" => {
            for _ in 0..10 {
                if call().await.0 == 401 {
                    return false;
                }
            }
            true
        }
        // A refusal has the form of the API.
        "refusal_body" => {
            fault(Fault::Throttled);
            is_of_the_api(&call().await.1)
        }
        // A 429 says when to come again.
        "retry_after" => {
            fault(Fault::Throttled);
            let response = caller.request("GET", "availableRegions").send().await;
            let response = response.expect("an answer");
            response.headers().contains_key("retry-after")
        }
        // A failure has the form of the API.
        _ => {
            fault(Fault::Broken(503));
            is_of_the_api(&call().await.1)
        }
    }
}
