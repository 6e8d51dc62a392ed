//! Orders: the columns that hold one, and the order that they make.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::codes;
use super::json;
use super::unreadable::JsonRow;
use crate::store::changes::StoredOrder;
use number_order::{
    Confirmed, Hint, Id, Order, OrderKey, ParkReason, Provisional, State, Tie, Time,
};

/// Columns of an order's JSON array, from `orders AS o JOIN projects AS p`. Hints and doubts stay texts within it, so
/// that they can spoil no row but their own.
macro_rules! order_columns {
    () => {
        "o.id, p.sinch_id, o.sinch_id, o.lease, o.leased_until_at, o.heard_at, o.first_seen_at, o.fetch_at, o.fetched_at, \
         o.attempts, o.fetch_requested_at, o.parked, o.parked_fields, o.confirmed_state, o.updated_at, o.shown_at, o.expires_at, \
         o.confirmed_at, o.reopened, o.provisional_state, o.provisional_at, o.hints, o.doubts, o.tie_state, \
         o.tie_since_at, o.missing_since_at, o.dismissed_at"
    };
}
pub(in crate::store) use order_columns;

impl JsonRow for StoredOrder {
    const TABLE: &'static str = "orders";
    const COLUMNS: &'static str = order_columns!();
}

impl<'de> Deserialize<'de> for StoredOrder {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<StoredOrder, D::Error> {
        let text = OrderText::deserialize(from)?;
        StoredOrder::try_from(text).map_err(D::Error::custom)
    }
}

/// The columns of [`order_columns`], in their order.
#[derive(Deserialize)]
struct OrderText {
    id: i64,
    #[serde(deserialize_with = "id")]
    project: Id,
    #[serde(deserialize_with = "id")]
    sinch_id: Id,
    lease: Option<i64>,
    leased_until_at: Option<i64>,
    heard_at: Option<i64>,
    first_seen_at: i64,
    fetch_at: Option<i64>,
    fetched_at: Option<i64>,
    attempts: u32,
    fetch_requested_at: Option<i64>,
    parked: Option<String>,
    parked_fields: Option<String>,
    #[serde(deserialize_with = "read_state")]
    confirmed_state: Option<State>,
    updated_at: Option<i64>,
    shown_at: Option<i64>,
    expires_at: Option<i64>,
    confirmed_at: Option<i64>,
    #[serde(deserialize_with = "flag")]
    reopened: bool,
    #[serde(deserialize_with = "read_state")]
    provisional_state: Option<State>,
    provisional_at: Option<i64>,
    #[serde(deserialize_with = "read_hints")]
    hints: Vec<Hint>,
    #[serde(deserialize_with = "read_hints")]
    doubts: Vec<Hint>,
    #[serde(deserialize_with = "read_state")]
    tie_state: Option<State>,
    tie_since_at: Option<i64>,
    missing_since_at: Option<i64>,
    dismissed_at: Option<i64>,
}

impl TryFrom<OrderText> for StoredOrder {
    type Error = &'static str;

    /// Checks the values of an order's row. An error means that another program wrote the row.
    fn try_from(row: OrderText) -> Result<StoredOrder, &'static str> {
        let confirmed = match row.confirmed_state {
            Some(state) => Some(Confirmed {
                state,
                updated_at: required_time(row.updated_at, "confirmed_state without updated_at")?,
                expires_at: row.expires_at.map(Time),
                confirmed_at: required_time(
                    row.confirmed_at,
                    "confirmed_state without confirmed_at",
                )?,
                shown_at: required_time(row.shown_at, "confirmed_state without shown_at")?,
                reopened: row.reopened,
            }),
            None => None,
        };
        let provisional = match row.provisional_state {
            Some(state) => Some(Provisional {
                state,
                said_at: required_time(
                    row.provisional_at,
                    "provisional_state without provisional_at",
                )?,
            }),
            None => None,
        };
        let tie = match row.tie_state {
            Some(state) => Some(Tie {
                state,
                since: required_time(row.tie_since_at, "tie_state without tie_since_at")?,
            }),
            None => None,
        };
        let parked = park_reason(row.parked.as_deref(), row.parked_fields.as_deref())?;
        let order = Order {
            confirmed,
            provisional,
            hints: row.hints,
            doubts: row.doubts,
            tie,
            missing_since: row.missing_since_at.map(Time),
            fetched_at: row.fetched_at.map(Time),
            fetch_at: row.fetch_at.map(Time),
            attempts: row.attempts,
            fetch_requested_at: row.fetch_requested_at.map(Time),
            parked,
            first_seen_at: Time(row.first_seen_at),
        };
        Ok(StoredOrder {
            id: row.id,
            key: OrderKey {
                project: row.project,
                order: row.sinch_id,
            },
            lease: row.lease.zip(row.leased_until_at.map(Time)),
            heard_at: row.heard_at.map(Time),
            dismissed_at: row.dismissed_at.map(Time),
            order,
        })
    }
}

/// Returns the reason for which an order is parked.
fn park_reason(
    code: Option<&str>,
    fields: Option<&str>,
) -> Result<Option<ParkReason>, &'static str> {
    let parked = code.map(|code| codes::value(code, fields)).transpose();
    parked.map_err(|_| "parked with a reason that this program never writes")
}

/// Returns the time that a row must have, or the fault of the row.
fn required_time(time: Option<i64>, fault: &'static str) -> Result<Time, &'static str> {
    time.map(Time).ok_or(fault)
}

pub(in crate::store) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Id, D::Error> {
    known_id(String::deserialize(from)?)
}

pub(in crate::store) fn known_id<E: Error>(text: String) -> Result<Id, E> {
    Id::new(text).ok_or_else(|| E::custom("an id that this program never writes"))
}

fn read_state<'de, D: Deserializer<'de>>(from: D) -> Result<Option<State>, D::Error> {
    let word = Option::<&str>::deserialize(from)?;
    word.map(known_state).transpose().map_err(D::Error::custom)
}

/// Reads a truth, which some databases keep as an integer.
fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "neither a truth nor an integer")]
    enum Flag {
        Truth(bool),
        Integer(i64),
    }
    Ok(match Flag::deserialize(from)? {
        Flag::Truth(flag) => flag,
        Flag::Integer(number) => number != 0,
    })
}

fn read_hints<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hint>, D::Error> {
    let text = String::deserialize(from)?;
    let hints: Vec<HintText> = serde_json::from_str(&text).map_err(D::Error::custom)?;
    let hints = hints.into_iter().map(Hint::try_from);
    hints.collect::<Result<_, _>>().map_err(D::Error::custom)
}

fn known_state(word: &str) -> Result<State, &'static str> {
    State::from_word(word).ok_or("a state that this program never writes")
}

#[derive(Serialize, Deserialize)]
struct HintText {
    /// State that the hint claims; `null` stands for every word that this program does not know.
    state: Option<String>,
    said_at: Option<i64>,
    heard_at: i64,
}

impl TryFrom<HintText> for Hint {
    type Error = &'static str;

    fn try_from(hint: HintText) -> Result<Hint, &'static str> {
        Ok(Hint {
            state: hint.state.as_deref().map(known_state).transpose()?,
            said_at: hint.said_at.map(Time),
            heard_at: Time(hint.heard_at),
        })
    }
}

/// Returns the text of hints or doubts, as the column holds it.
pub(in crate::store) fn claims_text(claims: &[Hint]) -> String {
    let claims: Vec<HintText> = claims
        .iter()
        .map(|claim| HintText {
            state: claim.state.map(|state| state.as_str().to_owned()),
            said_at: claim.said_at.map(|at| at.0),
            heard_at: claim.heard_at.0,
        })
        .collect();
    json(&claims)
}
