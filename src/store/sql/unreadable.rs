//! Rows that cannot be read: each is named and left out, and the others are processed.
//!
//! This program writes no such row. Another program or a bad disk may have.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::Columns;
pub(in crate::store) use crate::store::UnreadableRow;

/// A row that the database hands over as a JSON array, its id first.
pub(in crate::store) trait JsonRow: DeserializeOwned {
    /// Table of the database that the row comes from.
    const TABLE: &'static str;
    /// Columns of the row's array, with commas between them.
    const COLUMNS: &'static str;
}

/// A row of the database with another value before its array.
impl<T: DeserializeOwned, R: JsonRow> JsonRow for (T, R) {
    const TABLE: &'static str = R::TABLE;
    const COLUMNS: &'static str = R::COLUMNS;
}

/// Rows of the database that were read, and rows that could not be.
pub(in crate::store) struct Read<R> {
    pub rows: Vec<R>,
    pub unreadable: Vec<UnreadableRow>,
}

impl<R> Default for Read<R> {
    fn default() -> Read<R> {
        Read {
            rows: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}

impl<R> Read<R> {
    pub(in crate::store) fn extend(&mut self, more: Read<R>) {
        self.rows.extend(more.rows);
        self.unreadable.extend(more.unreadable);
    }
}

/// Reads a column that holds many rows as one JSON array. It reads them all together, and one by one if that fails.
pub(in crate::store) fn many<R: JsonRow>(
    row: &impl Columns,
    column: usize,
) -> sqlx::Result<Read<R>> {
    let bytes: &[u8] = row.bytes(column)?;
    if let Ok(rows) = serde_json::from_slice(bytes) {
        let unreadable = Vec::new();
        return Ok(Read { rows, unreadable });
    }
    let text = String::from_utf8_lossy(bytes);
    let found: Vec<Value> =
        serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let mut read = Read::default();
    for value in &found {
        match read_row(value) {
            Ok(row) => read.rows.push(row),
            Err(row) => read.unreadable.push(row),
        }
    }
    Ok(read)
}

/// Reads rows of the database that have one JSON array each, in their first column.
pub(in crate::store) fn each<R: JsonRow>(rows: &[impl Columns]) -> sqlx::Result<Read<R>> {
    let mut read = Read::default();
    for row in rows {
        let bytes: &[u8] = row.bytes(0)?;
        if let Ok(row) = serde_json::from_slice(bytes) {
            read.rows.push(row);
            continue;
        }
        let value = serde_json::from_str(&String::from_utf8_lossy(bytes))
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        match read_row(&value) {
            Ok(row) => read.rows.push(row),
            Err(row) => read.unreadable.push(row),
        }
    }
    Ok(read)
}

/// Reads each of the given rows that can be read, with `read`.
pub(in crate::store) fn each_with<R: Columns, T>(
    found: &[R],
    table: &'static str,
    read: fn(&R) -> sqlx::Result<T>,
) -> sqlx::Result<Read<T>> {
    let mut all = Read::default();
    for row in found {
        match read(row) {
            Ok(row) => all.rows.push(row),
            Err(error) => all.unreadable.push(UnreadableRow {
                table,
                row: row.int("id")?,
                project: None,
                order: None,
                reason: error.to_string(),
            }),
        }
    }
    Ok(all)
}

fn read_row<R: JsonRow>(value: &Value) -> Result<R, UnreadableRow> {
    let text = value.to_string();
    let mut json = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| UnreadableRow {
        table: R::TABLE,
        row: row_cells(value)
            .first()
            .and_then(Value::as_i64)
            .unwrap_or(0),
        project: named_text::<R>(value, &["p.sinch_id"]),
        order: named_text::<R>(value, &["o.sinch_id", "order_sinch_id"]),
        reason: match faulty_column::<R>(error.path()) {
            Some(column) => format!("{column}: {}", without_position(error.inner())),
            None => without_position(error.inner()),
        },
    })
}

/// Returns the array of the row itself, before which the value may hold others.
fn row_cells(value: &Value) -> &[Value] {
    let cells = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let inner = cells.iter().find_map(Value::as_array);
    inner.map_or(cells, Vec::as_slice)
}

fn named_text<R: JsonRow>(value: &Value, columns: &[&str]) -> Option<String> {
    let mut names = R::COLUMNS.split(", ");
    let place = names.position(|name| columns.contains(&name))?;
    row_cells(value).get(place)?.as_str().map(str::to_owned)
}

fn faulty_column<R: JsonRow>(path: &Path) -> Option<&'static str> {
    let mut places = path.iter().rev().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(*index),
        _ => None,
    });
    let name = R::COLUMNS.split(", ").nth(places.next()?)?;
    Some(name.strip_prefix("o.").unwrap_or(name))
}

/// Returns the sentence of a JSON error without the position in the JSON, which no message shows.
fn without_position(error: &serde_json::Error) -> String {
    let words = error.to_string();
    match words.rsplit_once(" at line ") {
        Some((words, _)) => words.to_owned(),
        None => words,
    }
}

/// Maximum number of unreadable rows that are remembered: an operator needs to see where to begin.
const MET_MAX: usize = 100;

/// Unreadable rows that were found since the start.
#[derive(Debug, Default)]
pub(in crate::store) struct Met(Mutex<BTreeMap<(&'static str, i64), UnreadableRow>>);

impl Met {
    /// Remembers unreadable rows, and logs each of them once.
    pub(in crate::store) fn note(&self, rows: &[UnreadableRow]) {
        for row in rows {
            let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_room = met.len() < MET_MAX;
            let place = (row.table, row.row);
            if met.get(&place) == Some(row) || !(is_room || met.contains_key(&place)) {
                continue;
            }
            let project = row.project.as_deref();
            tracing::error!(
                table = row.table,
                row = row.row,
                project,
                reason = row.reason,
                "a row cannot be read: it is left out, and docs/operate.md says how to see to it"
            );
            met.insert(place, row.clone());
        }
    }

    /// Returns the ids of the unreadable rows of a table.
    pub(in crate::store) fn ids(&self, table: &str) -> Vec<i64> {
        let met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = met.keys().filter(|(its_table, _)| *its_table == table);
        places.map(|(_, row)| *row).collect()
    }

    /// Forgets remembered rows that can be read again, or are removed.
    pub(in crate::store) fn forget_readable<'a>(
        &self,
        table: &'static str,
        rows: impl Iterator<Item = &'a i64>,
    ) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            met.remove(&(table, *row));
        }
    }

    pub(in crate::store) fn rows(&self) -> Vec<UnreadableRow> {
        let met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        met.values().cloned().collect()
    }
}
