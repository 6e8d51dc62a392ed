//! Regions.

use serde_json::json;

use super::sent::parameters;
use super::*;

#[tokio::test]
async fn regions_are_listed_by_type_or_all() {
    let server = Server::answering(200, &json!({})).await;
    let client = server.basic();
    client.list_regions(&[]).await.expect("an answer");
    let sent = server.sent();
    assert_eq!(sent.line, "GET /v1/projects/p1/availableRegions");
    sent.has_nothing_else();
    let types = [NumberType::LOCAL, NumberType::TOLL_FREE];
    client.list_regions(&types).await.expect("an answer");
    let sent = server.sent();
    assert_eq!(
        sent.query,
        parameters(&[("types", "LOCAL"), ("types", "TOLL_FREE")])
    );
    assert!(sent.body.is_empty());
}

#[tokio::test]
async fn regions_are_read_with_words_that_are_new() {
    let body = json!({
        "availableRegions": [
            { "regionCode": "SE", "regionName": "Sweden", "types": ["MOBILE", "SATELLITE"] },
            { "regionCode": "UK", "regionName": "United Kingdom", "types": [] },
        ],
        "inventedLater": 1,
    });
    let server = Server::answering(200, &body).await;
    let answer = server.basic().list_regions(&[]).await.expect("an answer");
    let regions = answer.content.regions();
    assert_eq!(regions.len(), 2);
    assert_eq!(regions[0].region_code().text(), Some("SE"));
    assert_eq!(regions[0].region_name().text(), Some("Sweden"));
    assert_eq!(regions[0].types(), ["MOBILE", "SATELLITE"]);
    assert_eq!(
        answer.content.object().get("inventedLater").json(),
        Some("1")
    );
    assert_eq!(answer.body, body.to_string().into_bytes());
}
