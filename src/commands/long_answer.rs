//! Long answers of the running service, which may begin late, and whose parts are taken as they come.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use tokio::time::timeout;

use super::operators::{self, ServiceError, not_answered, not_in_time, reachable, refusal};
use crate::config;

/// An answer of the service that is long, whose parts are taken as they come.
pub(super) struct LongAnswer {
    answer: reqwest::Response,
    address: SocketAddr,
    silence_max: Duration,
}

impl LongAnswer {
    /// Returns the text of one of the answer's headers.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.headers().get(name)?.to_str().ok()
    }

    /// Returns the next part; `None` if the answer is complete.
    pub async fn part(&mut self) -> Result<Option<Bytes>, ServiceError> {
        let part = timeout(self.silence_max, self.answer.chunk()).await;
        let part = part.map_err(|_| not_in_time(self.address))?;
        part.map_err(|error| not_answered(self.address, &error))
    }
}

/// Sends a request, of which the answer may be long, and may begin after a long time. Each part of it must come within
/// `silence_max`.
///
/// # Errors
///
/// Fails if the service cannot be reached or refuses.
pub(super) async fn request_long(
    operators: &config::Operators,
    method: Method,
    path: &str,
    silence_max: Duration,
) -> Result<LongAnswer, ServiceError> {
    let address = reachable(operators.listen);
    let request = operators::request(operators, method, path)?;
    let answer = request.send().await;
    let answer = answer.map_err(|error| not_answered(address, &error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(LongAnswer {
            answer,
            address,
            silence_max,
        });
    }
    let text = answer.text().await;
    let text = text.map_err(|error| not_answered(address, &error))?;
    Err(refusal(operators, status, &text))
}
