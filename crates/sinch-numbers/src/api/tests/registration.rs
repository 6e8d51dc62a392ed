//! Registration of an order.

use serde_json::{Value, json};

use super::*;

fn data() -> Value {
    json!([[{ "senderId": PRIVATE, "confirmed": true }], { "city": "Umeå", "postalCode": "90101" }])
}

fn registered() -> Value {
    json!({
        "requestDetails": { "data": data() },
        "attachments": [{
            "attachmentId": "a1", "fileName": "letter.pdf", "mimeType": "application/pdf",
            "uploadStatus": "WAITING", "documentType": "Passport",
            "createTime": "2026-02-03T04:05:06Z", "updateTime": "2026-02-03T04:05:06.5Z",
        }],
        "logs": [
            { "message": "Dear Customer,\nplease …", "createTime": "2026-02-03T04:05:06.123456Z" },
            { "message": "Thank you", "createTime": "2026-02-04T04:05:06Z" },
        ],
    })
}

#[tokio::test]
async fn data_is_registered_inside_request_details() {
    let server = Server::answering(200, &registered()).await;
    let form = RegistrationData::new(data());
    let answer = server.basic().put_registration(&id("o1"), &form).await;
    assert_eq!(
        shown::registration(&answer.expect("an answer").content),
        registered()
    );
    let sent = server.sent();
    assert_eq!(
        sent.line,
        "PUT /v1/projects/p1/numberOrders/o1/registration"
    );
    assert_eq!(sent.raw_query, "");
    assert_eq!(sent.json(), json!({ "requestDetails": { "data": data() } }));
}

#[tokio::test]
async fn a_registration_is_fetched() {
    let server = Server::answering(200, &registered()).await;
    let answer = server
        .basic()
        .get_registration(&id("o1"))
        .await
        .expect("an answer");
    assert_eq!(shown::registration(&answer.content), registered());
    let sent = server.sent();
    assert_eq!(
        sent.line,
        "GET /v1/projects/p1/numberOrders/o1/registration"
    );
    sent.has_nothing_else();
}

#[tokio::test]
async fn data_is_read_where_older_descriptions_have_it() {
    for (body, expected) in [
        (json!({ "data": [1] }), Some(json!([1]))),
        (
            json!({ "requestDetails": {}, "data": [1] }),
            Some(json!([1])),
        ),
        (
            json!({ "requestDetails": { "data": [2] }, "data": [1] }),
            Some(json!([2])),
        ),
        (
            json!({ "requestDetails": { "data": { "a": 1 } } }),
            Some(json!({ "a": 1 })),
        ),
        (json!({ "requestDetails": {} }), None),
        (json!({ "requestDetails": null }), None),
    ] {
        let server = Server::answering(200, &body).await;
        let answer = server.basic().get_registration(&id("o1")).await;
        let found = answer.expect("an answer").content.data();
        assert_eq!(found, expected.map(RegistrationData::new), "{body}");
    }
}

#[tokio::test]
async fn personal_data_stays_out_of_debug() {
    let server = Server::answering(200, &registered()).await;
    let form = RegistrationData::new(data());
    let answer = server
        .basic()
        .put_registration(&id("o1"), &form)
        .await
        .expect("an answer");
    let parts = (
        answer.content.attachments(),
        answer.content.logs(),
        answer.content.data(),
    );
    let said = format!(
        "{form:?} {answer:?} {parts:?} {:?}",
        answer.content.request_details()
    );
    for private in [PRIVATE, "Umeå", "letter", "Dear", "Passport"] {
        assert!(!said.contains(private), "{said}");
    }
}
