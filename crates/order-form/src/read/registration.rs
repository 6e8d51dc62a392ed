//! The section `registration` of a form: personal data, of which no fault shows a value.

use serde_json::{Map, Value};
use toml::de::{DeInteger, DeValue};

use super::table::{Reading, Table};
use crate::form::PartData;

/// Highest number that a part of the registration can have: far above the three parts of Sinch's sample, and low enough
/// for a list with empty places.
const PART_MAX: usize = 100;

/// Reads the parts of the registration, each at the place of its number.
pub(super) fn read(reading: &mut Reading<'_>, root: &Table<'_, '_>) -> Vec<PartData> {
    let mut parts = Vec::new();
    let Some(registration) = reading.table(root, "registration") else {
        return parts;
    };
    for name in registration.names() {
        let Some(number) = part_number(name) else {
            let what = "is no part of the registration";
            let cure = "write the fields under [registration.1], [registration.2] and so on";
            reading.fault(&registration, name, what, cure);
            continue;
        };
        let part = read_part(reading, &registration, name);
        if parts.len() < number {
            parts.resize_with(number, PartData::default);
        }
        parts[number - 1] = part;
    }
    parts
}

/// Returns the number of the part that a key names. A leading zero would give a part two names.
fn part_number(name: &str) -> Option<usize> {
    let number = name.parse().ok()?;
    let is_plain = name.starts_with(|c: char| c.is_ascii_digit() && c != '0');
    (is_plain && number <= PART_MAX).then_some(number)
}

fn read_part(reading: &mut Reading<'_>, registration: &Table<'_, '_>, name: &str) -> PartData {
    let tables = match registration.get(name) {
        Some(DeValue::Array(list)) => registration.entries(name, list),
        _ => registration.table(name).map(|table| vec![table]),
    };
    let Some(tables) = tables else {
        let cure = "write a table, or a list of tables where the part is given several times";
        reading.fault(registration, name, "is no part", cure);
        return PartData::default();
    };
    PartData {
        is_list: registration.table(name).is_none(),
        entries: tables
            .iter()
            .map(|table| read_fields(reading, table))
            .collect(),
    }
}

fn read_fields(reading: &mut Reading<'_>, table: &Table<'_, '_>) -> Map<String, Value> {
    reading.note(table);
    let mut fields = Map::new();
    for name in table.names() {
        match table.get(name).map(as_json) {
            Some(Ok(value)) => {
                fields.insert(name.to_owned(), value);
            }
            Some(Err(what)) => {
                let cure = "write it in double quotes, as Sinch wants to read it";
                reading.fault(table, name, what, cure);
            }
            None => {}
        }
    }
    fields
}

/// Returns a value of a form as JSON, or the reason why it has no sure form there.
fn as_json(value: &DeValue<'_>) -> Result<Value, &'static str> {
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Integer(number) => whole_number(number).ok_or("is a number that is too large")?,
        DeValue::Float(_) => return Err("is a number with a fraction"),
        DeValue::Datetime(_) => return Err("is a date or a time without quotes"),
        DeValue::Array(list) => {
            let items = list.iter().map(|item| as_json(item.get_ref()));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let item = |(name, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let name: &std::borrow::Cow<'_, str> = name.get_ref();
                as_json(value.get_ref()).map(|value| (name.to_string(), value))
            };
            Value::Object(table.iter().map(item).collect::<Result<_, _>>()?)
        }
    })
}

fn whole_number(number: &DeInteger<'_>) -> Option<Value> {
    let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
    Some(Value::from(number))
}
