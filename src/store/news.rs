//! What waits to be looked at. What a delivery says never changes once it is in, so it is read beside the writer.

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::Row;

use super::readers::Readers;
use super::rows;
use crate::order::{Event, Status, Time};

/// A bare parameter as the limit would have SQLite prepare the statement anew each time: it looks at the value
/// to find its plan.
const NEWS: &str = "
    SELECT (SELECT looked_to FROM service), (SELECT coalesce(max(id), 0) FROM deliveries),
        json_group_array(json_array(id, phase = 'waiting', project, order_name, event, status, said_at,
            received_at))
    FROM (SELECT * FROM deliveries WHERE id > (SELECT looked_to FROM service) ORDER BY id LIMIT ? + 0)";

/// The deliveries that have waited longest.
pub(super) struct News {
    /// Deliveries up to this row had been looked at when these were read.
    pub looked_to: i64,
    /// The row of the last one of these; what was looked at until then, where there are none.
    pub last: i64,
    /// The row of the newest delivery that there was.
    pub newest: i64,
    /// How many were taken, those included that nobody need look at.
    pub taken: usize,
    /// Those that wait, by order.
    pub waiting: BTreeMap<Name, Vec<Waiting>>,
}

/// An order as deliveries name it: its project's number, and its own name.
pub(super) type Name = (i64, String);

/// A delivery that waits.
pub(super) struct Waiting {
    pub id: i64,
    pub event_name: String,
    pub event: Event,
}

/// A delivery, as [`NEWS`] has it.
#[derive(Deserialize)]
struct Found {
    id: i64,
    waits: i64,
    project: i64,
    order_name: Option<String>,
    event: String,
    status: Option<String>,
    said_at: Option<i64>,
    received_at: i64,
}

/// Reads the deliveries that have waited longest, at most so many.
pub(super) async fn read(readers: &Readers, deliveries_max: u32) -> sqlx::Result<News> {
    let row = sqlx::query(NEWS)
        .bind(deliveries_max)
        .fetch_one(&mut *readers.news().await?)
        .await?;
    let mut found: Vec<Found> = rows::text(&row, 2)?;
    found.sort_unstable_by_key(|found| found.id);
    let looked_to = row.try_get(0)?;
    Ok(News {
        looked_to,
        last: found.last().map_or(looked_to, |found| found.id),
        newest: row.try_get(1)?,
        taken: found.len(),
        waiting: by_order(found),
    })
}

fn by_order(found: Vec<Found>) -> BTreeMap<Name, Vec<Waiting>> {
    let mut waiting: BTreeMap<Name, Vec<Waiting>> = BTreeMap::new();
    for found in found {
        let (true, Some(order_name), Some(status)) =
            (found.waits != 0, found.order_name, found.status)
        else {
            continue;
        };
        let name = (found.project, order_name);
        waiting.entry(name).or_default().push(Waiting {
            id: found.id,
            event_name: found.event,
            event: Event {
                status: Status::from_word(&status),
                said_at: found.said_at.map(Time),
                received_at: Time(found.received_at),
            },
        });
    }
    waiting
}
