//! Requirements of numbers.

use serde_json::{Value, json};

use super::*;

fn attachment(id: &str) -> Value {
    json!({
        "id": id, "title": "Letter", "description": "Signed.", "mandatory": true,
        "template": [{ "name": "letter.rtf", "url": "https://a.test/letter.rtf" }],
        "allowedMimeTypes": ["application/pdf", "application/pdf"], "allowedDocumentTypes": ["Passport"],
    })
}

async fn look_up(status: u16, body: &Value) -> (Server, Result<Lookup, CallError>) {
    let server = Server::answering(status, body).await;
    let lookup = server
        .basic()
        .look_up_requirements("SE", &NumberType::MOBILE)
        .await;
    (server, lookup)
}

async fn required(body: &Value) -> Requirements {
    match look_up(200, body).await.1 {
        Ok(Lookup::Requirements(answer)) => answer.content,
        other => panic!("no requirements: {other:?}"),
    }
}

#[tokio::test]
async fn a_lookup_names_region_and_type() {
    let (server, lookup) = look_up(200, &json!({})).await;
    assert!(matches!(lookup, Ok(Lookup::Requirements(_))));
    let sent = server.sent();
    assert_eq!(
        sent.line,
        "POST /v1/projects/p1/numberOrders:lookupNumberRequirements"
    );
    assert_eq!(sent.raw_query, "");
    assert_eq!(
        sent.json(),
        json!({ "regionCode": "SE", "numberType": "MOBILE" })
    );
}

#[tokio::test]
async fn fields_are_kept_byte_for_byte() {
    let fields = r#"{ "rules" : [ {"template": {"maxLength": 1e2}}, "a word" ] , "schema":"s" }"#;
    let body = format!(r#"{{"fields":{fields},"attachments":[]}}"#);
    let server = Server::start(move |_, _| Reply::new(200, "", &body)).await;
    let lookup = server
        .basic()
        .look_up_requirements("SE", &NumberType::MOBILE)
        .await;
    let Ok(Lookup::Requirements(answer)) = lookup else {
        panic!("no requirements: {lookup:?}");
    };
    assert_eq!(answer.content.fields().expect("fields").json(), fields);
}

#[tokio::test]
async fn attachments_are_read_beside_fields_and_inside() {
    let (a, b) = (attachment("a"), attachment("b"));
    for (beside, inside, expected) in [
        (json!([&a]), json!([]), json!([&a])),
        (json!([]), json!([&a]), json!([&a])),
        (json!([&a]), json!([&b, &a]), json!([&a, &b])),
        (
            json!([{ "title": "a" }]),
            json!([{ "title": "a" }]),
            json!([{ "title": "a" }, { "title": "a" }]),
        ),
    ] {
        let fields = json!({ "rules": [1], "attachments": inside });
        let required = required(&json!({ "fields": fields, "attachments": beside })).await;
        let shown = shown::requirements(&required);
        assert_eq!(shown["fields"], fields);
        assert_eq!(shown::meaningful(&shown["attachments"]), expected);
    }
}

#[tokio::test]
async fn only_the_404_about_requirements_means_that_nothing_is_required() {
    let refused = |name: &str| {
        json!({ "error": { "code": 404, "message": "none", "status": "NOT_FOUND", "details": [
            { "type": "ResourceInfo", "resourceType": "NumberProduct", "resourceName": name },
        ] } })
    };
    let of_requirements = refused("numberRequirements");
    let (_, lookup) = look_up(404, &of_requirements).await;
    let Ok(Lookup::NothingRequired(refusal)) = lookup else {
        panic!("something is required: {lookup:?}");
    };
    assert_eq!(refusal.message().as_deref(), Some("none"));
    for (status, body) in [
        (404, refused("p1")),
        (404, json!({ "error": { "code": 404, "details": [] } })),
        (404, json!({ "error": "numberRequirements" })),
        (400, of_requirements),
    ] {
        let error = look_up(status, &body).await.1.expect_err("an error");
        assert_eq!(error.call, Call::LookUpRequirements);
        let kept = error.refusal.expect("a refusal");
        assert_eq!(kept.object().json(), body.to_string());
    }
}
