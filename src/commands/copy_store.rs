//! `copy-store`: moves an installation from a file of SQLite's to a PostgreSQL database.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output::{print_error, print_line};
use super::{CONFIG, FAILURE, HELD, file, misconfigured, stop_or_report};
use crate::app;
use crate::config::{Database, DatabasePlace};
use crate::store::copy_store::{CopiedStore, CopyStoreError, copy_store};

/// Arguments of `copy-store`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The SQLite database that is copied; it stays as it is. Without it, that of database.path.
    #[arg(value_name = "FROM")]
    from: Option<PathBuf>,
}

/// Copies the SQLite database of a service that does not run into the database that `database.url` names.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let database = match Database::load(file(config).as_deref(), std::env::vars_os()) {
        Ok(database) => database,
        Err(errors) => return misconfigured(&errors),
    };
    let DatabasePlace::Server(url) = &database.place else {
        print_error(
            "database.url: not set; write the address of an empty PostgreSQL database there, or in a file that database.url_file names",
        );
        return ExitCode::from(CONFIG);
    };
    let stop = match stop_or_report() {
        Ok(stop) => stop,
        Err(code) => return code,
    };
    let from = arguments.from.as_ref().unwrap_or(&database.path);
    let to = app::server_settings(&database, url, Vec::new());
    match copy_store(from, &to, &stop, &mut |line| print_error(line)).await {
        Ok(copied) => {
            report(&copied, from);
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn report(copied: &CopiedStore, from: &Path) {
    let from = from.display();
    for flaw in &copied.flaws {
        print_error(format_args!("warning: {from}: {flaw}"));
    }
    for table in &copied.tables {
        print_line(format_args!(
            "{:<16} {:>10} rows  {}",
            table.name, table.rows, table.digest
        ));
    }
    print_line(format_args!(
        "copied {from} to {}: all tables are equal, and the service can start on it",
        copied.place
    ));
}

fn exit_code(error: &CopyStoreError) -> u8 {
    match error {
        error if error.is_held() => HELD,
        error if error.is_of_address() => CONFIG,
        _ => FAILURE,
    }
}
