//! Asks if a number can be had, and tells the failure in the two ways that an error has: one for a log, one for the
//! person who asked.
//!
//! ```text
//! export SINCH_PROJECT=… SINCH_KEY_ID=… SINCH_KEY_SECRET=…
//! cargo run -p sinch-numbers --example explain_error -- +61411000111
//! ```
//!
//! Any values of the variables will do: a wrong key is a failure too. `SINCH_API_URL` and `SINCH_TOKEN_URL` name other
//! addresses than Sinch's.

use std::env;
use std::error::Error;

use sinch_numbers::api::{PhoneNumber, Repeat};

mod common;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let number = env::args()
        .nth(1)
        .ok_or("say which: … explain_error -- NUMBER")?;
    let number = PhoneNumber::new(number)?;
    let Err(error) = common::client()?.get_available_number(&number).await else {
        println!("the number can be had, so there is no error to tell");
        return Ok(());
    };
    println!("for the log, without a word of Sinch's or of the request:\n{error}");
    println!(
        "\nfor the person who asked, with Sinch's words:\n{}",
        error.told()
    );
    println!(
        "\nfor the program: the same request {}",
        match error.repeat() {
            Repeat::Allowed => "may be sent again",
            Repeat::Forbidden => "would be refused again",
            Repeat::FindOutFirst => "may have taken effect",
        }
    );
    Ok(())
}
