//! The operator's configuration: one TOML file, overlaid with environment variables.
//!
//! `SINCH_CALLBACKS_<SECTION>__<KEY>` sets one key, and a number stands for a place in a list:
//! `SINCH_CALLBACKS_PROJECTS__0__KEY_ID`. A list may be given whole, separated by commas;
//! `…__SECRETS` is a single secret, taken verbatim, since a secret may hold a comma. An empty variable
//! counts as not set.
//!
//! Everything is checked here, once, so that what a [`Config`] can express can also be run. Every fault
//! is reported in one form: its place, the key, the value (never a secret), and the remedy.

mod in_force;
mod keys;
mod sections;
mod source;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use crate::exposure;
use crate::files::read_text_limited;
pub use in_force::{Setting, Source};
pub use keys::doc::{KeyDoc, SectionDoc, ShownValue};
use keys::reader::{Findings, Reader, default_of};
pub use keys::secrets::CallbackSecret;
#[cfg(feature = "postgres")]
pub use sections::DatabaseUrl;
use sections::deadlines;
pub use sections::deadlines::Deadlines;
pub use sections::{
    Api, Auth, Callbacks, Credentials, Database, DatabasePlace, Destination, Log, LogFormat,
    OPERATORS, Operators, Project, ProjectAccess, Retention, Scope, SecretsPlace, Signature, Sinch,
    Target, Token, Worker,
};
use source::env::{self, Variable};
pub use source::env::{FILE_VARIABLE, PREFIX as VARIABLE_PREFIX};
use source::tree::Tree;

/// Maximum size of the configuration file: more than the longest list of networks or projects needs.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Complete configuration, as checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listener that Sinch calls, for callbacks.
    pub callbacks: Callbacks,
    /// Listener for people and monitoring.
    pub operators: Operators,
    /// Database in which everything is kept.
    pub database: Database,
    /// Staleness, attempts and waits of fetches, and the grace of a stop.
    pub worker: Worker,
    /// Times after which an order or the service needs attention.
    pub deadlines: Deadlines,
    /// Retention periods of deliveries and orders.
    pub retention: Retention,
    /// Addresses, limits and timeouts of Sinch's API.
    pub sinch: Sinch,
    /// Level, filter and format of the log.
    pub log: Log,
    /// Projects of Sinch that are served. There is at least one; ids and paths are distinct.
    pub projects: Vec<Project>,
    /// Other systems that are told of changes. Their names are distinct.
    pub targets: Vec<Target>,
    /// Callers of the operators' listener with tokens of their own. Names and tokens are distinct.
    pub tokens: Vec<Token>,
    /// Every key with its value and where it came from, as people may see it.
    pub in_force: Vec<Setting>,
}

/// Configuration, and the warnings about it: what is allowed but unwise.
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
    /// Returns the faults of the configuration, in words. None reveals a secret.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl Config {
    /// Reads the configuration's file, if there is one, and overlays it with this program's variables in `env`.
    ///
    /// Files that hold secrets are read too; their paths are relative to the working directory.
    ///
    /// # Errors
    ///
    /// Every fault of the file, the variables and the files of secrets.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, ConfigErrors> {
        let tree = parse_file(path)?;
        let exposed = path.filter(|_| tree.holds_secret()).and_then(exposure::of);
        let exposed = exposed.map(|what| format!("{tree}: holds secrets, and {what}"));
        let mut loaded = Loaded::of(tree, &env::ours(env))?;
        loaded.warnings.extend(exposed);
        Ok(loaded)
    }

    /// Reads every section of the configuration.
    fn read(reader: &mut Reader<'_>) -> Config {
        let mut config = Config {
            callbacks: Callbacks::read(reader),
            operators: Operators::read(reader),
            database: Database::read(reader),
            worker: Worker::read(reader),
            deadlines: deadlines::read(reader),
            retention: Retention::read(reader),
            sinch: Sinch::read(reader),
            log: Log::read(reader),
            projects: Project::read_all(reader),
            targets: Vec::new(),
            tokens: Vec::new(),
            in_force: Vec::new(),
        };
        config.targets = Target::read_all(reader, &config.projects);
        config.tokens = Token::read_all(reader, config.operators.token.as_ref());
        config
    }
}

impl Loaded {
    /// Reads the whole configuration from a tree with the variables over it.
    fn of(tree: Tree, variables: &[Variable]) -> Result<Loaded, ConfigErrors> {
        let Read {
            value: mut config,
            warnings,
            in_force,
        } = read(tree, variables, Config::read)?;
        config.in_force = in_force;
        Ok(Loaded { config, warnings })
    }
}

/// Sections of the configuration as they were read.
struct Read<T> {
    value: T,
    warnings: Vec<String>,
    in_force: Vec<Setting>,
}

/// Reads the tree of the configuration with the variables over it.
///
/// A variable that cannot be set does not affect the others, so the rest is checked all the same.
fn read<T>(
    mut tree: Tree,
    variables: &[Variable],
    read: impl FnOnce(&mut Reader<'_>) -> T,
) -> Result<Read<T>, ConfigErrors> {
    let mut faults = env::overlay(&mut tree, variables);
    let mut reader = Reader::new(&tree);
    let value = read(&mut reader);
    let Findings {
        faults: found,
        warnings,
        sections,
    } = reader.finish();
    faults.extend(found);
    if faults.is_empty() {
        Ok(Read {
            value,
            warnings,
            in_force: in_force::settings(&tree, &sections),
        })
    } else {
        Err(ConfigErrors(faults))
    }
}

/// Returns the default of the section `[deadlines]`.
pub fn default_deadlines() -> Deadlines {
    default_of(deadlines::read)
}

/// Returns every section of the configuration with every key, as documents show them.
pub fn reference() -> Vec<SectionDoc> {
    // A list of tables shows its keys only if it has a table.
    let tree = Tree::parse("", "[[projects]]\n[[targets]]\n[[tokens]]").unwrap_or_default();
    let mut reader = Reader::new(&tree);
    Config::read(&mut reader);
    reader.finish().sections
}

impl Operators {
    /// Reads the settings that a command needs to call the running service. No other section is read, because a user
    /// who may call the service need not be able to read its secrets. The token is optional.
    ///
    /// # Errors
    ///
    /// Every fault of `[operators]`.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Operators, ConfigErrors> {
        sections(&["operators"], path, env, Operators::read_for_calls)
    }

    /// Reads the address of the running service, for calls that need no token.
    ///
    /// # Errors
    ///
    /// Every fault of the address.
    pub fn address(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<SocketAddr, ConfigErrors> {
        sections(&["operators"], path, env, Operators::read_address)
    }
}

impl Callbacks {
    /// Reads what a command must know to name the URL at which the service takes callbacks. No other section is read.
    ///
    /// # Errors
    ///
    /// Every fault of `[callbacks]`.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Callbacks, ConfigErrors> {
        sections(&["callbacks"], path, env, Callbacks::read)
    }
}

impl Database {
    /// Reads the settings that a command needs to copy the database. No other section is read.
    ///
    /// # Errors
    ///
    /// Every fault of `[database]`.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Database, ConfigErrors> {
        sections(&["database"], path, env, Database::read)
    }
}

/// Settings that a command needs to call Sinch itself.
#[derive(Clone, Debug)]
pub struct SinchAccess {
    /// Addresses, limits and timeouts of Sinch's API.
    pub sinch: Sinch,
    /// Projects, each with its access key. There is at least one; ids and paths are distinct.
    pub projects: Vec<ProjectAccess>,
}

impl SinchAccess {
    /// Reads the settings that a command needs to call Sinch. No other section is read, and no secret of callbacks,
    /// because a user who may order numbers need not be able to read them.
    ///
    /// # Errors
    ///
    /// Every fault of `[sinch]`, and of the ids, paths and access keys of `[[projects]]`.
    pub fn load(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<SinchAccess, ConfigErrors> {
        sections(&["sinch", "projects"], path, env, |reader| SinchAccess {
            sinch: Sinch::read(reader),
            projects: ProjectAccess::read_all(reader),
        })
    }
}

/// Reads some sections of the configuration, with everything else left out.
fn sections<T>(
    names: &[&str],
    path: Option<&Path>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    read_sections: impl FnOnce(&mut Reader<'_>) -> T,
) -> Result<T, ConfigErrors> {
    let mut tree = parse_file(path)?;
    tree.keep(names);
    let mut variables = env::ours(env);
    variables.retain(|variable| names.iter().any(|name| variable.key.is_in(name)));
    Ok(read(tree, &variables, read_sections)?.value)
}

/// Parses the configuration file. The tree is empty if there is no file.
fn parse_file(path: Option<&Path>) -> Result<Tree, ConfigErrors> {
    let name = path
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let text = path.map(|path| read_text_limited(path, FILE_MAX_BYTES));
    let text = text.transpose();
    let text = text.map_err(|error| format!("{name}: cannot be read: {error}; check the path"));
    let tree = text.and_then(|text| Tree::parse(&name, &text.unwrap_or_default()));
    tree.map_err(|fault| ConfigErrors(vec![fault]))
}
