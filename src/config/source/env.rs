//! Environment variables: those that belong to this program, and the key that each sets.

use std::ffi::OsString;

use super::key::{Key, quoted};
use super::node::{Node, Value};
use super::tree::Tree;

/// Name of the environment variable that names the configuration file.
pub const FILE_VARIABLE: &str = "SINCH_CALLBACKS_CONFIG";

/// Prefix of the names of this program's environment variables.
pub const PREFIX: &str = "SINCH_CALLBACKS_";
/// Keys whose environment variable holds a list, separated by commas.
const LIST_KEYS: [&str; 2] = ["allow", "trusted_proxies"];
/// Keys whose environment variable holds a list of numbers, separated by commas, in square brackets or without.
const NUMBER_LIST_KEYS: [&str; 2] = ["expiring_secs", "retry_waits_secs"];
/// Keys of a target whose environment variable holds a list, separated by commas.
const TARGET_LIST_KEYS: [&str; 4] = ["types", "projects", "regions", "states"];

/// Environment variable of this program that is set and not empty.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Variable {
    /// Key of the configuration that the variable sets.
    pub key: Key,
    /// Full name of the variable.
    pub name: String,
    /// Value of the variable; `None` where name or value is not UTF-8.
    text: Option<String>,
}

/// Returns this program's environment variables, in the order in which they override the file.
///
/// An empty variable counts as not set: a template that starts programs cannot leave a variable out.
pub fn ours(env: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<Variable> {
    let mut ours = env.into_iter().filter_map(our_variable).collect::<Vec<_>>();
    // The sort puts a whole value before its parts, and the entries of a list in their order.
    ours.sort();
    ours
}

fn our_variable((name, value): (OsString, OsString)) -> Option<Variable> {
    let is_ours = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
    if !is_ours || value.is_empty() || name == FILE_VARIABLE {
        return None;
    }
    let text = name.to_str().and_then(|_| value.to_str());
    let shown = name.to_string_lossy();
    let rest = shown.strip_prefix(PREFIX)?;
    if text.is_some_and(|text| is_service_link(rest, text)) {
        return None;
    }
    Some(Variable {
        key: Key::from_variable(rest),
        name: name.to_str().map_or_else(|| quoted(&shown), str::to_owned),
        text: text.map(str::to_owned),
    })
}

/// Sets the variables' values in the tree of the configuration, in their order, and returns the faults of those that
/// cannot be set.
pub fn overlay(tree: &mut Tree, variables: &[Variable]) -> Vec<String> {
    let mut lay = |variable: &Variable| tree.set(&variable.key, &variable.name, variable.value()?);
    let mut faults = Vec::new();
    for variable in variables {
        if let Err(what) = lay(variable) {
            let Variable { name, key, .. } = variable;
            faults.push(format!("{name}: {key}: {what}"));
        }
    }
    faults
}

impl Variable {
    /// Returns the value to which the environment variable sets its key, or the reason why it cannot be read.
    fn value(&self) -> Result<Value, &'static str> {
        let text = self.text.as_deref();
        let text = text.ok_or("its name or its value is not UTF-8 text; write both in UTF-8")?;
        Ok(match self.key.last_name() {
            // A secret is never split: a comma may be part of it, and half a secret would be weak.
            // Nor is a command, which has no arguments then.
            "secrets" | "command" => Value::List(vec![self.node(text)]),
            name if NUMBER_LIST_KEYS.contains(&name) => self.list(without_brackets(text)),
            _ if self.is_list() => self.list(text),
            _ => Value::Variable(text.to_owned()),
        })
    }

    fn is_list(&self) -> bool {
        let name = self.key.last_name();
        LIST_KEYS.contains(&name) || self.key.is_in("targets") && TARGET_LIST_KEYS.contains(&name)
    }

    /// Returns the list of what commas separate.
    fn list(&self, text: &str) -> Value {
        let items = if text.trim().is_empty() {
            Vec::new()
        } else {
            text.split(',').map(|item| self.node(item.trim())).collect()
        };
        Value::List(items)
    }

    fn node(&self, text: &str) -> Node {
        Node::from_variable(&self.name, Value::Variable(text.to_owned()))
    }
}

/// Returns what stands in square brackets, as a list does in the file, or the text where nothing does.
fn without_brackets(text: &str) -> &str {
    let bare = text.trim().strip_prefix('[');
    bare.and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

/// Returns `true` for a variable that Kubernetes sets for a service called `sinch-callbacks` or
/// `sinch-callbacks-…`. No variable of this program has such a name.
fn is_service_link(rest: &str, text: &str) -> bool {
    let port = rest.starts_with("PORT") || rest.contains("_PORT");
    let protocol = ["_TCP", "_UDP", "_SCTP"].iter().any(|p| rest.contains(p));
    !rest.contains("__")
        && (rest.ends_with("SERVICE_HOST")
            || rest.contains("SERVICE_PORT")
            || port && (protocol || text.contains("://")))
}
