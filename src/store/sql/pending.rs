//! Pending deliveries, and the orders that they wait for.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::orders;
use super::unreadable::JsonRow;
use crate::store::UnreadableRow;
use crate::store::apply::Waiting;
use number_order::{Event, Id, Status, Time};

/// An order as a delivery's row names it: its project's row, and the order's id at Sinch.
pub(in crate::store) type OrderRef = (i64, String);

/// Phase of a delivery in the inbox, as the schema has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Waiting,
    Processed,
    Recorded,
    Parked,
}

/// A pending delivery, as the inbox worker reads it.
#[derive(Deserialize)]
pub(in crate::store) struct PendingDelivery {
    pub id: i64,
    phase: Phase,
    project: i64,
    #[serde(deserialize_with = "sinch_id")]
    order_sinch_id: Option<Id>,
    dedup_key: String,
    status: Option<String>,
    said_at: Option<i64>,
    received_at: i64,
}

impl JsonRow for PendingDelivery {
    const TABLE: &'static str = "deliveries";
    const COLUMNS: &'static str =
        "id, phase, project, order_sinch_id, dedup_key, status, said_at, received_at";
}

fn sinch_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Id>, D::Error> {
    let sinch_id = Option::<String>::deserialize(from)?;
    sinch_id.map(orders::known_id).transpose()
}

/// Groups the deliveries that wait by their orders. Those that name no order or no state join the unreadable ones.
pub(in crate::store) fn by_order(
    found: Vec<PendingDelivery>,
    unreadable: &mut Vec<UnreadableRow>,
) -> BTreeMap<OrderRef, Vec<Waiting>> {
    let mut waiting: BTreeMap<OrderRef, Vec<Waiting>> = BTreeMap::new();
    for found in found {
        if found.phase != Phase::Waiting {
            continue;
        }
        let (Some(order_sinch_id), Some(status)) = (found.order_sinch_id, found.status) else {
            unreadable.push(UnreadableRow {
                table: PendingDelivery::TABLE,
                row: found.id,
                project: None,
                order: None,
                reason: "it waits, and names no order or no state".to_owned(),
            });
            continue;
        };
        let order = (found.project, order_sinch_id.to_string());
        waiting.entry(order).or_default().push(Waiting {
            id: found.id,
            dedup_key: found.dedup_key,
            event: Event {
                status: Status::from_word(&status),
                said_at: found.said_at.map(Time),
                received_at: Time(found.received_at),
            },
        });
    }
    waiting
}
