//! Numbers that can be had, and renting.

use serde_json::{Value, json};

use super::sent::{number, parameters};
use super::*;

fn available() -> Value {
    json!({
        "phoneNumber": "+46700000001", "regionCode": "SE", "type": "MOBILE", "capability": ["SMS", "FAX"],
        "setupPrice": { "currencyCode": "EUR", "amount": "0.50" },
        "monthlyPrice": { "currencyCode": "USD", "amount": "2.25" },
        "paymentIntervalMonths": 3, "supportingDocumentationRequired": false,
    })
}

fn search() -> NumberSearch {
    NumberSearch {
        region_code: "SE".to_owned(),
        number_type: NumberType::MOBILE,
        capabilities: Vec::new(),
        number_pattern: None,
        size: None,
    }
}

#[tokio::test]
async fn a_search_sends_what_it_names_and_no_more() {
    let server = Server::answering(200, &json!({})).await;
    let client = server.basic();
    client
        .search_available_numbers(&search())
        .await
        .expect("an answer");
    let sent = server.sent();
    assert_eq!(sent.line, "GET /v1/projects/p1/availableNumbers");
    assert_eq!(
        sent.query,
        parameters(&[("regionCode", "SE"), ("type", "MOBILE")])
    );
    let whole = NumberSearch {
        capabilities: vec![Capability::SMS, Capability::VOICE],
        number_pattern: Some(NumberPattern {
            pattern: "+4670".to_owned(),
            search_pattern: SearchPattern::Start,
        }),
        size: Some(7),
        ..search()
    };
    client
        .search_available_numbers(&whole)
        .await
        .expect("an answer");
    let sent = server.sent();
    let expected = parameters(&[
        ("regionCode", "SE"),
        ("type", "MOBILE"),
        ("capabilities", "SMS"),
        ("capabilities", "VOICE"),
        ("numberPattern.pattern", "+4670"),
        ("numberPattern.searchPattern", "START"),
        ("size", "7"),
    ]);
    assert_eq!(sent.query, expected);
    // A plus that is not escaped would be a blank, and one that is escaped twice a percent sign.
    assert!(
        sent.raw_query.contains("numberPattern.pattern=%2B4670&"),
        "{}",
        sent.raw_query
    );
}

#[tokio::test]
async fn found_numbers_are_read_with_their_prices() {
    let body = json!({ "availableNumbers": [available(), available()] });
    let server = Server::answering(200, &body).await;
    let answer = server.basic().search_available_numbers(&search()).await;
    let found = answer.expect("an answer").content;
    assert_eq!(shown::available_numbers(&found), body);
    let nothing = Server::answering(200, &json!({ "availableNumbers": [] })).await;
    let answer = nothing.basic().search_available_numbers(&search()).await;
    assert!(answer.expect("an answer").content.numbers().is_empty());
}

#[tokio::test]
async fn one_number_is_asked_for_with_its_plus() {
    let server = Server::answering(200, &available()).await;
    let answer = server
        .basic()
        .get_available_number(&number("+46700000001"))
        .await;
    assert_eq!(
        shown::available_number(&answer.expect("an answer").content),
        available()
    );
    let sent = server.sent();
    assert_eq!(
        sent.line,
        "GET /v1/projects/p1/availableNumbers/+46700000001"
    );
    sent.has_nothing_else();
}

#[tokio::test]
#[expect(
    deprecated,
    reason = "Sinch deprecates the calls, and they are still there"
)]
async fn a_rental_names_only_what_is_wanted() {
    let rented = json!({ "phoneNumber": "+12025550134", "regionCode": "US" });
    let server = Server::answering(200, &rented).await;
    let client = server.basic();
    for body in [
        json!({}),
        json!({ "smsConfiguration": { "servicePlanId": "plan", "campaignId": "campaign" } }),
        json!({ "voiceConfiguration": { "type": "EST", "trunkId": "trunk" }, "callbackUrl": "https://a.test/c" }),
    ] {
        let rental = typed::rental(&body);
        let answer = client.rent_number(&number("+12025550134"), &rental).await;
        assert_eq!(
            shown::meaningful(&shown::active_number(&answer.expect("an answer").content)),
            rented
        );
        let sent = server.sent();
        assert_eq!(
            sent.line,
            "POST /v1/projects/p1/availableNumbers/+12025550134:rent"
        );
        assert_eq!((sent.raw_query.as_str(), sent.json()), ("", body));
    }
    for body in [
        json!({ "regionCode": "US", "type": "LOCAL" }),
        json!({
            "regionCode": "US", "type": "LOCAL", "capabilities": ["SMS", "VOICE"],
            "numberPattern": { "pattern": "55", "searchPattern": "END" },
            "voiceConfiguration": { "type": "FAX", "serviceId": "service" },
        }),
    ] {
        let rental = typed::any_rental(&body);
        client.rent_any_number(&rental).await.expect("an answer");
        let sent = server.sent();
        assert_eq!(sent.line, "POST /v1/projects/p1/availableNumbers:rentAny");
        assert_eq!((sent.raw_query.as_str(), sent.json()), ("", body));
    }
}
