//! Secret with which Sinch signs callbacks: `/callbackConfiguration`.

use std::ops::RangeInclusive;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::object::{Value, object};
use super::request::Request;
use super::transport::Answer;
use crate::Property;

object! {
    /// Configuration of a project's callbacks. It names no address: that is given with each order.
    CallbackConfiguration {
        /// Id of the project that has the secret: `projectId`.
        project_id: Property<'_> = "projectId",
        /// Secret with which Sinch signs the project's callbacks: `hmacSecret`.
        hmac_secret: Option<SecretString> = "hmacSecret",
    }
}

impl Value for SecretString {
    fn from_property(property: &Property<'_>) -> Option<SecretString> {
        property.text().map(SecretString::from)
    }
}

/// Lengths that a new callback secret may have, in characters.
const SECRET_CHARS: RangeInclusive<usize> = 32..=64;

/// Reason why a text should not become a callback secret. It does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no secret as Sinch asks for: 32 to 64 characters, each a letter, a digit or a hyphen")]
pub struct InvalidSecret;

/// Checks a new callback secret against the form that Sinch's documentation asks for. Secrets in use break it, so it is
/// for new ones alone, and the client sends and reads any.
///
/// # Errors
///
/// Fails if the text has another form.
pub fn check_new_secret(secret: &SecretString) -> Result<(), InvalidSecret> {
    let text = secret.expose_secret();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if SECRET_CHARS.contains(&text.len()) && text.bytes().all(fits) {
        Ok(())
    } else {
        Err(InvalidSecret)
    }
}

impl Client {
    /// Fetches the project's secret for callbacks: `GET /callbackConfiguration`. The answer's body has it in clear.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400, 403, 404 and 500.
    pub async fn get_callback_configuration(
        &self,
    ) -> Result<Answer<CallbackConfiguration>, CallError> {
        let request = Request::get(&["callbackConfiguration"]);
        self.call(Call::GetCallbackConfiguration, request).await
    }

    /// Changes the project's secret for callbacks: `PATCH /callbackConfiguration`. Sinch documents no time in which the
    /// old one holds too, so the receiver should accept both first. [`check_new_secret`] says if Sinch's documentation
    /// allows the secret.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400, 403, 404 and 500.
    pub async fn update_callback_configuration(
        &self,
        hmac_secret: &SecretString,
    ) -> Result<Answer<CallbackConfiguration>, CallError> {
        let body = json!({ "hmacSecret": hmac_secret.expose_secret() });
        let request = Request::patch(&["callbackConfiguration"]).json(&body);
        self.call(Call::UpdateCallbackConfiguration, request).await
    }
}
