//! Values of the configuration as they were written, each with its place in the source.

use std::collections::BTreeMap;

use super::key::{Part, is_secret};

/// Value of the configuration with its place in the source. Contains secrets in clear text, so it must never be printed
/// as a whole.
pub struct Node {
    /// Place at which the value was written.
    pub origin: Origin,
    /// Value as it was written.
    pub value: Value,
}

/// Place at which a value of the configuration was written.
pub enum Origin {
    /// Line of the configuration file.
    Line(usize),
    /// Name of the environment variable that sets the value.
    Variable(String),
}

/// Value of the configuration as it was written, with its kind if the source shows one.
pub enum Value {
    /// A table: its values by key.
    Table(BTreeMap<String, Node>),
    /// List of values.
    List(Vec<Node>),
    /// Text in quotes, from the file.
    Text(String),
    /// Any other value of the file, with numbers in decimal.
    Plain(String),
    /// Text of an environment variable: its kind depends on the kind that is requested.
    Variable(String),
}

impl Value {
    /// Returns the text of a value that is neither a table nor a list.
    pub fn single(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Plain(text) | Value::Variable(text) => Some(text),
            Value::Table(_) | Value::List(_) => None,
        }
    }
}

impl Node {
    /// Makes a node of an environment variable's value or of a part of it.
    pub fn from_variable(name: &str, value: Value) -> Node {
        let origin = Origin::Variable(name.to_owned());
        Node { origin, value }
    }

    /// Returns `true` if a secret is set in this node, or below it.
    pub fn holds_secret(&self) -> bool {
        match &self.value {
            Value::Table(table) => {
                let mut entries = table.iter();
                entries.any(|(name, node)| is_secret(name) || node.holds_secret())
            }
            Value::List(list) => list.iter().any(Node::holds_secret),
            Value::Text(_) | Value::Plain(_) | Value::Variable(_) => false,
        }
    }

    /// Finds the node at the end of a path that begins at this one.
    pub fn find(&self, parts: &[Part]) -> Option<&Node> {
        let Some((first, rest)) = parts.split_first() else {
            return Some(self);
        };
        let child = match (first, &self.value) {
            (Part::Name(name), Value::Table(table)) => table.get(name),
            (Part::Index(index), Value::List(list)) => list.get(*index),
            _ => None,
        };
        child.and_then(|child| child.find(rest))
    }

    fn child_mut(&mut self, part: &Part) -> Option<&mut Node> {
        match (part, &mut self.value) {
            (Part::Name(name), Value::Table(table)) => table.get_mut(name),
            (Part::Index(index), Value::List(list)) => list.get_mut(*index),
            _ => None,
        }
    }

    /// Sets the value at the end of a path that begins at this node, and makes the missing nodes on the way.
    pub fn set(
        &mut self,
        parts: &[Part],
        variable: &str,
        value: Value,
    ) -> Result<(), &'static str> {
        let Some((first, rest)) = parts.split_first() else {
            self.origin = Origin::Variable(variable.to_owned());
            self.value = value;
            return Ok(());
        };
        let fresh = || {
            let value = match rest.first() {
                Some(Part::Index(_)) => Value::List(Vec::new()),
                Some(Part::Name(_)) | None => Value::Table(BTreeMap::new()),
            };
            Node::from_variable(variable, value)
        };
        match (first, &mut self.value) {
            (Part::Name(name), Value::Table(table)) => {
                table.entry(name.clone()).or_insert_with(fresh);
            }
            (Part::Index(index), Value::List(list)) if *index == list.len() => list.push(fresh()),
            (Part::Index(_), Value::List(_)) => {}
            (Part::Name(_), Value::List(_)) => {
                return Err("put the number of the entry before it, counting from 0");
            }
            (Part::Index(_), _) => return Err("this is not a list; leave out the number"),
            (Part::Name(_), _) => return Err("what should hold it is set to a single value"),
        }
        let child = self.child_mut(first);
        let child = child.ok_or("the entries before it are missing; count from 0")?;
        child.set(rest, variable, value)
    }
}

/// Reads the value as one of the kinds that keys have, and of no other; an error says what to write instead. A
/// variable's text becomes the kind that is requested.
impl Node {
    /// Returns the names of the keys, if the value is a table.
    pub fn names(&self) -> Result<Vec<&str>, &'static str> {
        match &self.value {
            Value::Table(table) => Ok(table.keys().map(String::as_str).collect()),
            Value::List(_) | Value::Text(_) | Value::Plain(_) | Value::Variable(_) => {
                Err("write a table of keys, not a single value or a list")
            }
        }
    }

    /// Returns the number of entries in a list of tables.
    pub fn tables(&self) -> Result<usize, &'static str> {
        self.entries("write a list of tables, each under [[double brackets]]")
    }

    /// Returns the number of entries, if the value is a list.
    pub fn count(&self) -> Result<usize, &'static str> {
        self.entries("write a list, in square brackets")
    }

    fn entries(&self, cure: &'static str) -> Result<usize, &'static str> {
        match &self.value {
            Value::List(list) => Ok(list.len()),
            Value::Table(_) | Value::Text(_) | Value::Plain(_) | Value::Variable(_) => Err(cure),
        }
    }

    /// Returns the value as a text.
    pub fn text(&self) -> Result<&str, &'static str> {
        match &self.value {
            Value::Text(text) | Value::Variable(text) => Ok(text),
            Value::Plain(_) | Value::List(_) | Value::Table(_) => Err("write a text, in quotes"),
        }
    }

    /// Returns the value as a whole number, not below 0.
    pub fn whole(&self) -> Result<u64, &'static str> {
        self.plain("write a whole number, not below 0, without quotes")
    }

    /// Returns the value as a number, which may have a fraction.
    pub fn number(&self) -> Result<f64, &'static str> {
        self.plain("write a number, without quotes")
    }

    /// Returns the value as `true` or `false`.
    pub fn flag(&self) -> Result<bool, &'static str> {
        self.plain("write true or false, without quotes")
    }

    /// Returns the value as one of a kind that the file writes without quotes.
    fn plain<T: std::str::FromStr>(&self, cure: &'static str) -> Result<T, &'static str> {
        match &self.value {
            Value::Plain(text) | Value::Variable(text) => text.parse().map_err(|_| cure),
            Value::Text(_) | Value::List(_) | Value::Table(_) => Err(cure),
        }
    }
}
