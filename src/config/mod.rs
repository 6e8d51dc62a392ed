//! The operator's configuration: one TOML file, overlaid with environment variables.
//!
//! `SINCH_CALLBACKS_<SECTION>__<KEY>` sets one key, and a number stands for a place in a list:
//! `SINCH_CALLBACKS_PROJECTS__0__KEY_ID`. A list of networks may be given whole, separated by commas;
//! `…__SECRETS` is a single secret, taken verbatim, since a secret may hold a comma. An empty variable
//! counts as not set.
//!
//! Everything is checked here, once, so that what a [`Config`] can express can also be run. Every fault
//! is reported in one form: its place, the key, the value (never a secret), and the remedy.

mod check;
mod env;
mod filter;
mod hidden;
mod key;
mod network;
mod project;
mod raw;
mod read;
mod secrets;
mod sections;
mod tree;
mod values;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use crate::exposure;
pub use env::FILE_VARIABLE;
use env::Variable;
use number_order::Limits;
pub use sections::{
    Api, Auth, Callbacks, Credentials, Database, Log, LogFormat, Operators, Project, Retention,
    Signature, Sinch, Worker, default_deadlines,
};
use tree::Tree;
use values::Check;

/// Complete configuration, as checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listener that Sinch calls.
    pub callbacks: Callbacks,
    /// Listener for people and monitoring.
    pub operators: Operators,
    /// Database in which everything is kept.
    pub database: Database,
    /// Fetching from Sinch.
    pub worker: Worker,
    /// Deadlines after which an order needs attention.
    pub deadlines: Limits,
    /// Retention periods of deliveries and orders.
    pub retention: Retention,
    /// Addresses, limits and timeouts of Sinch's API.
    pub sinch: Sinch,
    /// Level, filter and format of the log.
    pub log: Log,
    /// Projects. There is at least one; ids and paths are distinct.
    pub projects: Vec<Project>,
}

/// Configuration, and the warnings about it: what is unwise without being wrong.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Configuration that passed every check.
    pub config: Config,
    /// Warnings for the log, kept because the configuration is read before the log exists.
    pub warnings: Vec<String>,
}

/// Reasons why there is no configuration: every fault that was found, each in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    /// Faults, in words. None reveals a secret.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl Config {
    /// Reads the file, if there is one, and overlays it with this program's variables in `env`.
    ///
    /// Files that hold secrets are read too; their paths are relative to the working directory.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, ConfigErrors> {
        let tree = tree(path)?;
        let exposed = path.filter(|_| tree.holds_secret()).and_then(exposure::of);
        let exposed = exposed.map(|what| format!("{tree}: holds secrets, and {what}"));
        let mut loaded = whole(tree, &env::ours(env))?;
        loaded.warnings.extend(exposed);
        Ok(loaded)
    }
}

/// Reads the tree with the variables over it, and checks everything.
fn whole(mut tree: Tree, variables: &[Variable]) -> Result<Loaded, ConfigErrors> {
    let mut faults = tree.overlay(variables);
    match tree.read() {
        // A variable without a place does not affect the others, so the rest is checked all the same.
        Ok(raw) => {
            let (loaded, found) = check::check(raw, &tree);
            faults.extend(found);
            if faults.is_empty() {
                return Ok(loaded);
            }
        }
        Err(found) => faults.extend(found),
    }
    Err(ConfigErrors(faults))
}

impl Operators {
    /// Reads what a command must know to call the running service. No other section is read, for a user who may
    /// call the service need not be able to read its secrets. The token is optional.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Operators, ConfigErrors> {
        section("operators", path, env, |check, raw| {
            check.route(raw.operators)
        })
    }

    /// Reads the address of the service, for calls that need no token.
    pub fn address(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<SocketAddr, ConfigErrors> {
        section("operators", path, env, |check, raw| {
            check.operators_listen(raw.operators.listen)
        })
    }
}

impl Database {
    /// Reads what a command must know to copy the database. No other section is read.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Database, ConfigErrors> {
        section("database", path, env, |check, raw| {
            check.database(raw.database)
        })
    }
}

/// Runs `check` on one section, with everything else left out.
fn section<T>(
    name: &str,
    path: Option<&Path>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    check: impl FnOnce(&mut Check<'_>, raw::Root) -> T,
) -> Result<T, ConfigErrors> {
    let mut tree = tree(path)?;
    tree.keep(name);
    let mut variables = env::ours(env);
    variables.retain(|variable| variable.key.is_in(name));
    let mut faults = tree.overlay(&variables);
    match tree.read() {
        Ok(raw) => {
            let mut found = Check::new(&tree);
            let read = check(&mut found, raw);
            faults.extend(found.faults);
            if faults.is_empty() {
                return Ok(read);
            }
        }
        Err(found) => faults.extend(found),
    }
    Err(ConfigErrors(faults))
}

/// Parses the file; the tree is empty if there is no file.
fn tree(path: Option<&Path>) -> Result<Tree, ConfigErrors> {
    let name = path
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let text = path.map(std::fs::read_to_string).transpose();
    let text = text.map_err(|error| format!("{name}: cannot be read: {error}; check the path"));
    let tree = text.and_then(|text| Tree::parse(&name, &text.unwrap_or_default()));
    tree.map_err(|fault| ConfigErrors(vec![fault]))
}
