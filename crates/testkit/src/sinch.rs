//! Sinch, played by the simulator.

use std::time::Duration;

use number_order::{Id, State};
use secrecy::SecretString;
use sinch_simulator::{Options, OrderHistory, Simulator, World};

use crate::{ALLOWED, KEY_ID, KEY_SECRET, PATIENCE, SECRET, Settings, now};

/// Makes an id from a text that is known to be valid as one.
pub fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

/// Returns the history of an order that entered the given states, each at its number of milliseconds after the start.
pub fn order_history(order: &str, history: &[(u64, State)]) -> OrderHistory {
    let entered = |(at, state): &(u64, State)| (Duration::from_millis(*at), *state);
    OrderHistory::new(id(order), history.iter().map(entered).collect())
}

/// Starts a simulator that plays a world, and sets its addresses in the settings. Callbacks wait until a URL for them
/// is set.
pub async fn play(world: World, settings: Settings) -> (Simulator, Settings) {
    let simulator = Simulator::start(Options {
        world,
        listen: (ALLOWED, 0).into(),
        callback_url: None,
        secret: SecretString::from(SECRET),
        key_id: KEY_ID.to_owned(),
        key_secret: SecretString::from(KEY_SECRET),
        now,
        senders: 8,
        retry_for: PATIENCE,
    })
    .await
    .expect("the simulator starts");
    let settings = settings
        .set("sinch.api_url", simulator.api_url())
        .set("sinch.token_url", simulator.token_url());
    (simulator, settings)
}
