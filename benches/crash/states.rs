//! States of the orders, compared with Sinch's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use number_order::{Id, State};
use serde_json::json;
use testkit::Service;
use tokio::time::sleep;

/// Maximum time until the orders agree with Sinch after the last kill and the last event.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until every order has its true state and nothing is open. Returns the orders that do not get there in time.
pub async fn settle(service: &Service, truth: &BTreeMap<Id, State>) -> BTreeMap<String, String> {
    let began = Instant::now();
    loop {
        let wrong = wrong(service, truth).await;
        if wrong.is_empty() || began.elapsed() > PATIENCE {
            return wrong;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn wrong(service: &Service, truth: &BTreeMap<Id, State>) -> BTreeMap<String, String> {
    let mut wrong: BTreeMap<String, String> = truth
        .iter()
        .map(|(id, state)| (id.to_string(), format!("nothing, and is {state}")))
        .collect();
    for item in service.list("/api/v1/orders?limit=1000").await {
        let order = item["order"].as_str().expect("an order has an id");
        let state = Id::new(order).and_then(|id| truth.get(&id));
        let settled = item["settled"] == json!(true);
        if settled && item["confirmed"].as_str() == state.map(|state| state.as_str()) {
            wrong.remove(order);
        } else {
            wrong.insert(order.to_owned(), format!("{item}, and is {state:?}"));
        }
    }
    wrong
}
