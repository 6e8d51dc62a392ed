//! The collector, as it is reached by the program's HTTP client.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use reqwest::{Client, redirect};
use tokio::runtime::Handle;

use crate::traces::TracesError;

/// Maximum size of an answer that is read. It says how many spans of a batch were refused, and why.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

/// Client of the collector. Batches are sent from a thread without a runtime, so requests run on that of the program.
#[derive(Clone, Debug)]
pub(super) struct Collector {
    client: Client,
    runtime: Handle,
    /// Reason for which the last request failed.
    failure: Arc<Mutex<Option<String>>>,
}

impl Collector {
    /// Returns a client that ends a request after the time-out. Must be called on the program's runtime.
    ///
    /// Makes ring the process's TLS provider unless there is one already.
    ///
    /// # Errors
    ///
    /// Fails if the system has no CA certificates.
    pub fn new(timeout: Duration) -> Result<Collector, TracesError> {
        // This fails only if a provider is already installed, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(timeout)
            // The peer that answers could lead the headers, which may hold a token, anywhere.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .build()
            .map_err(|_| TracesError::Http)?;
        Ok(Collector {
            client,
            runtime: Handle::current(),
            failure: Arc::default(),
        })
    }

    /// Takes the reason for which the last request failed, in words.
    pub fn take_failure(&self) -> Option<String> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        // A panic elsewhere cannot leave the text half written.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        for value in request.headers_mut().values_mut() {
            value.set_sensitive(true);
        }
        let sending = self.runtime.spawn(send(self.client.clone(), request));
        let answered = sending.await.map_err(HttpError::from).flatten();
        let failure = match &answered {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status().as_u16())),
            Err(error) => Some(root_cause(error.as_ref())),
        };
        *self.lock() = failure;
        answered
    }
}

/// Sends a request, and returns the answer with the beginning of its body.
async fn send(client: Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let request = reqwest::Request::try_from(request).map_err(reqwest::Error::without_url)?;
    let answered = client.execute(request).await;
    let mut answered = answered.map_err(reqwest::Error::without_url)?;
    let mut body = BytesMut::new();
    while body.len() < ANSWER_MAX_BYTES
        && let Some(chunk) = answered
            .chunk()
            .await
            .map_err(reqwest::Error::without_url)?
    {
        body.extend_from_slice(&chunk);
    }
    let mut answer = Response::new(body.freeze());
    *answer.status_mut() = answered.status();
    *answer.headers_mut() = std::mem::take(answered.headers_mut());
    Ok(answer)
}

/// Returns the last cause of an error, in words: the system's, where the system is the cause.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
