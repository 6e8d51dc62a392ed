//! The configuration as it was written: file and environment in one tree, in which every value has its
//! place in the source.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_ignored::Path as Ignored;
use serde_path_to_error::Track;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::env::Variable;
use super::key::{Key, Part, is_secret, quoted};
use super::raw::Root;
use super::read::Wrong;

/// Value with its place in the source. Contains secrets in clear text, so it must never be printed as a whole.
pub struct Node {
    origin: Origin,
    pub value: Value,
}

enum Origin {
    /// Line of the file.
    Line(usize),
    /// Name of the variable.
    Variable(String),
}

/// Value as it was written, with its kind as far as the source shows it.
pub enum Value {
    /// Table of keys with values.
    Table(Table),
    /// List of values.
    List(Vec<Node>),
    /// Text in the file's quotes.
    Text(String),
    /// Any other value in the file, with numbers in decimal.
    Plain(String),
    /// Text of a variable: its kind depends on the kind that is requested.
    Variable(String),
}

/// Table of keys and their values.
#[derive(Default)]
pub struct Table {
    /// Values by key.
    pub entries: BTreeMap<String, Node>,
    /// Keys that belong here, known once the table is read.
    pub known: Cell<&'static [&'static str]>,
}

/// Tree of everything that was written.
pub struct Tree {
    /// Name of the file in faults.
    file: String,
    root: Node,
}

/// Writes the name of the file.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)
    }
}

impl Tree {
    /// Parses the file. The fault in it is reported without the line itself, which may contain a secret.
    pub fn parse(file: &str, text: &str) -> Result<Tree, String> {
        let table = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(text);
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            let line = line(text, start);
            let message = error.message();
            format!("{file} line {line}, column {column}: not TOML: {message}")
        })?;
        let root = Node {
            origin: Origin::Line(1),
            value: Value::Table(from_table(text, table.into_inner())),
        };
        let file = file.to_owned();
        Ok(Tree { file, root })
    }

    /// Removes everything but one section.
    pub fn keep(&mut self, section: &str) {
        if let Value::Table(table) = &mut self.root.value {
            table.entries.retain(|name, _| name == section);
        }
    }

    /// Returns `true` if the tree contains a secret so far.
    pub fn holds_secret(&self) -> bool {
        self.root.holds_secret()
    }

    /// Lays the variables over the file, in their order, and returns the faults of those without a place.
    pub fn overlay(&mut self, variables: &[Variable]) -> Vec<String> {
        let mut lay = |variable: &Variable| {
            let value = variable.value()?;
            self.root.set(&variable.key.0, &variable.name, value)
        };
        let mut faults = Vec::new();
        for variable in variables {
            if let Err(what) = lay(variable) {
                let Variable { name, key, .. } = variable;
                faults.push(format!("{name}: {key}: {what}"));
            }
        }
        faults
    }

    /// Reads the keys, or returns the faults of those that are unknown or of the wrong kind.
    pub fn read(&mut self) -> Result<Root, Vec<String>> {
        let mut kinds = Vec::new();
        loop {
            let mut unknown = Vec::new();
            let mut track = Track::new();
            let mut ignored = |path: Ignored<'_>| unknown.push(Key::from_ignored(&path));
            let read = Root::deserialize(serde_ignored::Deserializer::new(
                serde_path_to_error::Deserializer::new(&self.root, &mut track),
                &mut ignored,
            ));
            match read {
                Ok(root) if kinds.is_empty() && unknown.is_empty() => return Ok(root),
                Ok(_) => {
                    kinds.extend(unknown.iter().map(|key| self.unknown(key)));
                    return Err(kinds);
                }
                // The first fault of kind ends the reading, which gets further without that value.
                Err(Wrong(what)) => {
                    let key = Key::from_failed(&track.path());
                    kinds.push(self.fault(&key, &what));
                    if !self.root.remove(&key.0) {
                        return Err(kinds);
                    }
                }
            }
        }
    }

    /// Describes a fault of a key's value: its place, the key, the value, and the remedy.
    pub fn fault(&self, key: &Key, what: &str) -> String {
        let Some(node) = self.root.find(&key.0) else {
            return format!("not set: {key}: {what}");
        };
        let value = match &node.value {
            _ if key.is_secret() => "(hidden)".to_owned(),
            Value::Table(_) => "(a table)".to_owned(),
            Value::List(list) if list.is_empty() => "[]".to_owned(),
            Value::List(_) => "(a list)".to_owned(),
            // The text may be a URL that contains a name and a password.
            Value::Text(text) | Value::Variable(text) if text.contains('@') => {
                "(hidden)".to_owned()
            }
            Value::Text(text) | Value::Variable(text) => quoted(text),
            Value::Plain(text) => text.clone(),
        };
        format!("{}: {key} = {value}: {what}", self.place(node))
    }

    fn unknown(&self, key: &Key) -> String {
        let node = self.root.find(&key.0);
        let place = node.map_or(self.file.clone(), |node| self.place(node));
        let around = key.0.split_last().map_or(&[][..], |(_, around)| around);
        let known = match self.root.find(around).map(|node| &node.value) {
            Some(Value::Table(table)) => table.known.get().join(", "),
            _ => String::new(),
        };
        // The fault omits the value, which may be a secret under a misspelt name.
        format!("{place}: {key}: there is no such key; write one of {known}")
    }

    fn place(&self, node: &Node) -> String {
        match &node.origin {
            Origin::Line(line) => format!("{} line {line}", self.file),
            Origin::Variable(name) => name.clone(),
        }
    }
}

fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.iter().filter(|b| **b == b'\n').count() + 1
}

fn from_table(text: &str, table: DeTable<'_>) -> Table {
    let entry = |(name, value): (Spanned<_>, _)| {
        // A table that dotted keys imply has no place of its own, so it gets the key's.
        let at = name.span().start;
        let name = Cow::into_owned(name.into_inner());
        (name, from_value(text, at, value))
    };
    Table {
        entries: table.into_iter().map(entry).collect(),
        known: Cell::default(),
    }
}

fn from_value(text: &str, at: usize, value: Spanned<DeValue<'_>>) -> Node {
    let value = match value.into_inner() {
        DeValue::String(string) => Value::Text(string.into_owned()),
        DeValue::Integer(number) => {
            let decimal = i64::from_str_radix(number.as_str(), number.radix());
            Value::Plain(decimal.map_or(number.to_string(), |decimal| decimal.to_string()))
        }
        DeValue::Float(number) => Value::Plain(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Value::Plain(truth.to_string()),
        DeValue::Datetime(time) => Value::Plain(time.to_string()),
        DeValue::Array(list) => Value::List(
            list.into_iter()
                .map(|value| from_value(text, value.span().start, value))
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(from_table(text, table)),
    };
    Node {
        origin: Origin::Line(line(text, at)),
        value,
    }
}

impl Node {
    /// Makes a node of a variable's value or of a part of it.
    pub fn from_variable(name: &str, value: Value) -> Node {
        let origin = Origin::Variable(name.to_owned());
        Node { origin, value }
    }

    fn holds_secret(&self) -> bool {
        match &self.value {
            Value::Table(table) => {
                let mut entries = table.entries.iter();
                entries.any(|(name, node)| is_secret(name) || node.holds_secret())
            }
            Value::List(list) => list.iter().any(Node::holds_secret),
            Value::Text(_) | Value::Plain(_) | Value::Variable(_) => false,
        }
    }

    fn find(&self, parts: &[Part]) -> Option<&Node> {
        let Some((first, rest)) = parts.split_first() else {
            return Some(self);
        };
        let child = match (first, &self.value) {
            (Part::Name(name), Value::Table(table)) => table.entries.get(name),
            (Part::Index(index), Value::List(list)) => list.get(*index),
            _ => None,
        };
        child.and_then(|child| child.find(rest))
    }

    fn child(&mut self, part: &Part) -> Option<&mut Node> {
        match (part, &mut self.value) {
            (Part::Name(name), Value::Table(table)) => table.entries.get_mut(name),
            (Part::Index(index), Value::List(list)) => list.get_mut(*index),
            _ => None,
        }
    }

    /// Sets the value at the end of the path, and makes the missing nodes on the way.
    fn set(&mut self, parts: &[Part], variable: &str, value: Value) -> Result<(), &'static str> {
        let Some((first, rest)) = parts.split_first() else {
            self.origin = Origin::Variable(variable.to_owned());
            self.value = value;
            return Ok(());
        };
        let fresh = || Node {
            origin: Origin::Variable(variable.to_owned()),
            value: match rest.first() {
                Some(Part::Index(_)) => Value::List(Vec::new()),
                Some(Part::Name(_)) | None => Value::Table(Table::default()),
            },
        };
        match (first, &mut self.value) {
            (Part::Name(name), Value::Table(table)) => {
                table.entries.entry(name.clone()).or_insert_with(fresh);
            }
            (Part::Index(index), Value::List(list)) if *index == list.len() => list.push(fresh()),
            (Part::Index(_), Value::List(_)) => {}
            (Part::Name(_), Value::List(_)) => {
                return Err("put the number of the entry before it, counting from 0");
            }
            (Part::Index(_), _) => return Err("this is not a list; leave out the number"),
            (Part::Name(_), _) => return Err("what should hold it is set to a single value"),
        }
        let child = self.child(first);
        let child = child.ok_or("the entries before it are missing; count from 0")?;
        child.set(rest, variable, value)
    }

    /// Removes a value. A value in a list takes the whole list with it, so that no other entry changes its index.
    fn remove(&mut self, parts: &[Part]) -> bool {
        let Some((first, rest)) = parts.split_first() else {
            return false;
        };
        if self.child(first).is_some_and(|child| child.remove(rest)) {
            return true;
        }
        match (first, &mut self.value) {
            (Part::Name(name), Value::Table(table)) => table.entries.remove(name).is_some(),
            _ => false,
        }
    }
}
