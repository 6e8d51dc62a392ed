//! Tables of a form, each with its place, and the faults that are found in them.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::fault::FormFault;
use crate::nearest::nearest;
use crate::place::Place;

/// Returns the line, from 1, of the byte at the given index.
pub(super) fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.split(|byte| *byte == b'\n').count()
}

/// Table of a form, with its place.
pub(super) struct Table<'a, 't> {
    pub place: Place,
    /// Index of the byte in the form at which the table begins.
    at: usize,
    entries: &'a DeTable<'t>,
}

impl<'a, 't> Table<'a, 't> {
    /// Returns the whole form as a table.
    pub(super) fn root(entries: &'a DeTable<'t>) -> Table<'a, 't> {
        let place = Place::default();
        let at = 0;
        Table { place, at, entries }
    }

    /// Returns the value that a key of the table has.
    pub(super) fn get(&self, key: &str) -> Option<&'a DeValue<'t>> {
        self.entries.get(key).map(Spanned::get_ref)
    }

    /// Returns the names of the table's keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().map(|name| name.get_ref().as_ref())
    }

    /// Returns the table that a key holds; `None` if it holds something else, or is absent.
    pub(super) fn table(&self, key: &str) -> Option<Table<'a, 't>> {
        match self.get(key)? {
            DeValue::Table(entries) => Some(Table {
                place: self.place.key(key),
                at: self.byte_of(key),
                entries,
            }),
            _ => None,
        }
    }

    /// Returns the tables of a list that a key of this table holds; `None` if one is no table.
    pub(super) fn entries(&self, key: &str, list: &'a DeArray<'t>) -> Option<Vec<Table<'a, 't>>> {
        let table = |(n, entry): (usize, &'a Spanned<DeValue<'t>>)| match entry.get_ref() {
            DeValue::Table(entries) => Some(Table {
                place: self.place.key(key).entry(n),
                at: entry.span().start,
                entries,
            }),
            _ => None,
        };
        list.iter().enumerate().map(table).collect()
    }

    /// Returns the index of the byte at which a key of the table stands, or else at which the table begins.
    fn byte_of(&self, key: &str) -> usize {
        let found = self.entries.get_key_value(key);
        found.map_or(self.at, |(name, _)| name.span().start)
    }
}

/// Reading of a form: the lines of its keys, and the faults, as found so far.
pub(super) struct Reading<'t> {
    text: &'t str,
    lines: BTreeMap<Place, usize>,
    faults: Vec<FormFault>,
}

impl<'t> Reading<'t> {
    pub(super) fn begin(text: &'t str) -> Reading<'t> {
        Reading {
            text,
            lines: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Returns the line of each noted place, and the faults in the order of their lines.
    pub(super) fn finish(mut self) -> (BTreeMap<Place, usize>, Vec<FormFault>) {
        self.faults.sort_by_key(|fault| fault.line);
        (self.lines, self.faults)
    }

    /// Notes the lines of a table of the form and of its keys.
    pub(super) fn note(&mut self, table: &Table<'_, '_>) {
        self.lines
            .insert(table.place.clone(), line(self.text, table.at));
        for name in table.names() {
            let line = line(self.text, table.byte_of(name));
            self.lines.insert(table.place.key(name), line);
        }
    }

    /// Adds a fault of a table's key, which may be absent.
    pub(super) fn fault(&mut self, table: &Table<'_, '_>, key: &str, what: &str, cure: &str) {
        self.faults.push(FormFault {
            line: line(self.text, table.byte_of(key)),
            key: table.place.key(key).to_string(),
            what: what.to_owned(),
            cure: cure.to_owned(),
        });
    }

    /// Adds a fault for each key of a table that is not known.
    pub(super) fn refuse_unknown(&mut self, table: &Table<'_, '_>, known: &[&str]) {
        for name in table.names().filter(|name| !known.contains(name)) {
            let cure = match nearest(name, known.iter().copied()) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => format!("the keys here are {}", known.join(", ")),
            };
            self.fault(table, name, "there is no such key", &cure);
        }
    }

    /// Returns the text that a key of a table has; `None` if it is absent, empty, or at fault.
    pub(super) fn text(&mut self, table: &Table<'_, '_>, key: &str) -> Option<String> {
        let text = table.get(key)?.as_str();
        if text.is_none() {
            self.fault(table, key, "is no text", "write it in double quotes");
        }
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Returns the text of a table's key that must be given.
    pub(super) fn required_text(
        &mut self,
        table: &Table<'_, '_>,
        key: &str,
        cure: &str,
    ) -> Option<String> {
        match table.get(key) {
            None => self.fault(table, key, "is missing", cure),
            Some(DeValue::String(text)) if text.is_empty() => {
                self.fault(table, key, "is empty", cure);
            }
            Some(_) => return self.text(table, key),
        }
        None
    }

    /// Returns a table inside another; `None` if it is absent or at fault.
    pub(super) fn table<'a, 'b>(
        &mut self,
        table: &Table<'a, 'b>,
        key: &str,
    ) -> Option<Table<'a, 'b>> {
        let inner = table.table(key);
        if inner.is_none() && table.get(key).is_some() {
            let cure = format!("write its keys under [{}]", table.place.key(key));
            self.fault(table, key, "is no table", &cure);
        }
        inner
    }
}
