//! Requests as they arrive, taken apart so that they can be compared as data.

use reqwest::Url;
use serde_json::Value;

use super::server::{Reply, Server};
use super::*;

/// The last request that a server has seen.
pub struct Sent {
    /// Method and path, as they stand in the request: `GET /v1/projects/p1/availableRegions`.
    pub line: String,
    /// Query as it stands in the request.
    pub raw_query: String,
    /// Decoded parameters, sorted.
    pub query: Vec<(String, String)>,
    /// Header lines, with their names in lower case.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Sent {
    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        let media_type = "content-type: application/json".to_owned();
        assert!(self.headers.contains(&media_type), "{:?}", self.headers);
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Asserts that the request has neither a query nor a body.
    pub fn has_nothing_else(&self) {
        assert_eq!((self.raw_query.as_str(), self.body.len()), ("", 0));
        let is_described = |line: &String| line.starts_with("content-type:");
        assert!(!self.headers.iter().any(is_described), "{:?}", self.headers);
    }
}

impl Server {
    /// Starts a server whose every answer has this status and this JSON.
    pub async fn answering(status: u16, json: &Value) -> Server {
        let json = json.to_string();
        Server::start(move |_, _| Reply::new(status, "Content-Type: application/json\r\n", &json))
            .await
    }

    /// Returns the last request.
    pub fn sent(&self) -> Sent {
        let seen = self.seen.lock().expect("no panic");
        let request = seen.requests.last().expect("a request");
        let body = seen.bodies.last().expect("a body").clone();
        let mut lines = request.lines();
        let line = lines.next().expect("a line");
        let (method, target) = line.split_once(' ').expect("a method");
        let target = target.strip_suffix(" HTTP/1.1").expect("a version");
        let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        let decoded = Url::parse(&format!("http://x{target}")).expect("a URL");
        let mut query: Vec<(String, String)> = decoded.query_pairs().into_owned().collect();
        query.sort();
        Sent {
            line: format!("{method} {path}"),
            raw_query: raw_query.to_owned(),
            query,
            headers: lines
                .take_while(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
            body,
        }
    }
}

/// Returns parameters, sorted.
pub fn parameters(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut parameters: Vec<(String, String)> = pairs.iter().map(owned).collect();
    parameters.sort();
    parameters
}

pub fn number(text: &str) -> PhoneNumber {
    PhoneNumber::new(text).expect("a number")
}
