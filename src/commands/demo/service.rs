//! The service as an operator sees it, over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

use number_order::{Id, State, Time};

/// Failure of a request to the operators' API.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("the service did not answer: {0}")]
    Request(#[from] reqwest::Error),
    #[error("the service's answer could not be read: {0}")]
    Answer(#[from] serde_json::Error),
}

/// Order with its history, as far as a story needs it.
#[derive(Debug, Deserialize)]
pub struct OrderView {
    pub order: String,
    pub confirmed: Option<String>,
    pub deliveries: Vec<DeliveryView>,
    pub fetches: Vec<FetchView>,
}

/// Event that the service received, and what it decided.
#[derive(Debug, Deserialize)]
pub struct DeliveryView {
    pub event: String,
    #[serde(deserialize_with = "time")]
    pub received_at: Time,
    #[serde(deserialize_with = "text_if_any")]
    pub decision: Option<String>,
}

/// Attempt of the service to fetch the order, and its outcome.
#[derive(Debug, Deserialize)]
pub struct FetchView {
    #[serde(deserialize_with = "time")]
    pub fetched_at: Time,
    pub state: Option<String>,
    #[serde(deserialize_with = "text")]
    pub outcome: String,
}

/// A code of the operators' API: only its sentence is printed.
#[derive(Deserialize)]
struct Code {
    text: String,
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(Code::deserialize(from)?.text)
}

fn text_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Code>::deserialize(from)?.map(|code| code.text))
}

/// Page of the list of orders, with the properties that the demo reads.
#[derive(Deserialize)]
struct Page {
    items: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    order: String,
    confirmed: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    deliveries_parked: u64,
}

/// Client of the operators' API.
pub struct Service {
    http: reqwest::Client,
    url: String,
}

impl Service {
    /// Makes a client of the operators' API at the given address.
    pub fn new(operators: SocketAddr) -> Result<Service, ServiceError> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://{operators}");
        Ok(Service { http, url })
    }

    /// Returns the base address of the operators' API, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ServiceError> {
        let response = self.http.get(format!("{}{path}", self.url)).send().await?;
        let response = response.error_for_status()?;
        Ok(serde_json::from_slice(&response.bytes().await?)?)
    }

    /// Returns `true` if the service knows an order.
    pub async fn has_orders(&self) -> Result<bool, ServiceError> {
        let orders: Page = self.get("/api/v1/orders?limit=1").await?;
        Ok(!orders.items.is_empty())
    }

    /// Returns the number of orders whose true state is confirmed.
    pub async fn agreeing(&self, ends: &BTreeMap<Id, State>) -> Result<usize, ServiceError> {
        let orders: Page = self.get("/api/v1/orders?limit=1000").await?;
        let confirmed: BTreeMap<String, Option<String>> = orders
            .items
            .into_iter()
            .map(|row| (row.order, row.confirmed))
            .collect();
        let is_confirmed = |(id, state): &(&Id, &State)| {
            let shown = confirmed.get(id.as_str()).and_then(Option::as_deref);
            shown == Some(state.as_str())
        };
        Ok(ends.iter().filter(is_confirmed).count())
    }

    /// Returns the order with its history; `None` where the service does not know the order.
    pub async fn order(&self, id: &Id) -> Result<Option<OrderView>, ServiceError> {
        let shown = self.get(&format!("/api/v1/orders/{id}")).await;
        match shown {
            Ok(view) => Ok(Some(view)),
            Err(ServiceError::Request(error)) if error.status().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the number of callbacks that could not be read.
    pub async fn parked(&self) -> Result<u64, ServiceError> {
        let status: Status = self.get("/status").await?;
        Ok(status.deliveries_parked)
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = String::deserialize(deserializer)?;
    let at: Timestamp = text.parse().map_err(D::Error::custom)?;
    Ok(at.into())
}
