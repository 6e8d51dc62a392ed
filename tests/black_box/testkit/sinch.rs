//! Sinch, played by the simulator, and callbacks that it might send.

use std::time::Duration;

use number_order::{Id, State, Time};
use secrecy::SecretString;
use serde_json::json;
use sinch_callbacks::clock;
use sinch_simulator::{Options, OrderHistory, Simulator, World};

use super::{HOME, KEY_ID, KEY_SECRET, PATIENCE, PROJECT, SECRET, Settings};

/// Makes an id of a text that is known to be one.
pub fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

/// History of an order that entered these states, each at its number of milliseconds after the start.
pub fn life(order: &str, history: &[(u64, State)]) -> OrderHistory {
    let entered = |(at, state): &(u64, State)| (Duration::from_millis(*at), *state);
    OrderHistory::new(id(order), history.iter().map(entered).collect())
}

/// Plays a world, and sets its addresses in the settings. Callbacks wait until a URL for them is set.
pub async fn play(world: World, settings: Settings) -> (Simulator, Settings) {
    let simulator = Simulator::start(Options {
        world,
        listen: (HOME, 0).into(),
        callback_url: None,
        secret: SecretString::from(SECRET),
        key_id: KEY_ID.to_owned(),
        key_secret: SecretString::from(KEY_SECRET),
        now: clock::now,
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

/// The body of a callback about an order.
pub fn event(event: &str, order: &str, status: &str, said_at: Time) -> String {
    // Sinch writes no zone.
    let timestamp = said_at.to_string();
    json!({
        "eventId": event,
        "timestamp": timestamp.trim_end_matches('Z'),
        "projectId": PROJECT,
        "resourceType": "NUMBER_ORDER",
        "resourceId": order,
        "eventType": "NUMBER_ORDER_PROCESSING",
        "status": status,
    })
    .to_string()
}

/// The body of a callback about a number.
pub fn about_number(event: &str, resource_type: &str, number: &str) -> String {
    json!({
        "eventId": event,
        "projectId": PROJECT,
        "resourceType": resource_type,
        "resourceId": number,
        "eventType": "PROVISIONING_TO_SMS_PLATFORM",
        "status": "SUCCEEDED",
    })
    .to_string()
}
