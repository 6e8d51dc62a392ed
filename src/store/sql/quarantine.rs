//! Callbacks that were refused and are perhaps genuine: how much of them is kept, and their rows as values.

use std::net::IpAddr;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Database, Encode, QueryBuilder, Type};
use strum::VariantArray;

use super::Columns;
use super::cursor::{List, last};
use super::orders::known_id;
use super::reach::{ALL, Reach};
use super::unreadable::each_with;
use crate::store::{
    Listing, NewQuarantined, Origin, QuarantineFilter, QuarantinePart, QuarantineReason,
    QuarantineRow, Quarantined,
};
use number_order::{CallbackKey, Id, Time};

/// Maximum number of callbacks that are kept of a project for one reason.
pub(in crate::store) const ROWS_MAX: i64 = 10_000;

/// Maximum size of their bodies together, in bytes.
pub(in crate::store) const BYTES_MAX: i64 = 16 << 20;

/// Maximum number of rows that one part of the quarantine has, so that no callback waits long until it is admitted.
pub(in crate::store) const PART_ROWS: u32 = 64;

/// Maximum number of addresses that an alert names.
pub(in crate::store) const ADDRESSES_MAX: usize = 5;

/// What is kept of a project for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Fill {
    pub rows: i64,
    pub bytes: i64,
}

impl Fill {
    /// Reads what is kept.
    pub(in crate::store) fn of_row(row: &impl Columns) -> sqlx::Result<Fill> {
        Ok(Fill {
            rows: row.int("callbacks")?,
            bytes: row.int("bytes")?,
        })
    }

    /// Takes the room for one more body; `false`: there is none.
    ///
    /// What is there has precedence over what comes. A flood cannot displace what is genuine; and of an order that is there,
    /// one callback is enough, since Sinch is then asked how it stands. What is newest is what may come once more.
    pub(in crate::store) fn take(&mut self, body: &[u8]) -> bool {
        let bytes = self.bytes.saturating_add(body.len() as i64);
        let fits = self.rows < ROWS_MAX && bytes <= BYTES_MAX;
        if fits {
            self.rows += 1;
            self.bytes = bytes;
        }
        fits
    }
}

/// Columns of a new row that are texts, as they are stored.
pub(in crate::store) struct Texts {
    pub source: String,
    pub peer: String,
}

impl Texts {
    pub(in crate::store) fn of(callback: &NewQuarantined) -> Texts {
        Texts {
            source: callback.origin.source.to_string(),
            peer: callback.origin.peer.to_string(),
        }
    }
}

/// Returns the signature of a callback as it is stored.
pub(in crate::store) fn signature(callback: &NewQuarantined) -> Option<&str> {
    callback.signature.as_ref().map(SecretString::expose_secret)
}

/// Selects the number of callbacks in the quarantine, of each project for each reason.
macro_rules! select_counts {
    () => {
        "SELECT p.sinch_id AS project, \
             (SELECT count(*) FROM quarantine WHERE project = p.id AND reason = 'wrong-signature') AS wrong_signature, \
             (SELECT count(*) FROM quarantine WHERE project = p.id AND reason = 'unknown-source') AS unknown_source \
         FROM projects AS p ORDER BY p.sinch_id"
    };
}
pub(in crate::store) use select_counts;

/// Reads these numbers.
pub(in crate::store) fn counts(
    rows: &[impl Columns],
) -> sqlx::Result<Vec<(String, QuarantineReason, i64)>> {
    let mut counts = Vec::new();
    for row in rows {
        for reason in QuarantineReason::VARIANTS {
            let column = match reason {
                QuarantineReason::WrongSignature => "wrong_signature",
                QuarantineReason::UnknownSource => "unknown_source",
            };
            counts.push((row.text("project")?.to_owned(), *reason, row.int(column)?));
        }
    }
    Ok(counts)
}

/// Columns of a row that operators see, and those by which it is judged again.
macro_rules! listed {
    () => {
        "SELECT q.id, p.sinch_id AS project, q.reason, q.source, q.order_sinch_id, q.received_at, q.last_at, q.times, q.bytes \
         FROM quarantine AS q JOIN projects AS p ON p.id = q.project WHERE true"
    };
}
macro_rules! judged {
    () => {
        "SELECT q.id, p.sinch_id AS project, q.callback_key, q.source, q.peer, q.forwarded_for, q.signature, q.received_at, \
             q.body \
         FROM quarantine AS q JOIN projects AS p ON p.id = q.project WHERE true"
    };
}

/// Builds the query for a page of the quarantine, after the given row.
pub(in crate::store) fn select_listed<DB>(
    filter: &QuarantineFilter,
    after: Option<i64>,
) -> QueryBuilder<DB>
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    &'static str: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(listed!());
    push_choice(&mut query, filter.project.as_ref(), filter.reason);
    if let Some(since) = filter.since {
        query.push(" AND q.received_at >= ").push_bind(since.0);
    }
    if let Some(until) = filter.until {
        query.push(" AND q.received_at < ").push_bind(until.0);
    }
    let reach = Reach::after(after, filter.newest_first, &ALL);
    reach.push(&mut query, "q.id", filter.newest_first, filter.limit);
    query
}

/// Builds the query for the part of the quarantine beyond a row's id.
pub(in crate::store) fn select_judged<DB>(
    after: i64,
    project: Option<&Id>,
    reason: Option<QuarantineReason>,
) -> QueryBuilder<DB>
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    &'static str: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(judged!());
    push_choice(&mut query, project, reason);
    let reach = Reach::after(Some(after), false, &ALL);
    reach.push(&mut query, "q.id", false, PART_ROWS);
    query
}

fn push_choice<DB>(
    query: &mut QueryBuilder<DB>,
    project: Option<&Id>,
    reason: Option<QuarantineReason>,
) where
    DB: Database,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    &'static str: for<'q> Encode<'q, DB> + Type<DB>,
{
    if let Some(project) = project {
        query
            .push(" AND p.sinch_id = ")
            .push_bind(project.to_string());
    }
    if let Some(reason) = reason {
        query.push(" AND q.reason = ").push_bind(reason.code());
    }
}

/// Returns a page of the quarantine.
pub(in crate::store) fn page<R: Columns>(
    found: &[R],
    filter: &QuarantineFilter,
) -> sqlx::Result<Listing<QuarantineRow>> {
    let found = each_with(found, "quarantine", listed_row)?;
    let ids = found.rows.iter().map(|row| row.id);
    let last = last(ids, &found.unreadable, filter.newest_first, filter.limit);
    Ok(Listing {
        items: found.rows,
        unreadable: found.unreadable,
        next: last.map(|row| List::Quarantine.cursor(row)),
    })
}

fn listed_row(row: &impl Columns) -> sqlx::Result<QuarantineRow> {
    Ok(QuarantineRow {
        id: row.int("id")?,
        project: row.text("project")?.to_owned(),
        reason: parsed(row.text("reason")?)?,
        source: row.text("source")?.to_owned(),
        order: row.text_if_any("order_sinch_id")?.map(str::to_owned),
        received_at: Time(row.int("received_at")?),
        last_at: Time(row.int("last_at")?),
        times: row.int("times")?,
        bytes: row.int("bytes")?,
    })
}

/// Returns a part of the quarantine. A row that cannot be read is left out, and stays; the list names it.
pub(in crate::store) fn part<R: Columns>(
    found: &[R],
    body: impl Fn(&R) -> sqlx::Result<Vec<u8>>,
) -> sqlx::Result<QuarantinePart> {
    let judged = |row: &R| judged_row(row, body(row)?.into());
    let last = found.last().map(|row| row.int("id")).transpose()?;
    let rows = found.iter().filter_map(|row| judged(row).ok()).collect();
    Ok(QuarantinePart { rows, last })
}

fn judged_row(row: &impl Columns, body: Bytes) -> sqlx::Result<Quarantined> {
    let project = known_id::<serde::de::value::Error>(row.text("project")?.to_owned());
    Ok(Quarantined {
        id: row.int("id")?,
        project: project.map_err(|error| sqlx::Error::Decode(error.into()))?,
        callback_key: row.text_if_any("callback_key")?.and_then(CallbackKey::new),
        origin: Origin {
            source: parsed::<IpAddr>(row.text("source")?)?,
            peer: parsed::<IpAddr>(row.text("peer")?)?,
            forwarded_for: row.text_if_any("forwarded_for")?.map(str::to_owned),
        },
        signature: row.text_if_any("signature")?.map(SecretString::from),
        received_at: Time(row.int("received_at")?),
        body,
    })
}

fn parsed<T>(text: &str) -> sqlx::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.parse()
        .map_err(|error: T::Err| sqlx::Error::Decode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_by_rows_and_by_bytes() {
        let full = Fill {
            rows: ROWS_MAX - 1,
            bytes: 0,
        };
        let large = Fill {
            rows: 1,
            bytes: BYTES_MAX - 3,
        };
        for (before, body, fits) in [
            (full, b"a".as_slice(), true),
            (full, b"", true),
            (large, b"abc", true),
            (large, b"abcd", false),
        ] {
            let mut fill = before;
            assert_eq!(fill.take(body), fits, "{before:?} {body:?}");
            assert_eq!(fill == before, !fits, "{before:?} {body:?}");
        }
        let mut fill = full;
        assert!(fill.take(b"a") && !fill.take(b""), "{fill:?}");
        let mut fill = large;
        assert!(!fill.take(b"abcd") && fill.take(b"abc"), "{fill:?}");
    }
}
