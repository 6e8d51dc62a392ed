//! The configuration as it was written: file and environment in one tree, in which every value knows
//! where it stands.

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

/// A value and where it stands. Holds secrets in clear: never to be printed as a whole.
pub struct Node {
    origin: Origin,
    pub value: Value,
}

enum Origin {
    /// In the file, in this line.
    Line(usize),
    /// In the variable of this name.
    Variable(String),
}

/// What was written, as far as the writing tells.
pub enum Value {
    /// Keys with values.
    Table(Table),
    /// Values in a row.
    List(Vec<Node>),
    /// A text in the file's quotes.
    Text(String),
    /// Anything else in the file, with numbers in decimal.
    Plain(String),
    /// A variable's text: what it is depends on what is asked of it.
    Variable(String),
}

/// Keys and their values.
#[derive(Default)]
pub struct Table {
    /// The values by key.
    pub entries: BTreeMap<String, Node>,
    /// The keys that belong here, learnt when the table is read.
    pub known: Cell<&'static [&'static str]>,
}

/// All that was written.
pub struct Tree {
    /// The file, as faults call it.
    file: String,
    root: Node,
}

/// Its name: the file's.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)
    }
}

impl Tree {
    /// The file's part. The fault in it is told without the line itself, which may hold a secret.
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

    /// Takes out everything but one section.
    pub fn keep(&mut self, section: &str) {
        if let Value::Table(table) = &mut self.root.value {
            table.entries.retain(|name, _| name == section);
        }
    }

    /// Whether a secret stands in what is there by now.
    pub fn holds_secret(&self) -> bool {
        self.root.holds_secret()
    }

    /// Lays the variables over the file, in their order, and says which of them fit nowhere.
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

    /// Reads the keys, or says which of them do not belong here or are of the wrong kind.
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
                // The first fault of kind ends the reading: without that value it gets further.
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

    /// What is wrong with a key's value: where it stands, the key, the value, and what to do.
    pub fn fault(&self, key: &Key, what: &str) -> String {
        let Some(node) = self.root.find(&key.0) else {
            return format!("not set: {key}: {what}");
        };
        let value = match &node.value {
            _ if key.is_secret() => "(hidden)".to_owned(),
            Value::Table(_) => "(a table)".to_owned(),
            Value::List(list) if list.is_empty() => "[]".to_owned(),
            Value::List(_) => "(a list)".to_owned(),
            // It may be a URL with a name and a password in it.
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
        // Without its value, which may be a secret under a misspelt name.
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
        // A table that dotted keys imply has no place of its own but the key.
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
    /// A part of what a variable holds.
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

    /// Puts a value at the end of the way, which is made as far as it is missing.
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

    /// Takes a value out. In a list the whole list goes, so that no other entry changes its place.
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
