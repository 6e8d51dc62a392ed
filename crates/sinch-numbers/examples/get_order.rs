//! Fetches one order from Sinch and prints what Sinch shows of it.
//!
//! ```text
//! export SINCH_PROJECT=… SINCH_KEY_ID=… SINCH_KEY_SECRET=…
//! cargo run -p sinch-numbers --example get_order -- ORDER
//! ```
//!
//! `SINCH_API_URL` and `SINCH_TOKEN_URL` name other addresses than Sinch's, such as those that `sinch-callbacks
//! simulate` prints.

use std::env;
use std::error::Error;

use sinch_numbers::api::Failure;
use sinch_numbers::{Id, Property};

mod common;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let order = env::args()
        .nth(1)
        .ok_or("say which: … get_order -- ORDER")?;
    let order = Id::new(order).ok_or("this is no order's id")?;
    let client = common::client()?;
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
