//! The tree of all values of the configuration as they were written, and faults that name the place in it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, quoted, secret_in_file};
use super::node::{Node, Origin, Value};

/// Text that a fault has in place of a value that nobody may see.
const HIDDEN: &str = "(hidden)";

/// Tree of all values of the configuration, as they were written.
pub struct Tree {
    /// Name of the configuration file, as faults show it.
    file: String,
    root: Node,
}

/// The default is the tree of a configuration in which nothing is set.
impl Default for Tree {
    fn default() -> Tree {
        Tree {
            file: String::new(),
            root: Node {
                origin: Origin::Line(1),
                value: Value::Table(BTreeMap::new()),
            },
        }
    }
}

/// Shows the name of the configuration file.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)
    }
}

impl Tree {
    /// Parses the configuration file. A fault is reported without the line itself, which may contain a secret.
    pub fn parse(file: &str, text: &str) -> Result<Tree, String> {
        let table = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(text);
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            let line = line_of(text, start);
            let message = error.message();
            format!("{file} line {line}, column {column}: not TOML: {message}")
        })?;
        let root = Node {
            origin: Origin::Line(1),
            value: from_table(text, table.into_inner()),
        };
        let file = file.to_owned();
        Ok(Tree { file, root })
    }

    /// Removes every section from the tree but the named ones.
    pub fn keep(&mut self, sections: &[&str]) {
        if let Value::Table(table) = &mut self.root.value {
            table.retain(|name, _| sections.contains(&name.as_str()));
        }
    }

    /// Returns `true` if a secret is set anywhere in the tree.
    pub fn holds_secret(&self) -> bool {
        self.root.holds_secret()
    }

    /// Sets the value of a key to the one that an environment variable gives it, or returns what is wrong with the
    /// variable's name.
    pub fn set(&mut self, key: &Key, variable: &str, value: Value) -> Result<(), &'static str> {
        self.root.set(&key.0, variable, value)
    }

    /// Finds the value of a key of the configuration, if it is set.
    pub fn find(&self, key: &Key) -> Option<&Node> {
        self.root.find(&key.0)
    }

    /// Describes a fault of a key's value: its place, the key, the value, and the remedy.
    pub fn fault(&self, key: &Key, what: &str) -> String {
        let Some(node) = self.find(key) else {
            return format!("not set: {key}: {what}");
        };
        let value = if is_hidden(key, &node.value) {
            HIDDEN.into()
        } else {
            shown(&node.value)
        };
        format!("{}: {key} = {value}: {what}", self.place_in_words(node))
    }

    /// Describes the fault of a value that stands where keys belong. It may hold the value of each of them, secrets
    /// too, so it is not shown. `entry` leads in variables' names from the value to the keys.
    pub fn fault_of_section(&self, key: &Key, entry: &str, what: &str) -> String {
        let Some(node) = self.find(key) else {
            return self.fault(key, what);
        };
        let place = self.place_in_words(node);
        match &node.value {
            Value::Table(_) | Value::List(_) => self.fault(key, what),
            Value::Text(_) | Value::Plain(_) => format!("{place}: {key} = {HIDDEN}: {what}"),
            Value::Variable(_) => format!(
                "{place}: {key} = {HIDDEN}: JSON is not read here; write one variable per key, {place}{entry}__KEY=…"
            ),
        }
    }

    /// Describes the fault of a key that the configuration does not have, and names the keys that it has.
    pub fn unknown(&self, key: &Key, known: &[&str]) -> String {
        let place = self.find(key);
        let place = place.map_or(self.file.clone(), |node| self.place_in_words(node));
        let known = known.join(", ");
        // The fault omits the value, which may be a secret under a misspelt name.
        format!("{place}: {key}: there is no such key; write one of {known}")
    }

    /// Returns a value as it was written, with a word in place of each secret.
    pub fn written(key: &Key, node: &Node) -> String {
        if is_hidden(key, &node.value) {
            return HIDDEN.to_owned();
        }
        let Value::List(list) = &node.value else {
            return shown(&node.value).into_owned();
        };
        let items = list.iter().enumerate().map(|(index, item)| {
            // Of a command, only the program is shown, unless the arguments are written into the same text.
            let is_program = || index == 0 && item.value.single().is_some_and(is_one_word);
            if key.is_of_command() && !is_program() {
                HIDDEN.into()
            } else {
                shown(&item.value)
            }
        });
        let items: Vec<Cow<'_, str>> = items.collect();
        format!("[{}]", items.join(", "))
    }

    /// Returns the place at which a value was written.
    pub fn place_in_words(&self, node: &Node) -> String {
        match &node.origin {
            Origin::Line(line) => format!("{} line {line}", self.file),
            Origin::Variable(name) => name.clone(),
        }
    }
}

/// Returns `true` if a fault must not show the value of the key.
fn is_hidden(key: &Key, value: &Value) -> bool {
    let is_misplaced =
        || secret_in_file(key.last_name()).is_some() && !value.single().is_none_or(is_path);
    // A command in one text has its arguments in it, and an entry of its list is perhaps one of them.
    let is_command = || key.is_of_command() && value.single().is_some();
    key.is_secret() || is_misplaced() || is_command()
}

/// Returns `true` if a text that should be a path is one, rather than the secret that belongs into the file: it begins
/// as paths do, or something is there.
fn is_path(text: &str) -> bool {
    let is_written_as_one = ["/", "./", "../"]
        .iter()
        .any(|start| text.starts_with(start));
    is_written_as_one || Path::new(text).exists()
}

/// Returns `true` if a text has no blanks, which separate a program from its arguments.
fn is_one_word(text: &str) -> bool {
    !text.contains(char::is_whitespace)
}

/// Returns a value as faults show it: in one line, shortened.
fn shown(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Table(_) => "(a table)".into(),
        Value::List(list) if list.is_empty() => "[]".into(),
        Value::List(_) => "(a list)".into(),
        // A text with an at sign may be a URL that contains a name and a password.
        Value::Text(text) | Value::Variable(text) if text.contains('@') => HIDDEN.into(),
        Value::Text(text) | Value::Variable(text) => quoted(text).into(),
        Value::Plain(text) => text.into(),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.split(|b| *b == b'\n').count()
}

fn from_table(text: &str, table: DeTable<'_>) -> Value {
    let entry = |(name, value): (Spanned<_>, _)| {
        // A table that dotted keys imply has no place of its own, so it gets the place of the key.
        let at = name.span().start;
        let name = Cow::into_owned(name.into_inner());
        (name, from_value(text, at, value))
    };
    Value::Table(table.into_iter().map(entry).collect())
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
        DeValue::Table(table) => from_table(text, table),
    };
    Node {
        origin: Origin::Line(line_of(text, at)),
        value,
    }
}
