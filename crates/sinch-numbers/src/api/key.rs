//! The access key of a project.

use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};

/// An access key: its id and its secret.
pub(super) struct Key {
    pub id: String,
    pub secret: SecretString,
}

impl Key {
    /// Signs a request with the access key itself.
    pub fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.id, Some(self.secret.expose_secret()))
    }
}
