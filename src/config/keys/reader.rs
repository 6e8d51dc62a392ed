//! Reader of sections. It learns which keys exist from the fact that they are read.

use std::mem;

use super::doc::{KeyDoc, SectionDoc, ShownValue};
use crate::config::source::key::Key;
use crate::config::source::node::Node;
use crate::config::source::tree::Tree;

/// Reader of the configuration's sections. It records every key that a section reads, and every fault and warning.
pub struct Reader<'a> {
    tree: &'a Tree,
    /// Table of the configuration that is read at present.
    table: Key,
    /// Keys of this table that have been read.
    keys: Vec<KeyDoc>,
    /// Sections of the configuration that have been read.
    sections: Vec<SectionDoc>,
    /// Faults of values of the wrong kind, and of keys that do not exist.
    kinds: Vec<String>,
    faults: Vec<String>,
    warnings: Vec<String>,
}

/// Outcome of the reading of sections.
pub struct Findings {
    /// Sections that were read.
    pub sections: Vec<SectionDoc>,
    /// Faults of the sections, in words.
    pub faults: Vec<String>,
    /// Warnings about the sections' values, in words.
    pub warnings: Vec<String>,
}

/// Entry for a key of the configuration that is about to be read, with the key's text for documents.
pub struct Entry<'k, 'a> {
    reader: &'k mut Reader<'a>,
    text: &'static str,
}

/// Returns the value that `read` makes of a configuration in which nothing is set.
pub fn default_of<T>(read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
    read(&mut Reader::new(&Tree::default()))
}

impl<'a> Reader<'a> {
    /// Makes a reader of the configuration that has read nothing yet.
    pub fn new(tree: &'a Tree) -> Reader<'a> {
        Reader {
            tree,
            table: Key::root(),
            keys: Vec::new(),
            sections: Vec::new(),
            kinds: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Reads a section of the configuration. A key of the section that `read` does not read is an unknown key.
    pub fn section<T>(
        &mut self,
        name: &'static str,
        text: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> T,
    ) -> T {
        let value = self.read_table(Key::new(name), read);
        self.end_section((name, text), false, true);
        value
    }

    /// Reads a section of the configuration that is a list of tables, of which there must be one, each with `read`.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        text: &'static str,
        read: impl FnMut(&mut Reader<'a>) -> T,
    ) -> Vec<T> {
        let values = self.read_tables(name, read);
        self.end_section((name, text), true, true);
        values
    }

    /// Reads a section of the configuration that is a list of tables and may be empty, each with `read`.
    pub fn optional_list<T>(
        &mut self,
        name: &'static str,
        text: &'static str,
        read: impl FnMut(&mut Reader<'a>) -> T,
    ) -> Vec<T> {
        let values = self.read_tables(name, read);
        self.end_section((name, text), true, false);
        values
    }

    fn read_tables<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Reader<'a>) -> T,
    ) -> Vec<T> {
        let at = Key::new(name);
        let count = self.find_section(&at, "__0", Node::tables);
        let tables = 0..count;
        let values = tables.map(|index| self.read_table(at.index(index), &mut read));
        values.collect()
    }

    fn read_table<T>(&mut self, table: Key, read: impl FnOnce(&mut Reader<'a>) -> T) -> T {
        let names = self.find_section(&table, "", Node::names);
        self.table = table;
        self.keys.clear();
        let value = read(self);
        let known = self.keys.iter().map(|key| key.name).collect::<Vec<_>>();
        self.refuse_unknown(&names, &known);
        value
    }

    fn end_section(
        &mut self,
        (name, text): (&'static str, &'static str),
        is_list: bool,
        is_needed: bool,
    ) {
        let keys = mem::take(&mut self.keys);
        self.table = Key::root();
        self.sections.push(SectionDoc {
            name,
            is_list,
            is_needed,
            text,
            keys,
        });
    }

    fn refuse_unknown(&mut self, names: &[&str], known: &[&str]) {
        for name in names.iter().filter(|name| !known.contains(name)) {
            let fault = self.tree.unknown(&self.at(name), known);
            self.kinds.push(fault);
        }
    }

    /// Ends the reading of the configuration. A section that was not read is an unknown section.
    pub fn finish(mut self) -> Findings {
        let names = self.find(&Key::root(), Node::names).unwrap_or_default();
        let sections = self.sections.iter().map(|section| section.name);
        self.refuse_unknown(&names, &sections.collect::<Vec<_>>());
        // A value of the wrong kind counts as not set, so faults that follow from that would mislead.
        let is_complete = self.kinds.is_empty();
        Findings {
            sections: self.sections,
            faults: if is_complete { self.faults } else { self.kinds },
            warnings: self.warnings,
        }
    }

    /// Returns `true` if the configuration has tables in the list of this name.
    pub fn has_tables(&self, name: &str) -> bool {
        let list = self.tree.find(&Key::new(name));
        list.and_then(|list| list.tables().ok())
            .is_some_and(|count| count > 0)
    }

    /// Begins the reading of a key of the table; documents show `text` as its effect.
    pub fn doc(&mut self, text: &'static str) -> Entry<'_, 'a> {
        Entry { reader: self, text }
    }

    /// Returns the full name of a key of this table.
    pub fn at(&self, name: &str) -> Key {
        self.table.name(name)
    }

    /// Finds the value of a key that must be of one kind; a value of another kind is a fault, and counts as not set.
    pub fn find<T>(
        &mut self,
        at: &Key,
        kind: impl FnOnce(&'a Node) -> Result<T, &'static str>,
    ) -> Option<T> {
        let tree = self.tree;
        let found = kind(tree.find(at)?);
        found
            .map_err(|what| self.kinds.push(tree.fault(at, what)))
            .ok()
    }

    /// Finds what holds keys: a section, a list of sections or an entry of one. Anything else is a fault, and counts as
    /// empty. `entry` leads in variables' names to the keys.
    fn find_section<T: Default>(
        &mut self,
        at: &Key,
        entry: &str,
        kind: impl FnOnce(&'a Node) -> Result<T, &'static str>,
    ) -> T {
        let tree = self.tree;
        let found = tree.find(at).map_or(Ok(T::default()), kind);
        found.unwrap_or_else(|what| {
            self.kinds.push(tree.fault_of_section(at, entry, what));
            T::default()
        })
    }

    /// Finds the list of a key, all of whose values must be of one kind.
    pub fn find_list<T>(
        &mut self,
        at: &Key,
        kind: impl Fn(&'a Node) -> Result<T, &'static str>,
    ) -> Option<Vec<T>> {
        let count = self.find(at, Node::count)?;
        let values = (0..count).map(|index| self.find(&at.index(index), &kind));
        values.collect()
    }

    /// Records the fault of a key's value. `what` says what to write instead.
    pub fn fault(&mut self, at: &Key, what: &str) {
        self.faults.push(self.tree.fault(at, what));
    }

    /// Records a warning about a key's value.
    pub fn warn(&mut self, at: &Key, what: &str) {
        self.warnings.push(self.tree.fault(at, what));
    }
}

impl<'k, 'a> Entry<'k, 'a> {
    /// Records the key as one that is read, and returns its full name and the reader that finds its value.
    pub fn note(
        self,
        name: &'static str,
        value: ShownValue,
        values: Option<String>,
    ) -> (Key, &'k mut Reader<'a>) {
        self.reader.keys.push(KeyDoc {
            name,
            text: self.text,
            values,
            value,
        });
        (self.reader.at(name), self.reader)
    }
}
