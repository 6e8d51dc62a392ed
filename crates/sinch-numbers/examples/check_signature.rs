//! Checks the signature of a callback's body on standard input, and prints what the callback says.
//!
//! ```text
//! export SINCH_PROJECT=… SINCH_CALLBACK_SECRET=…
//! cargo run -p sinch-numbers --example check_signature -- SIGNATURE < body.json
//! ```
//!
//! `SIGNATURE` is the value of the header `X-Sinch-Signature`. Without it, the example prints the signature that Sinch
//! would send.

use std::env;
use std::error::Error;
use std::io::{Read, stdin};

use number_order::Id;
use secrecy::SecretString;
use sinch_numbers::callback::{self, Content};
use sinch_numbers::signature;

fn main() -> Result<(), Box<dyn Error>> {
    let secret = SecretString::from(variable("SINCH_CALLBACK_SECRET")?);
    // The signature is over the bytes as they came: parse a body only afterwards, and never write it anew to check it.
    let mut body = Vec::new();
    stdin().read_to_end(&mut body)?;
    let Some(shown) = env::args().nth(1) else {
        println!("{}", signature::sign(&secret, &body));
        return Ok(());
    };
    // Several secrets may be in force while one is replaced.
    if !signature::verify(&[secret], &body, shown.as_bytes()) {
        return Err("not Sinch's: the signature does not fit the body and the secret".into());
    }

    let project = Id::new(variable("SINCH_PROJECT")?).ok_or("SINCH_PROJECT: no project's id")?;
    match callback::parse(&body, &project).content {
        Content::Order { order, status, .. } => println!("genuine: order {order} is {status}"),
        Content::Other { resource_type } => println!("genuine: about {resource_type}, no order"),
        Content::NotUnderstood(why) => println!("genuine, but not understood: {why}"),
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}
