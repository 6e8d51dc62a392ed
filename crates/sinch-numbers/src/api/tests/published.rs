//! Samples that Sinch and its SDKs publish. They are no part of this project: the test runs where their folder is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::{Value, json};

use super::sent::{Sent, number, parameters};
use super::shown::meaningful;
use super::*;

/// Variable that names the folder of the samples.
const FOLDER: &str = "SINCH_NUMBERS_SAMPLES";

/// The folder without the variable, below this crate's.
const BESIDE_THE_PROJECT: &str = "../../../shared/fixtures";

/// Folders whose samples are the client's. The others are about callbacks.
const FOLDERS: [&str; 6] = ["auth", "regions", "available", "active", "orders", "errors"];

/// Returns the folder of the samples; `None` if it is not there.
fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join(BESIDE_THE_PROJECT);
    let folder = std::env::var_os(FOLDER).map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    // A test's standard error is kept from view if it passes, and this must be seen.
    let line = format!(
        "NOT TRIED, published samples: no folder {}; {FOLDER} names it",
        folder.display()
    );
    writeln!(std::io::stderr(), "{line}").expect("standard error can be written to");
    None
}

#[tokio::test]
#[ignore = "needs the samples that Sinch publishes"]
async fn published_requests_are_sent_and_published_answers_are_read() {
    let Some(folder) = folder() else { return };
    let mut seen = 0;
    for name in FOLDERS {
        for entry in fs::read_dir(folder.join(name)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let file = path
                .file_name()
                .and_then(|file| file.to_str())
                .expect("a name");
            let sample = fs::read_to_string(&path).expect("a file");
            let sample: Value = serde_json::from_str(&sample).expect("JSON");
            println!("{name}/{file}");
            check(name, file, &sample).await;
            seen += 1;
        }
    }
    assert!(seen > 90, "only {seen} samples");
}

async fn check(folder: &str, file: &str, sample: &Value) {
    if folder == "auth" || file.starts_with("oauth2-token") {
        a_token_is_used(sample).await;
    } else if folder == "errors" {
        a_refusal_is_read(sample).await;
    } else if file.ends_with(".query.json") {
        a_query_is_sent(sample).await;
    } else if file.ends_with(".request.json") {
        a_body_is_sent(folder, file, sample).await;
    } else if file.starts_with("sister-") {
        // The answer of another API, which shows how rules may look. No call of this client has it.
        assert_eq!(file, "sister-registration-policy.response.json");
    } else {
        an_answer_is_read(folder, file, sample).await;
    }
}

async fn a_token_is_used(sample: &Value) {
    let (granted, wanted) = (
        sample.to_string(),
        sample["access_token"].as_str().expect("a text"),
    );
    let server = Server::start(move |request, _| {
        if request.starts_with("POST") {
            Reply::new(200, "", &granted)
        } else {
            order("o1")
        }
    })
    .await;
    let answer = server.client().get_order(&id("o1")).await;
    if wanted.contains(' ') {
        // A placeholder: no token has a blank, and none could be sent.
        assert_eq!(answer, Err(of_token(unreadable(200, BodyFault::NoToken))));
    } else {
        assert_eq!(answer, shown("o1"));
        let header = format!("authorization: Bearer {wanted}");
        assert!(server.sent().headers.contains(&header));
    }
}

async fn a_refusal_is_read(sample: &Value) {
    for status in [400, 404] {
        let server = Server::answering(status, sample).await;
        let lookup = server
            .basic()
            .look_up_requirements("AU", &NumberType::MOBILE)
            .await;
        let refusal = match lookup {
            Ok(Lookup::NothingRequired(refusal)) => {
                let named = &sample["error"]["details"][0]["resourceName"];
                assert_eq!((status, named.as_str()), (404, Some("numberRequirements")));
                refusal
            }
            Ok(Lookup::Requirements(_)) => panic!("{sample} is a refusal"),
            Err(error) => error.refusal.expect("a refusal"),
        };
        assert_eq!(
            meaningful(&super::shown::refusal(&refusal)),
            meaningful(sample)
        );
        let says_something = ["/error/message", "/error/details/0/description", "/detail"];
        let says = says_something
            .iter()
            .filter_map(|at| sample.pointer(at)?.as_str());
        let message = says
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .next();
        let text = sample["error"].as_str().map(str::to_owned);
        assert_eq!(refusal.message(), message.or(text));
    }
}

async fn a_query_is_sent(sample: &Value) {
    let server = Server::answering(200, &json!({})).await;
    let search = typed::search(sample);
    server
        .basic()
        .search_available_numbers(&search)
        .await
        .expect("an answer");
    let pairs = sample.as_object().expect("an object").iter();
    let pairs: Vec<(&str, &str)> = pairs
        .map(|(name, value)| (name.as_str(), value.as_str().expect("a text")))
        .collect();
    assert_eq!(server.sent().query, parameters(&pairs));
}

/// Sends the request that the name of the file tells.
#[expect(
    deprecated,
    reason = "the samples of the deprecated calls are sent as well"
)]
async fn send(client: &Client, file: &str, sample: &Value) -> Result<(), CallError> {
    let call = file.split(['-', '.']).collect::<Vec<_>>();
    let plus = number("+61411000111");
    if call.contains(&"any") {
        client
            .rent_any_number(&typed::any_rental(sample))
            .await
            .map(drop)
    } else if call.contains(&"rent") {
        client
            .rent_number(&plus, &typed::rental(sample))
            .await
            .map(drop)
    } else if call.contains(&"create") {
        client
            .create_order(&typed::new_order(sample))
            .await
            .map(drop)
    } else if call.contains(&"registration") {
        client
            .put_registration(&id("o1"), &typed::registration_data(sample))
            .await
            .map(drop)
    } else if call.contains(&"lookup") {
        let text = |name: &str| sample[name].as_str().expect("a text").to_owned();
        let number_type = NumberType::new(text("numberType"));
        client
            .look_up_requirements(&text("regionCode"), &number_type)
            .await
            .map(drop)
    } else if call.contains(&"callback") {
        let secret = SecretString::from(sample["hmacSecret"].as_str().expect("a text"));
        client
            .update_callback_configuration(&secret)
            .await
            .map(drop)
    } else {
        client
            .update_active_number(&plus, &typed::number_update(sample))
            .await
            .map(drop)
    }
}

async fn a_body_is_sent(folder: &str, file: &str, sample: &Value) {
    let server = Server::answering(200, &json!({})).await;
    send(&server.basic(), file, sample)
        .await
        .expect("an answer");
    let sent: Sent = server.sent();
    assert_eq!(sent.json(), *sample, "{file}");
    let segment = match folder {
        "available" => "/availableNumbers",
        "active" => "/activeNumbers/",
        _ if file.starts_with("callback") => "/callbackConfiguration",
        _ => "/numberOrders",
    };
    assert!(sent.line.contains(segment), "{file}: {}", sent.line);
}

/// Calls what has such an answer, and returns the answer as its methods show it.
async fn shown_again(client: &Client, folder: &str, file: &str) -> Result<Value, CallError> {
    let plus = number("+61411000111");
    Ok(match folder {
        "regions" => super::shown::regions(&client.list_regions(&[]).await?.content),
        "available" if file.contains("search") => {
            let search = typed::search(&json!({ "regionCode": "AU", "type": "MOBILE" }));
            let answer = client.search_available_numbers(&search).await?;
            super::shown::available_numbers(&answer.content)
        }
        "available" if file.contains("get") => {
            let answer = client.get_available_number(&plus).await?;
            super::shown::available_number(&answer.content)
        }
        "active" if file.contains("list") => {
            let answer = client
                .list_active_numbers(&ActiveNumbersQuery::default())
                .await?;
            super::shown::active_numbers(&answer.content)
        }
        "active" | "available" => {
            let answer = client.get_active_number(&plus).await?;
            super::shown::active_number(&answer.content)
        }
        _ if file.contains("registration") => {
            let answer = client.get_registration(&id("o1")).await?;
            super::shown::registration(&answer.content)
        }
        _ if file.contains("callback-configuration") => {
            let answer = client.get_callback_configuration().await?;
            super::shown::callback_configuration(&answer.content)
        }
        _ if file.contains("number-order") => {
            let answer = client.submit_order(&id("o1")).await?;
            super::shown::number_order(&answer.content)
        }
        _ => match client
            .look_up_requirements("AU", &NumberType::MOBILE)
            .await?
        {
            Lookup::Requirements(answer) => super::shown::requirements(&answer.content),
            Lookup::NothingRequired(refusal) => panic!("{file}: {refusal:?}"),
        },
    })
}

async fn an_answer_is_read(folder: &str, file: &str, sample: &Value) {
    // A piece of a number's configuration for calls, as it stands in the whole.
    let is_part = file.ends_with(".part.json");
    let sample = if is_part {
        json!({ "voiceConfiguration": sample })
    } else {
        sample.clone()
    };
    let server = Server::answering(200, &sample).await;
    let shown = shown_again(&server.basic(), folder, file)
        .await
        .expect("an answer");
    let mut expected = sample.clone();
    if expected.pointer("/fields/attachments").is_some() {
        // Attachments inside `fields` are shown beside it too.
        expected["attachments"] = expected["fields"]["attachments"].clone();
    }
    assert_eq!(meaningful(&shown), meaningful(&expected), "{file}");
}
