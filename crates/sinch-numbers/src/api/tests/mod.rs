//! The client against servers that behave well and badly.

mod active_numbers;
mod answers;
mod attachments;
mod available_numbers;
mod callback_configuration;
mod errors;
mod network;
mod orders;
mod published;
mod regions;
mod registration;
mod repetition;
mod requirements;
mod sent;
mod server;
mod shown;
mod tokens;
mod typed;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use super::*;
use number_order::Id;
use server::{Reply, Server};

/// Maximum time that a test waits for what must happen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
const SECRET: &str = "hush-hush";
const PRIVATE: &str = "+61411000111";
const ANSWER_MAX_BYTES: usize = 256 * 1024;

impl Server {
    /// Starts a server whose token endpoint works, with the tokens `token-0`, `token-1` and so on.
    async fn with_tokens(api: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Server {
        Server::start(move |request, nth| {
            if request.starts_with("POST") {
                token(nth)
            } else {
                api(request, nth)
            }
        })
        .await
    }

    fn access(&self, auth: Auth) -> Access {
        Access {
            api_url: url(&self.url),
            auth,
            key_id: "key-1".to_owned(),
            key_secret: SecretString::from(SECRET),
            request_timeout: PATIENCE,
            connect_timeout: PATIENCE,
            answer_max_bytes: ANSWER_MAX_BYTES,
            proxy_from_environment: false,
        }
    }

    fn oauth2(&self) -> Auth {
        Auth::OAuth2 {
            token_url: url(&format!("{}/oauth2/token", self.url)),
        }
    }

    fn client(&self) -> Arc<Client> {
        client(self.access(self.oauth2()))
    }

    fn basic(&self) -> Arc<Client> {
        client(self.access(Auth::Basic))
    }
}

fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

fn url(text: &str) -> Url {
    text.parse().expect("a URL")
}

fn client(access: Access) -> Arc<Client> {
    Arc::new(Client::new(id("p1"), access).expect("a client"))
}

fn token(nth: usize) -> Reply {
    let body = format!(r#"{{"access_token":"token-{nth}","expires_in":3599}}"#);
    Reply::new(200, "", &body)
}

/// Body of an answer that shows an order.
fn body(order: &str) -> String {
    format!(
        r#"{{"projectId":"p1","idNumberOrder":"{order}","state":"BLOCKED","updateTime":"2026-02-03T04:05:06.5Z",
            "expireTime":null,"orderNumbers":[{{"phoneNumber":"{PRIVATE}"}}],"inventedLater":1}}"#
    )
}

fn order(order: &str) -> Reply {
    Reply::new(200, "Content-Type: application/json\r\n", &body(order))
}

/// Returns the answer that the client makes of the body of [`order`].
fn shown(order: &str) -> Result<Answer<NumberOrder<'static>>, RequestError> {
    let body = body(order).into_bytes();
    Ok(Answer {
        sent_at: None,
        content: NumberOrder::read(&body).expect("an object").into_owned(),
        body,
    })
}

async fn error(client: &Client) -> RequestError {
    let answer = client.get_order(&id("o1")).await;
    answer.expect_err("not an answer")
}

fn of_api(failure: Failure) -> RequestError {
    let endpoint = Endpoint::Api;
    RequestError { endpoint, failure }
}

fn of_token(failure: Failure) -> RequestError {
    let endpoint = Endpoint::Token;
    RequestError { endpoint, failure }
}

fn status(status: u16, retry_after_secs: Option<u64>) -> Failure {
    Failure::Status {
        status,
        retry_after: retry_after_secs.map(Duration::from_secs),
    }
}

fn unreadable(status: u16, fault: BodyFault) -> Failure {
    Failure::Unreadable { status, fault }
}
