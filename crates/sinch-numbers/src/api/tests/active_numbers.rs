//! Numbers of the project.

use serde_json::{Value, json};

use super::sent::{number, parameters};
use super::*;
use crate::Property;

fn active() -> Value {
    json!({
        "phoneNumber": "+46700000001", "projectId": "p1", "displayName": "desk", "regionCode": "SE",
        "type": "MOBILE", "capability": ["SMS", "VOICE"], "money": { "currencyCode": "EUR", "amount": "2.25" },
        "paymentIntervalMonths": 1, "nextChargeDate": "2026-03-03T04:05:06.5Z",
        "expireAt": "2026-04-03T04:05:06Z", "callbackUrl": "https://a.test/c",
        "smsConfiguration": {
            "servicePlanId": "plan", "campaignId": "campaign",
            "scheduledProvisioning": {
                "servicePlanId": "plan 2", "campaignId": "campaign 2", "status": "FAILED",
                "lastUpdatedTime": "2026-02-03T04:05:06Z", "errorCodes": ["CAMPAIGN_EXPIRED", "NEW_WORD"],
            },
        },
        "voiceConfiguration": {
            "type": "RTC", "appId": "app", "trunkId": "trunk", "serviceId": "service",
            "lastUpdatedTime": "2026-02-03T04:05:07Z",
            "scheduledVoiceProvisioning": {
                "type": "FAX", "appId": "app 2", "trunkId": "trunk 2", "serviceId": "service 2",
                "status": "WAITING", "lastUpdatedTime": "2026-02-03T04:05:08Z",
            },
        },
    })
}

#[tokio::test]
async fn numbers_are_listed_page_by_page() {
    let page = |token: &str| json!({ "activeNumbers": [active()], "nextPageToken": token, "totalSize": 2 });
    let (first, last) = (page("t+2"), page(""));
    let server = Server::start(move |_, nth| {
        let page = if nth == 0 { &first } else { &last };
        Reply::new(200, "", &page.to_string())
    })
    .await;
    let client = server.basic();
    let mut query = ActiveNumbersQuery {
        page_size: Some(1),
        ..ActiveNumbersQuery::default()
    };
    let answer = client.list_active_numbers(&query).await.expect("an answer");
    assert_eq!(shown::active_numbers(&answer.content), page("t+2"));
    assert_eq!(server.sent().query, parameters(&[("pageSize", "1")]));
    query.page_token = answer.content.next_page_token().text().map(str::to_owned);
    let answer = client.list_active_numbers(&query).await.expect("an answer");
    assert_eq!(answer.content.next_page_token(), Property::Absent);
    assert_eq!(
        server.sent().query,
        parameters(&[("pageSize", "1"), ("pageToken", "t+2")])
    );
}

#[tokio::test]
async fn a_list_is_asked_for_with_what_the_query_names() {
    let server = Server::answering(200, &json!({})).await;
    let client = server.basic();
    client
        .list_active_numbers(&ActiveNumbersQuery::default())
        .await
        .expect("an answer");
    let sent = server.sent();
    assert_eq!(sent.line, "GET /v1/projects/p1/activeNumbers");
    sent.has_nothing_else();
    for (order_by, word) in [
        (OrderBy::PhoneNumber, "phoneNumber"),
        (OrderBy::DisplayName, "displayName"),
    ] {
        let query = ActiveNumbersQuery {
            region_code: Some("SE".to_owned()),
            number_type: Some(NumberType::MOBILE),
            capabilities: vec![Capability::SMS, Capability::VOICE],
            number_pattern: Some(NumberPattern {
                pattern: "00".to_owned(),
                search_pattern: SearchPattern::Contains,
            }),
            order_by: Some(order_by),
            ..ActiveNumbersQuery::default()
        };
        client.list_active_numbers(&query).await.expect("an answer");
        let expected = parameters(&[
            ("regionCode", "SE"),
            ("type", "MOBILE"),
            ("capability", "SMS"),
            ("capability", "VOICE"),
            ("numberPattern.pattern", "00"),
            ("numberPattern.searchPattern", "CONTAINS"),
            ("orderBy", word),
        ]);
        assert_eq!(server.sent().query, expected);
    }
}

#[tokio::test]
async fn a_number_is_fetched_and_released() {
    let server = Server::answering(200, &active()).await;
    let client = server.basic();
    let wanted = number("+46700000001");
    let answer = client.get_active_number(&wanted).await.expect("an answer");
    assert_eq!(shown::active_number(&answer.content), active());
    let sent = server.sent();
    assert_eq!(sent.line, "GET /v1/projects/p1/activeNumbers/+46700000001");
    sent.has_nothing_else();
    let answer = client
        .release_active_number(&wanted)
        .await
        .expect("an answer");
    assert_eq!(shown::active_number(&answer.content), active());
    let sent = server.sent();
    assert_eq!(
        sent.line,
        "POST /v1/projects/p1/activeNumbers/+46700000001:release"
    );
    sent.has_nothing_else();
}

#[tokio::test]
async fn absent_null_and_empty_are_the_same() {
    let server = Server::answering(
        200,
        &json!({
            "expireAt": null, "displayName": "",
            "smsConfiguration": { "servicePlanId": "", "scheduledProvisioning": null }, "voiceConfiguration": null,
        }),
    )
    .await;
    let answer = server
        .basic()
        .get_active_number(&number("+46700000001"))
        .await;
    let shown = answer.expect("an answer").content;
    assert_eq!(shown.expire_at(), Property::Absent);
    assert_eq!(shown.display_name(), Property::Absent);
    assert_eq!(shown.callback_url(), Property::Absent);
    assert_eq!(shown.voice_configuration(), None);
    let sms = shown.sms_configuration().expect("a configuration");
    assert_eq!(
        (sms.service_plan_id(), sms.scheduled()),
        (Property::Absent, None)
    );
}

#[tokio::test]
async fn an_update_sends_only_what_changes() {
    let server = Server::answering(200, &active()).await;
    for body in [
        json!({ "displayName": "" }),
        json!({ "callbackUrl": "https://a.test/c" }),
        json!({ "smsConfiguration": { "servicePlanId": "plan" } }),
        // An empty text unlinks.
        json!({ "smsConfiguration": { "campaignId": "" } }),
        json!({ "displayName": "desk", "voiceConfiguration": { "type": "RTC", "appId": "app" } }),
    ] {
        let update = typed::number_update(&body);
        let answer = server
            .basic()
            .update_active_number(&number("+46700000001"), &update)
            .await;
        assert_eq!(
            shown::active_number(&answer.expect("an answer").content),
            active()
        );
        let sent = server.sent();
        assert_eq!(
            sent.line,
            "PATCH /v1/projects/p1/activeNumbers/+46700000001"
        );
        assert_eq!((sent.raw_query.as_str(), sent.json()), ("", body));
    }
}
