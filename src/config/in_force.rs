//! The configuration as it is in force, for people: each value with where it came from, and no secret.

use serde::Serialize;

use super::keys::doc::{SectionDoc, ShownValue};
use super::source::key::Key;
use super::source::node::{Node, Origin, Value};
use super::source::tree::Tree;

/// A key of the configuration with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Full name of the key.
    pub key: String,
    /// Value in TOML, with `(hidden)` in place of a secret; `None`: it is not set, and has no default.
    pub value: Option<String>,
    /// Where the value came from.
    pub source: Source,
    /// Line of the file, or name of the variable.
    pub place: Option<String>,
}

/// Where a value of the configuration came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The configuration file.
    File,
    /// A variable of the environment.
    Environment,
    /// The program itself.
    Default,
}

/// Returns every key of the sections that were read, in their order.
pub(super) fn settings(tree: &Tree, sections: &[SectionDoc]) -> Vec<Setting> {
    let of_section = |section: &SectionDoc| {
        let at = Key::new(section.name);
        let tables = if section.is_list {
            let count = tree.find(&at).and_then(|list| list.tables().ok());
            (0..count.unwrap_or(0))
                .map(|index| at.index(index))
                .collect()
        } else {
            vec![at]
        };
        let of_table = |table: Key| {
            let keys = section.keys.iter();
            let settings = keys.map(|key| setting(tree, &table.name(key.name), &key.value));
            settings.collect::<Vec<_>>()
        };
        tables.into_iter().flat_map(of_table).collect::<Vec<_>>()
    };
    sections.iter().flat_map(of_section).collect()
}

fn setting(tree: &Tree, at: &Key, default: &ShownValue) -> Setting {
    let node = tree.find(at);
    let value = node.map(|node| {
        let written = Tree::written(at, node);
        // A variable does not show what kind its value is of. The default, or an example, does.
        if matches!(node.value, Value::Variable(_) | Value::List(_)) && is_plain(default) {
            written.replace('"', "")
        } else {
            written
        }
    });
    let default = match default {
        ShownValue::Default(default) => Some(default.clone()),
        ShownValue::Placeholder(_) | ShownValue::Example(_) => None,
    };
    let source = match node {
        None => Source::Default,
        Some(Node { origin, .. }) => match origin {
            Origin::Line(_) => Source::File,
            Origin::Variable(_) => Source::Environment,
        },
    };
    Setting {
        key: at.to_string(),
        value: value.or(default),
        source,
        place: node.map(|node| tree.place_in_words(node)),
    }
}

/// Returns `true` if values of the key are written without quotes, or are lists of such.
fn is_plain(shown: &ShownValue) -> bool {
    let shown = match shown {
        ShownValue::Default(value) => value.as_str(),
        ShownValue::Placeholder(value) | ShownValue::Example(value) => value,
    };
    let first = shown.strip_prefix('[').unwrap_or(shown);
    first.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
}
