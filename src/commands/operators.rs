//! Requests that commands send to the running service, over the operators' listener that is configured.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::shown;
use crate::config;

/// Maximum time for which a connection waits for the next request: the service may close one that waits for longer.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// Failure of a request to the service, in words for the person at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceError {
    kind: FailureKind,
    reason: String,
}

/// Kind of a failure of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailureKind {
    /// No complete answer came: the service may have done what was requested.
    NotAnswered,
    /// The service answered, with another status than success.
    Answered(StatusCode),
}

impl ServiceError {
    /// Returns `true` if the service may well answer the same request later: it is not there, or in trouble.
    pub fn is_passing(&self) -> bool {
        match self.kind {
            FailureKind::NotAnswered => true,
            FailureKind::Answered(status) => {
                status.is_server_error()
                    || status == StatusCode::REQUEST_TIMEOUT
                    || status == StatusCode::TOO_MANY_REQUESTS
            }
        }
    }

    /// Returns `true` if the service answered that it is not able to do what was requested (503).
    pub fn is_unavailable(&self) -> bool {
        self.kind == FailureKind::Answered(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// Returns `true` if the service refuses the request because of what it knows (409).
    pub fn is_conflict(&self) -> bool {
        self.kind == FailureKind::Answered(StatusCode::CONFLICT)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl From<ServiceError> for String {
    fn from(error: ServiceError) -> String {
        error.reason
    }
}

/// Sends a request to the running service, and returns the text of a successful answer.
///
/// # Errors
///
/// Fails if the service cannot be reached or refuses.
pub(super) async fn send(
    operators: &config::Operators,
    method: Method,
    path: &str,
    body: Vec<u8>,
    timeout: Duration,
) -> Result<String, ServiceError> {
    let (status, text) = exchange(operators, method, path, body, timeout).await?;
    text_of_success(operators, status, text)
}

/// Asks the running service for something, and returns the text of the answer; `None` if there is no such thing.
///
/// # Errors
///
/// Fails if the service cannot be reached or refuses.
pub(super) async fn find(
    operators: &config::Operators,
    path: &str,
    timeout: Duration,
) -> Result<Option<String>, ServiceError> {
    match exchange(operators, Method::GET, path, Vec::new(), timeout).await? {
        (StatusCode::NOT_FOUND, _) => Ok(None),
        (status, text) => text_of_success(operators, status, text).map(Some),
    }
}

/// Returns a request to the service, with the token that it wants.
pub(super) fn request(
    operators: &config::Operators,
    method: Method,
    path: &str,
) -> Result<reqwest::RequestBuilder, ServiceError> {
    let address = reachable(operators.listen);
    let request = client()?.request(method, format!("http://{address}{path}"));
    Ok(match &operators.token {
        Some(token) => request.bearer_auth(token.expose_secret()),
        None => request,
    })
}

/// Sends a request, and returns the status and the text of the answer.
async fn exchange(
    operators: &config::Operators,
    method: Method,
    path: &str,
    body: Vec<u8>,
    timeout: Duration,
) -> Result<(StatusCode, String), ServiceError> {
    let address = reachable(operators.listen);
    let request = request(operators, method, path)?.timeout(timeout);
    let failed = |error: reqwest::Error| not_answered(address, &error);
    let answer = request.body(body).send().await.map_err(failed)?;
    let status = answer.status();
    Ok((status, answer.text().await.map_err(failed)?))
}

/// Returns the failure of a request to which no complete answer came.
pub(super) fn not_answered(address: SocketAddr, error: &reqwest::Error) -> ServiceError {
    if error.is_timeout() {
        return not_in_time(address);
    }
    let reason = if error.is_connect() {
        format!("no service can be reached at {address}; does it run, with this configuration?")
    } else {
        format!("the service at {address} broke off before its answer was complete")
    };
    ServiceError {
        kind: FailureKind::NotAnswered,
        reason,
    }
}

pub(super) fn not_in_time(address: SocketAddr) -> ServiceError {
    ServiceError {
        kind: FailureKind::NotAnswered,
        reason: format!("the service at {address} does not answer in time"),
    }
}

/// Returns the client of this process. Its connections are used again by the next request.
fn client() -> Result<reqwest::Client, ServiceError> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client.clone());
    }
    // Any client needs a TLS provider, even one that will not encrypt.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built = reqwest::Client::builder()
        .no_proxy()
        .pool_idle_timeout(IDLE_MAX)
        .build();
    let client = built.map_err(|error| ServiceError {
        kind: FailureKind::NotAnswered,
        reason: error.to_string(),
    })?;
    Ok(CLIENT.get_or_init(|| client).clone())
}

/// Returns the text of the service's answer if it says success, or else the reason in words.
fn text_of_success(
    operators: &config::Operators,
    status: StatusCode,
    text: String,
) -> Result<String, ServiceError> {
    if status.is_success() {
        Ok(text)
    } else {
        Err(refusal(operators, status, &text))
    }
}

/// Returns the failure of a request that the service refuses.
pub(super) fn refusal(
    operators: &config::Operators,
    status: StatusCode,
    text: &str,
) -> ServiceError {
    let no_token = operators.token.is_none() && status == StatusCode::UNAUTHORIZED;
    let reason = if no_token {
        "the service wants a token; set SINCH_CALLBACKS_OPERATORS__TOKEN_FILE to a file that holds it".to_owned()
    } else {
        let answer = || {
            let answer = format!("it answers {status} {}", shown::short(text));
            answer.trim_end().to_owned()
        };
        refusal_in_words(text).unwrap_or_else(answer)
    };
    ServiceError {
        kind: FailureKind::Answered(status),
        reason,
    }
}

/// Returns the detail of a refusal by the service, or else its title.
fn refusal_in_words(problem: &str) -> Option<String> {
    let problem: Value = serde_json::from_str(problem).ok()?;
    let text = |name: &str| problem.get(name)?.as_str().map(shown::lines);
    text("detail").or_else(|| text("title"))
}

/// Returns the address at which to reach the service. One that listens on all addresses is reached on loopback.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_time_can_cure_is_outlasted() {
        let answered =
            |status| FailureKind::Answered(StatusCode::from_u16(status).expect("a status"));
        for (kind, is_passing) in [
            (FailureKind::NotAnswered, true),
            (answered(500), true),
            (answered(503), true),
            (answered(429), true),
            (answered(401), false),
            (answered(404), false),
            (answered(409), false),
            (answered(422), false),
        ] {
            let reason = String::new();
            let error = ServiceError { kind, reason };
            assert_eq!(error.is_passing(), is_passing, "{kind:?}");
        }
    }

    #[test]
    fn a_wildcard_address_is_reached_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:9090", "127.0.0.1:9090"),
            ("[::]:9090", "[::1]:9090"),
            ("127.0.0.2:9090", "127.0.0.2:9090"),
        ] {
            let reached = reachable(listen.parse().expect("an address"));
            assert_eq!(reached.to_string(), asked);
        }
    }
}
