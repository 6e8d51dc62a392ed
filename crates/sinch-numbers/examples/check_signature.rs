//! Checks the signature of a callback's body on standard input, and prints what the callback says.
//!
//! ```text
//! export SINCH_CALLBACK_SECRET=…
//! cargo run -p sinch-numbers --example check_signature -- SIGNATURE < body.json
//! ```
//!
//! `SIGNATURE` is the value of the header `X-Sinch-Signature`. Without it, the example prints the signature that Sinch
//! would send.

use std::env;
use std::error::Error;
use std::io::{Read, stdin};

use secrecy::SecretString;
use sinch_numbers::callback::{Callback, NUMBER_ORDER};
use sinch_numbers::{Property, signature};

fn main() -> Result<(), Box<dyn Error>> {
    let secret = SecretString::from(variable("SINCH_CALLBACK_SECRET")?);
    // The signature is over the bytes as they arrived. Parse a body only afterwards, and never serialize it again to
    // check it.
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

    // Even a genuine callback may have any content: unknown types and words are normal.
    match Callback::read(&body) {
        Ok(said) => {
            let text = |property: &Property| property.text().unwrap_or("?").to_owned();
            let (id, status) = (text(&said.resource_id), text(&said.status));
            match said.resource_type.text() {
                Some(NUMBER_ORDER) => println!("genuine: order {id} is {status}"),
                other => println!("genuine: about {other:?}, no order"),
            }
        }
        Err(why) => println!("genuine, but not understood: {why}"),
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}
