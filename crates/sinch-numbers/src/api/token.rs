//! The OAuth2 token of one access key, which all requests of a client share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::body_fault::BodyFault;
use super::error::{Endpoint, RequestError};
use super::key::Key;
use super::transport::{body, refused};

/// Maximum life of a token, whatever life its issuer states.
const LIFE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Life of a token whose issuer states none.
const LIFE_UNSAID: Duration = Duration::from_secs(300);

/// Maximum margin before a token's expiry, so that no token expires on the way: this, or a tenth of the token's life if
/// that is less.
const MARGIN_MAX: Duration = Duration::from_secs(60);

/// A token, ready to be sent with a request.
#[derive(Clone)]
pub(super) struct Token {
    header: HeaderValue,
    /// Number of the fetch that brought the token. The token's text does not identify the fetch, since the same text
    /// may come twice.
    fetch: u64,
    fresh_until: Instant,
}

impl Token {
    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(AUTHORIZATION, self.header.clone())
    }
}

/// Source of the access key's tokens, and the token in use.
pub(super) struct Tokens {
    url: Url,
    key: Key,
    answer_max_bytes: usize,
    /// Result of the last fetch of a token. Locked while one is in flight.
    last: Mutex<Option<Result<Token, RequestError>>>,
    /// Number of fetches of a token that have ended, readable while another is in flight.
    ended: AtomicU64,
}

impl Tokens {
    pub(super) fn new(url: Url, key: Key, answer_max_bytes: usize) -> Tokens {
        Tokens {
            url,
            key,
            answer_max_bytes,
            last: Mutex::new(None),
            ended: AtomicU64::new(0),
        }
    }

    /// Returns a token that is fresh, and not the `refused` one.
    ///
    /// Callers that wait while another one fetches share its outcome, a failure too: otherwise each would request the
    /// failing endpoint again in turn. A fetch that is dropped half-way has no outcome, and the next caller in line
    /// makes its own.
    pub(super) async fn get(
        &self,
        http: &reqwest::Client,
        refused: Option<&Token>,
    ) -> Result<Token, RequestError> {
        let ended_before = self.ended.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        let ended = self.ended.load(Ordering::Acquire);
        match &*last {
            // The result is never the refused token: the fetch of that one had ended before it could be refused.
            Some(outcome) if ended != ended_before => return outcome.clone(),
            Some(Ok(token))
                if Instant::now() < token.fresh_until
                    && refused.is_none_or(|refused| refused.fetch != token.fetch) =>
            {
                return Ok(token.clone());
            }
            Some(_) | None => {}
        }
        let outcome = self.fetch_token(http, ended + 1).await;
        *last = Some(outcome.clone());
        self.ended.store(ended + 1, Ordering::Release);
        outcome
    }

    async fn fetch_token(&self, http: &reqwest::Client, fetch: u64) -> Result<Token, RequestError> {
        // A token's life is counted from before it was issued, not from its arrival.
        let fetched_at = Instant::now();
        let form = [("grant_type", "client_credentials")];
        let request = self.key.sign(http.post(self.url.clone())).form(&form);
        let response = request
            .send()
            .await
            .map_err(|error| RequestError::from_transport(Endpoint::Token, &error))?;
        if response.status() != StatusCode::OK {
            return Err(refused(Endpoint::Token, &response));
        }
        let body = body(response, Endpoint::Token, self.answer_max_bytes).await?;
        let no_token = || RequestError::unreadable(Endpoint::Token, 200, BodyFault::NoToken);
        let (header, life) = read_grant(&body).ok_or_else(no_token)?;
        Ok(Token {
            header,
            fetch,
            fresh_until: fetched_at + usable_life(life, fastrand::f64()),
        })
    }
}

/// Response of the token endpoint by RFC 6749, section 5.1, as far as it is used.
#[derive(Deserialize)]
struct Grant {
    access_token: String,
    #[serde(default)]
    expires_in: serde_json::Value,
}

/// Returns the token of a response and its life, if the body has a token that can be sent.
fn read_grant(body: &[u8]) -> Option<(HeaderValue, Duration)> {
    let grant: Grant = serde_json::from_slice(body).ok()?;
    let fits = |byte: u8| byte.is_ascii_graphic();
    if grant.access_token.is_empty() || !grant.access_token.bytes().all(fits) {
        return None;
    }
    let mut header = HeaderValue::try_from(format!("Bearer {}", grant.access_token)).ok()?;
    header.set_sensitive(true);
    let life = grant.expires_in.as_u64().map(Duration::from_secs);
    Some((header, life.unwrap_or(LIFE_UNSAID)))
}

/// Returns the part of its life for which a token is used: up to the margin, or a little less, so that tokens that were
/// fetched together are not renewed together. `jitter` is a random number from 0 to 1.
fn usable_life(life: Duration, jitter: f64) -> Duration {
    let life = life.min(LIFE_MAX);
    let margin = (life / 10).min(MARGIN_MAX);
    life.saturating_sub(margin + (margin / 2).mul_f64(jitter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_before_it_expires() {
        let secs = |life, jitter| usable_life(Duration::from_secs(life), jitter).as_secs();
        assert_eq!(secs(3599, 0.0), 3539);
        assert_eq!(secs(3599, 1.0), 3509);
        assert_eq!(secs(100, 0.0), 90);
        assert_eq!(secs(100, 1.0), 85);
        assert_eq!(secs(0, 1.0), 0);
        assert_eq!(secs(u64::MAX, 0.0), 24 * 3600 - 60);
    }

    #[test]
    fn a_grant_is_read_with_or_without_its_life() {
        for (body, secs) in [
            (r#"{"access_token":"t","expires_in":3599}"#, 3599),
            (
                r#"{"access_token":"t","token_type":"bearer","scope":""}"#,
                300,
            ),
            (r#"{"access_token":"t","expires_in":null}"#, 300),
            (r#"{"access_token":"t","expires_in":-1}"#, 300),
        ] {
            let (header, life) = read_grant(body.as_bytes()).expect("a token");
            assert_eq!(header, "Bearer t");
            assert!(header.is_sensitive());
            assert_eq!(life.as_secs(), secs, "{body}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_no_token() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"access_token":""}"#,
            r#"{"access_token":7}"#,
            r#"{"access_token":"a\r\nHost: b"}"#,
            r#"{"access_token":"a b"}"#,
        ] {
            assert!(read_grant(body.as_bytes()).is_none(), "{body}");
        }
    }
}
