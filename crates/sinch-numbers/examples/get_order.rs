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

use secrecy::SecretString;
use sinch_numbers::api::{Access, Auth, Client, Failure};
use sinch_numbers::{Id, Property};

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
        answer_max_bytes: 256 * 1024,
        proxy_from_environment: true,
    };

    // One client serves all fetches of a project: it keeps its connections and its token.
    let client = Client::new(project, access)?;
    match client.get_order(&order).await {
        Ok(answer) => {
            let shown = answer.content;
            // A property may be absent or unreadable, and a word may be new: the client says what Sinch said.
            let text = |property: &Property| property.text().unwrap_or("?").to_owned();
            let (state, updated) = (text(&shown.state), text(&shown.update_time));
            println!("{order} is {state} since {updated}");
            if let Some(expires_at) = shown.expire_time.time() {
                println!("its reservation expires at {expires_at}");
            }
        }
        // The failure says what happened, so that a caller knows what is worth another attempt.
        Err(error) if error.failure == Failure::NotFound => println!("Sinch does not know {order}"),
        Err(error) => return Err(error.into()),
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
