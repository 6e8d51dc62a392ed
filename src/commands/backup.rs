//! `backup` and `restore`: copy the database into a file, and back.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::output::{print_error, print_line};
use super::{FAILURE, HELD, USAGE, fetched_backup, file, misconfigured, stop_or_report};
use crate::config::{Database, DatabasePlace};
use crate::store::sqlite::{self, Copied, CopyError, OpenError};
use number_order::counted;

/// Arguments of `backup`.
#[derive(clap::Args)]
pub struct Backup {
    /// Path of the copy; only its owner can read it.
    file: PathBuf,

    /// Let the copy replace an existing file.
    #[arg(long)]
    overwrite: bool,

    /// Have the running service make the copy and send it, as from another machine or with another user.
    #[arg(long)]
    from_service: bool,
}

/// Arguments of `restore`.
#[derive(clap::Args)]
pub struct Restore {
    /// The backup; it stays where it is.
    file: PathBuf,

    /// Put an existing database aside as PATH.replaced, in the place of an earlier one of that name.
    #[arg(long)]
    replace: bool,
}

/// Copies the database, whether or not the service runs.
pub async fn backup(config: Option<&Path>, arguments: Backup) -> ExitCode {
    let Backup {
        file,
        overwrite,
        from_service,
    } = arguments;
    if !is_plain(&file) {
        print_error(
            "the name of the copy has a line break, another control character, or bytes that are no UTF-8: sha256sum could \
             not find it by the checksum's file; name another one",
        );
        return ExitCode::from(USAGE);
    }
    if from_service {
        return fetched_backup::run(config, &file, overwrite).await;
    }
    let (database, stop) = match prepare_copy(config) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let copied = sqlite::backup(&database, &file, overwrite, &stop).await;
    report_copy(copied, &database, &file)
}

/// Returns `true` if the file beside the copy can name it in one line, as `sha256sum` reads it.
fn is_plain(copy: &Path) -> bool {
    let name = copy.file_name().unwrap_or_default().to_str();
    name.is_some_and(|name| !name.contains(char::is_control))
}

/// Puts a backup in the database's place, while the service does not run.
pub async fn restore(config: Option<&Path>, arguments: Restore) -> ExitCode {
    let Restore { file, replace } = arguments;
    let (database, stop) = match prepare_copy(config) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let copied = sqlite::restore(&database, &file, replace, &stop).await;
    report_copy(copied, &file, &database)
}

/// Returns the database's path, and a token that stops the command: it removes what it has made so far.
fn prepare_copy(config: Option<&Path>) -> Result<(PathBuf, CancellationToken), ExitCode> {
    let database = Database::load(file(config).as_deref(), std::env::vars_os())
        .map_err(|errors| misconfigured(&errors))?;
    match database.place {
        DatabasePlace::File(path) => Ok((path, stop_or_report()?)),
        #[cfg(feature = "postgres")]
        DatabasePlace::Server(url) => {
            print_error(format_args!(
                "the database is {url}: copy it with the server's own tools, such as pg_dump and pg_restore"
            ));
            Err(ExitCode::from(super::CONFIG))
        }
    }
}

fn report_copy(copied: Result<Copied, CopyError>, from: &Path, to: &Path) -> ExitCode {
    match copied {
        Ok(copied) => {
            let Copied {
                orders, deliveries, ..
            } = copied;
            let (from, to) = (from.display(), to.display());
            let orders = counted(orders.max(0).cast_unsigned(), "order", "orders");
            let callbacks = counted(deliveries.max(0).cast_unsigned(), "callback", "callbacks");
            print_line(format_args!("copied {from} to {to}: {orders}, {callbacks}"));
            for flaw in copied.flaws {
                print_error(format_args!("warning: {from}: {flaw}"));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_error(&error);
            match error {
                CopyError::Unusable(OpenError::Held(_)) => ExitCode::from(HELD),
                _ => ExitCode::from(FAILURE),
            }
        }
    }
}
