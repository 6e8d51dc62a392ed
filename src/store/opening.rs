//! Opening of the store: which backend keeps it, and where its data is.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;

#[cfg(feature = "postgres")]
use super::postgres;
use super::{OpenError, Store, StoreError, sqlite};

/// Settings by which a backend of the store is opened.
#[derive(Clone, Debug)]
pub enum Settings {
    /// One SQLite database file.
    Sqlite(sqlite::Settings),
    /// A PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Settings),
}

/// Shows the place of the store's data, as an operator names it.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Settings::Sqlite(settings) => settings.path.display().fmt(f),
            #[cfg(feature = "postgres")]
            Settings::Postgres(settings) => settings.place().fmt(f),
        }
    }
}

impl Settings {
    /// Returns `true` if several instances may work on the store at once.
    pub fn is_shared(&self) -> bool {
        match self {
            Settings::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Settings::Postgres(_) => true,
        }
    }

    /// Returns the files on this machine that more users can read than should, each with a warning.
    pub fn exposed(&self) -> Vec<(PathBuf, &'static str)> {
        match self {
            Settings::Sqlite(settings) => sqlite::exposed(&settings.path),
            #[cfg(feature = "postgres")]
            Settings::Postgres(_) => Vec::new(),
        }
    }
}

/// Task of the store's backend, which must run for as long as the store is used. It ends when every handle is dropped.
pub type Run = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// A store that can be opened, as far as its files show, and that no other instance works on, unless several may. Nothing has been opened
/// yet; when the value is dropped, everything is as it was.
#[derive(Debug)]
pub enum Held {
    /// An SQLite database file.
    Sqlite(sqlite::Held, sqlite::Settings),
    /// A PostgreSQL database, which is not held: other instances work on it, too.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Settings),
}

/// Makes sure that the store can be used, and keeps other instances off.
///
/// # Errors
///
/// [`OpenError`]; nothing has changed then.
pub fn hold(settings: Settings) -> Result<Held, OpenError> {
    match settings {
        Settings::Sqlite(settings) => {
            let held = sqlite::hold(&settings.path)?;
            Ok(Held::Sqlite(held, settings))
        }
        #[cfg(feature = "postgres")]
        Settings::Postgres(settings) => Ok(Held::Postgres(settings)),
    }
}

impl Held {
    /// Opens the store, creating it where there is none, and brings its schema up to date. Beside the handle it returns
    /// the backend's own work, which the caller runs.
    ///
    /// # Errors
    ///
    /// [`OpenError`], before anything is changed where that can be helped.
    pub async fn open(self) -> Result<(Store, Run), OpenError> {
        match self {
            Held::Sqlite(held, settings) => {
                let (store, run) = held.open(&settings).await?;
                Ok((Store::Sqlite(store), Box::pin(run)))
            }
            #[cfg(feature = "postgres")]
            Held::Postgres(settings) => {
                let (store, run) = postgres::open(&settings).await?;
                Ok((Store::Postgres(store), Box::pin(run)))
            }
        }
    }
}

/// Opens the store as [`hold`] and [`Held::open`] do.
///
/// # Errors
///
/// [`OpenError`].
pub async fn open(settings: Settings) -> Result<(Store, Run), OpenError> {
    hold(settings)?.open().await
}

/// Does what a start does, and undoes it. Returns the warnings that a start would log.
///
/// # Errors
///
/// The error that a start would fail with.
pub async fn check(settings: &Settings) -> Result<Vec<String>, OpenError> {
    match settings {
        Settings::Sqlite(settings) => Ok(sqlite::check(settings).await?),
        #[cfg(feature = "postgres")]
        Settings::Postgres(settings) => Ok(postgres::check(settings).await?),
    }
}
