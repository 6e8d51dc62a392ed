//! Fetches one order from Sinch and prints what Sinch shows of it.
//!
//! ```text
//! export SINCH_PROJECT=… SINCH_KEY_ID=… SINCH_KEY_SECRET=…
//! cargo run -p sinch-numbers --example get_order -- ORDER
//! ```
//!
//! `SINCH_API_URL` and `SINCH_TOKEN_URL` name other addresses than Sinch's, such as those that `sinch-callbacks simulate`
//! prints.

use std::env;
use std::error::Error;
use std::time::Duration;

use number_order::{Answer, Id};
use secrecy::SecretString;
use sinch_numbers::api::{Access, Auth, Client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let order = env::args()
        .nth(1)
        .ok_or("say which: … get_order -- ORDER")?;
    let order = Id::new(order).ok_or("this is no order's id")?;
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
        proxy_from_environment: true,
    };

    // One client serves all fetches of a project: it keeps its connections and its token.
    let client = Client::new(project, access)?;
    match client.get_order(&order).await {
        Ok(Answer::Found(shown)) => {
            println!("{order} is {} since {}", shown.state, shown.updated_at);
            if let Some(expires_at) = shown.expires_at {
                println!("its reservation expires at {expires_at}");
            }
        }
        Ok(Answer::NotFound) => println!("Sinch does not know {order}"),
        // The error says whose fault it seems to be, so that a caller knows what is worth another attempt.
        Err(error) => return Err(format!("{error} ({:?} at fault)", error.whose()).into()),
    }
    Ok(())
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
