//! Tests of ordering from outside, over HTTP.

mod active_numbers;
mod callbacks;
mod faults;
mod readings;
mod refusals;

use reqwest::RequestBuilder;
use serde_json::json as object;

use super::*;
use crate::ordering::tests::{LETTER, au, form, plain};
use crate::ordering::{PlacedOrder, Script};

const NUMBER: &str = "+61491571000";

fn quick(change: impl FnOnce(&mut Script)) -> Script {
    let brief = Duration::from_millis(5);
    let mut script = Script::by_seed(1);
    script.readings = plain();
    let pace = &mut script.pace;
    (pace.pickup, pace.review, pace.upload) = (brief, brief, brief);
    (pace.activation, pace.provisioning) = (brief, brief);
    change(&mut script);
    script
}

fn empty_world() -> World {
    World::from_orders(project(), [])
}

async fn caller(change: impl FnOnce(&mut Script)) -> Caller {
    let simulator = Simulator::start_with(options(empty_world()), quick(change));
    Caller::of(simulator.await.expect("starts")).await
}

impl Caller {
    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().expect("a method");
        let base = self.simulator.api_url();
        let url = format!("{base}/v1/projects/{}/{path}", project());
        self.client.request(method, url).bearer_auth(&self.token)
    }

    /// Sends a body as JSON; `null`: none.
    async fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, body)
    }

    async fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    async fn create(&self, body: &Value) -> String {
        let order = self
            .ok("POST", "numberOrders:createNumberOrder", body)
            .await;
        order["idNumberOrder"].as_str().expect("an id").to_owned()
    }

    async fn register(&self, order: &str, purpose: &str) {
        let path = format!("numberOrders/{order}/registration");
        self.ok("PUT", &path, &form(purpose)).await;
    }

    async fn upload(&self, order: &str, size: usize) -> (u16, String) {
        let path = format!("numberOrders/{order}/attachments/{LETTER}");
        let body = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"letter.pdf\"\r\n\
             Content-Type: application/pdf\r\n\r\n{}\r\n--edge\r\n\
             Content-Disposition: form-data; name=\"documentType\"\r\n\r\nLetter\r\n--edge--\r\n",
            "x".repeat(size)
        );
        let request = self.request("POST", &path);
        let request = request.header("content-type", "multipart/form-data; boundary=edge");
        let response = request.body(body).send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.text().await.expect("a body"))
    }

    async fn submit(&self, order: &str) -> Value {
        let path = format!("numberOrders/{order}/submit");
        self.ok("POST", &path, &Value::Null).await
    }

    /// Places an order, from create to submit.
    async fn place(&self, purpose: &str) -> String {
        let order = self.create(&au(NUMBER)).await;
        self.register(&order, purpose).await;
        assert_eq!(self.upload(&order, 9).await, (200, String::new()));
        self.submit(&order).await;
        order
    }

    /// Asks until the answer is as wanted.
    async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        within(async {
            loop {
                let (_, answer) = self.call("GET", path, &Value::Null).await;
                if wanted(&answer) {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    async fn until_state(&self, order: &str, state: &str) {
        let path = format!("numberOrders/{order}");
        self.until(&path, |order| order["state"] == state).await;
    }

    fn orders(&self) -> Vec<PlacedOrder> {
        self.simulator.ordering().orders()
    }
}

/// Callback that came: path, body, and the secret that signed it.
type Came = (String, Value, Option<&'static str>);

const OLD: &str = "a simulated secret";
const NEW: &str = "another-secret-of-32-characters-";

async fn keep(
    came: Shared<Arc<Mutex<Vec<Came>>>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) {
    let signed_by = [OLD, NEW].into_iter().find(|secret| {
        let secrets = [SecretString::from(*secret)];
        signature::verify(&secrets, &body, headers[signature::HEADER].as_bytes())
    });
    let body = serde_json::from_slice(&body).expect("JSON");
    lock(&came).push((uri.path().to_owned(), body, signed_by));
}

/// Returns a list of the callbacks that come, and the base URL to which they must be sent.
async fn any_path() -> (Arc<Mutex<Vec<Came>>>, String) {
    let came = Arc::new(Mutex::default());
    let router = Router::new().fallback(keep).with_state(came.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (came, url)
}

async fn until_came(came: &Arc<Mutex<Vec<Came>>>, n: usize) -> Vec<Came> {
    within(async {
        while lock(came).len() < n {
            tokio::task::yield_now().await;
        }
    })
    .await;
    lock(came).clone()
}
