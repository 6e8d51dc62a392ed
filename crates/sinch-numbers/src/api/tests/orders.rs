//! Creating and submitting an order.

use serde_json::{Value, json};

use super::*;

fn created() -> Value {
    json!({
        "projectId": "p1", "idNumberOrder": "o1", "regionCode": "SE", "state": "CREATED", "numberType": "MOBILE",
        "orderNumbers": [{
            "phoneNumber": PRIVATE, "capabilities": ["SMS"],
            "numberPrice": {
                "setupPrice": { "currencyCode": "EUR", "amount": "0.50" },
                "monthlyPrice": { "currencyCode": "EUR", "amount": "2.00" },
                "paymentIntervalMonths": 1,
            },
        }],
        "smsConfiguration": { "servicePlanId": "plan" },
        "voiceConfiguration": { "type": "RTC", "appId": "app" },
        "expireTime": "2026-02-04T04:05:06.5Z", "createTime": "2026-02-03T04:05:06Z",
        "updateTime": "2026-02-03T04:05:06Z",
    })
}

fn bodies() -> [Value; 4] {
    [
        json!({
            "regionCode": "SE", "numberType": "MOBILE",
            "numberOrderOption": { "phoneNumbers": ["+46700000001"] },
        }),
        json!({
            "regionCode": "SE", "numberType": "MOBILE",
            "numberOrderOption": { "phoneNumbers": ["+46700000001"] },
            "smsConfiguration": { "servicePlanId": "plan", "campaignId": "campaign" },
            "voiceConfiguration": { "type": "FAX", "serviceId": "service" },
            "callbackUrl": "https://a.test/c",
        }),
        json!({
            "regionCode": "US", "numberType": "TOLL_FREE", "quantityOrderOption": { "requestedQuantity": 1 },
        }),
        json!({
            "regionCode": "US", "numberType": "LOCAL",
            "quantityOrderOption": {
                "requestedQuantity": 100, "sequential": false, "capabilities": ["SMS", "VOICE"],
                "numberPattern": { "pattern": "+1202", "searchPattern": "START" },
            },
            "smsConfiguration": { "servicePlanId": "plan" },
        }),
    ]
}

#[tokio::test]
async fn an_order_is_created_as_described() {
    for (status, body) in [200, 201].into_iter().cycle().zip(bodies()) {
        let server = Server::answering(status, &created()).await;
        let answer = server.basic().create_order(&typed::new_order(&body)).await;
        assert_eq!(
            shown::number_order(&answer.expect("an answer").content),
            created()
        );
        let sent = server.sent();
        assert_eq!(
            sent.line,
            "POST /v1/projects/p1/numberOrders:createNumberOrder"
        );
        assert_eq!((sent.raw_query.as_str(), sent.json()), ("", body));
    }
}

#[tokio::test]
async fn an_order_is_submitted_without_a_body() {
    let server = Server::answering(200, &created()).await;
    let answer = server
        .basic()
        .submit_order(&id("o1"))
        .await
        .expect("an answer");
    assert_eq!(shown::number_order(&answer.content), created());
    let sent = server.sent();
    assert_eq!(sent.line, "POST /v1/projects/p1/numberOrders/o1/submit");
    sent.has_nothing_else();
}

#[tokio::test]
async fn numbers_stay_out_of_debug() {
    let server = Server::answering(200, &created()).await;
    let order = typed::new_order(&bodies()[0]);
    let answer = server
        .basic()
        .create_order(&order)
        .await
        .expect("an answer");
    let said = format!("{order:?} {answer:?} {:?}", answer.content.numbers());
    for number in ["46700000001", &PRIVATE[1..]] {
        assert!(!said.contains(number), "{said}");
    }
}
