//! The client of the examples, from the environment.

use std::env;
use std::error::Error;
use std::time::Duration;

use secrecy::SecretString;
use sinch_numbers::Id;
use sinch_numbers::api::{Access, Auth, Client};

/// Returns a client of the project that the environment names.
///
/// # Errors
///
/// Fails if a variable is missing, or its value cannot be used.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let project = Id::new(variable("SINCH_PROJECT")?).ok_or("SINCH_PROJECT: no project's id")?;
    let access = Access {
        api_url: address("SINCH_API_URL", "https://numbers.api.sinch.com")?,
        auth: Auth::OAuth2 {
            token_url: address("SINCH_TOKEN_URL", "https://auth.sinch.com/oauth2/token")?,
        },
        key_id: variable("SINCH_KEY_ID")?,
        key_secret: SecretString::from(variable("SINCH_KEY_SECRET")?),
        request_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(3),
        answer_max_bytes: 256 * 1024,
        proxy_from_environment: true,
    };
    // One client serves all calls of a project: it keeps its connections and its token.
    Ok(Client::new(project, access)?)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

/// Reads an address from the environment, or takes the default. The type is that of [`Access`]'s fields.
fn address<U>(name: &str, default: &str) -> Result<U, String>
where
    U: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = env::var(name).unwrap_or_else(|_| default.to_owned());
    text.parse().map_err(|error| format!("{name}: {error}"))
}
