//! The configuration of the program under test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{self, Output};
use crate::{TARGET_SECRET, free_address, program};

/// Id of the first configured project, as long as Sinch's.
pub const PROJECT: &str = "5b0c1f2e-3d4a-4c5b-8a6d-7e8f90a1b2c3";
/// Callback path of the first configured project.
pub const PATH: &str = "/callbacks";
/// Callback secret of the first configured project. Every secret in this file is a word that occurs nowhere else, so
/// that a log can be searched for it.
pub const SECRET: &str = "hmac-secret-kx81vq-7d30ztbnq58wym";
/// Id of the access key of the first configured project.
pub const KEY_ID: &str = "key-of-the-test";
/// Secret of the access key of the first configured project.
pub const KEY_SECRET: &str = "key-secret-w93zjd";

/// Table of the configuration: its values by name.
type Table = BTreeMap<&'static str, Value>;

/// A configuration file that is being composed, and the program that it is for.
#[derive(Clone)]
pub struct Settings {
    folder: PathBuf,
    program: PathBuf,
    output: Output,
    tables: BTreeMap<&'static str, Table>,
    projects: Vec<Table>,
    targets: Vec<Table>,
    environment: Vec<(&'static str, String)>,
    open_files: Option<u32>,
}

impl Settings {
    /// Returns the settings of a test, with the service's files in the given folder. They are those of a real service,
    /// except that spans of seconds and minutes are fractions of a second. The output is kept.
    pub fn new(folder: &Path) -> Settings {
        Settings::common_settings(folder, program::of_the_test(), Output::Kept)
            .set("callbacks.listen", "127.0.0.1:0")
            // The time-outs are long, so that no caller is late just because the machine is busy.
            .set("callbacks.header_timeout_secs", 600)
            .set("callbacks.body_timeout_secs", 600)
            .set("callbacks.idle_timeout_secs", 600)
            .set("operators.listen", "127.0.0.1:0")
            .set("sinch.max_in_flight", 4)
            .set("sinch.requests_per_second", 50)
            .set("worker.staleness_secs", 0.3)
            .set("worker.staleness_max_secs", 0.6)
            .set("worker.backoff_base_secs", 0.1)
            .set("worker.backoff_cap_secs", 1)
            // The grace is long, so that no stop is late just because the machine is busy.
            .set("worker.shutdown_grace_secs", 60)
            // Nothing listens at this address: a test that plays Sinch sets another.
            .set("sinch.api_url", "http://127.0.0.1:9")
            .set("sinch.token_url", "http://127.0.0.1:9/token")
            // The time-out is long, so that no answer is late just because the machine is busy.
            .set("sinch.request_timeout_secs", 120)
            .set("log.format", "json")
    }

    /// Returns the settings of a bench, with the service's files in the given folder: the program as it is shipped, its
    /// own defaults, and addresses that stay. Its log, at the usual level, goes nowhere.
    pub fn of_a_bench(folder: &Path) -> Settings {
        Settings::common_settings(folder, program::as_shipped().to_owned(), Output::Discarded)
            .fix_addresses()
    }

    fn common_settings(folder: &Path, program: PathBuf, output: Output) -> Settings {
        let project = Table::from([
            ("id", PROJECT.into()),
            ("path", PATH.into()),
            ("secrets", json!([SECRET])),
            ("key_id", KEY_ID.into()),
            ("key_secret", KEY_SECRET.into()),
        ]);
        let settings = Settings {
            folder: folder.to_owned(),
            program,
            output,
            tables: BTreeMap::new(),
            projects: vec![project],
            targets: Vec::new(),
            environment: Vec::new(),
            open_files: None,
        };
        let database = settings.database();
        settings
            .set("callbacks.allow", json!(["127.0.0.1"]))
            .set("database.path", database.display().to_string())
    }

    /// Chooses addresses for the listeners that stay the same when the service is started again.
    #[must_use]
    pub fn fix_addresses(self) -> Settings {
        self.set("callbacks.listen", free_address().to_string())
            .set("operators.listen", free_address().to_string())
    }

    /// Returns the addresses of the callback listener and of the operators' listener, as they are set.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        ["callbacks", "operators"].map(|table| {
            let address = self.tables[table]["listen"].as_str();
            let address = address.and_then(|address| address.parse().ok());
            address.expect("an address is set")
        })
    }

    /// Returns the path of the program under test.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Returns the command that runs the program; its arguments follow.
    pub fn command(&self) -> Command {
        let mut command = match self.open_files {
            None => Command::new(&self.program),
            Some(files) => process::limited(files, &self.program),
        };
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Returns the destination of the program's output.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Returns the path of the database file.
    pub fn database(&self) -> PathBuf {
        self.folder.join("service.db")
    }

    /// Returns the path of the configuration file.
    pub fn path(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// Sets a key of the configuration, written `table.name`.
    #[must_use]
    pub fn set(mut self, key: &'static str, value: impl Into<Value>) -> Settings {
        let (table, name) = key.split_once('.').expect("a key is table.name");
        self.tables
            .entry(table)
            .or_default()
            .insert(name, value.into());
        self
    }

    /// Sets a key of the first configured project.
    #[must_use]
    pub fn set_project(mut self, name: &'static str, value: impl Into<Value>) -> Settings {
        self.projects[0].insert(name, value.into());
        self
    }

    /// Takes a key out of the first configured project.
    #[must_use]
    pub fn unset_project(mut self, name: &'static str) -> Settings {
        self.projects[0].remove(name);
        self
    }

    /// Sets a variable of the program's environment.
    #[must_use]
    pub fn set_environment(mut self, name: &'static str, value: impl Into<String>) -> Settings {
        self.environment.push((name, value.into()));
        self
    }

    /// Sets the maximum number of files that the program may have open.
    #[must_use]
    pub fn limit_files(mut self, files: u32) -> Settings {
        self.open_files = Some(files);
        self
    }

    /// Adds a project to the configuration whose orders are never fetched.
    #[must_use]
    pub fn add_project(mut self, id: &str, path: &str, secret: &str) -> Settings {
        self.projects.push(Table::from([
            ("id", id.into()),
            ("path", path.into()),
            ("secrets", json!([secret])),
            ("api", "off".into()),
        ]));
        self
    }

    /// Adds a target to the configuration, at a URL of this machine. What is told is signed with [`TARGET_SECRET`].
    #[must_use]
    pub fn add_target(mut self, name: &str, url: &str) -> Settings {
        self.targets.push(Table::from([
            ("name", name.into()),
            ("url", url.into()),
            ("secrets", json!([TARGET_SECRET])),
            ("allow", json!(["127.0.0.1"])),
        ]));
        self
    }

    /// Adds a command as a target to the configuration.
    #[must_use]
    pub fn add_command(mut self, name: &str, command: &[&str]) -> Settings {
        self.targets.push(Table::from([
            ("name", name.into()),
            ("command", json!(command)),
        ]));
        self
    }

    /// Sets a key of the target that was added last.
    #[must_use]
    pub fn set_target(mut self, name: &'static str, value: impl Into<Value>) -> Settings {
        let last = self.targets.last_mut().expect("a target was added");
        last.insert(name, value.into());
        self
    }

    /// Takes a key out of the target that was added last.
    #[must_use]
    pub fn unset_target(mut self, name: &'static str) -> Settings {
        let last = self.targets.last_mut().expect("a target was added");
        last.remove(name);
        self
    }

    /// Returns the text of the configuration file. Texts, numbers and lists are written alike in JSON and TOML.
    pub fn text(&self) -> String {
        let tables = self
            .tables
            .iter()
            .map(|(name, table)| (format!("[{name}]"), table));
        let projects = self
            .projects
            .iter()
            .map(|table| ("[[projects]]".to_owned(), table));
        let targets = self
            .targets
            .iter()
            .map(|table| ("[[targets]]".to_owned(), table));
        tables
            .chain(projects)
            .chain(targets)
            .map(|(head, table)| {
                let lines: String = table
                    .iter()
                    .map(|(name, value)| format!("{name} = {value}\n"))
                    .collect();
                format!("{head}\n{lines}\n")
            })
            .collect()
    }

    /// Writes the configuration file, and returns its path.
    pub fn write(&self) -> PathBuf {
        let path = self.path();
        std::fs::write(&path, self.text()).expect("the configuration can be written");
        path
    }
}
