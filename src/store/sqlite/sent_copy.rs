//! A copy of the database that the running service makes at an operator's request, and the file that it becomes there.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sqlx::{ConnectOptions, Connection};
use tokio_util::sync::CancellationToken;

use super::Store;
use super::backup::{copy_into, finish, refuse_taken};
use super::checksum::{Checksum, compute};
use super::copy::{CopyError, sync_folder, unless_stopped};
use super::integrity::Copied;
use super::location::{folder_of, unusable};
use super::schema;
use super::work_folder::WorkFolder;

/// A copy of the database as it is at one moment. Its file has no name any more, and goes when it is dropped.
pub struct DatabaseCopy {
    /// The copy, to be read from its beginning.
    pub file: File,
    /// Size of the copy.
    pub bytes: u64,
    /// SHA-256 of the copy.
    pub checksum: Checksum,
    /// What the copy holds.
    pub copied: Copied,
}

impl Store {
    /// Copies the database beside itself, while everything goes on. `stop` ends that.
    pub(in crate::store) async fn copy(
        &self,
        stop: &CancellationToken,
    ) -> Result<DatabaseCopy, CopyError> {
        unless_stopped(self.try_copy(stop).await, stop)
    }

    async fn try_copy(&self, stop: &CancellationToken) -> Result<DatabaseCopy, CopyError> {
        self.want_room_for_copy()?;
        let system = |error| CopyError::system(&self.path, error);
        let work_folder = WorkFolder::beside(&self.path).map_err(system)?;
        let copy = work_folder.file("copy.db");
        let failed = |error: sqlx::Error| unusable(&self.path, &error.to_string());
        let mut options = File::options();
        let made = options.write(true).create_new(true).mode(0o600).open(&copy);
        drop(made.map_err(system)?);
        // A connection of its own, since a reader of the pool would be missing to operators until the end. SQLite knows of the
        // others in this process, and keeps their locks.
        let options = schema::options(&self.path).read_only(true);
        let mut db = options.connect().await.map_err(failed)?;
        let copied = copy_into(&mut db, &self.path, &copy, &copy, stop).await;
        db.close().await.map_err(failed)?;
        let copied = copied?;
        let read = tokio::task::spawn_blocking(move || {
            let checksum = compute(File::open(&copy)?)?;
            let file = File::open(&copy)?;
            let bytes = file.metadata()?.len();
            drop(work_folder);
            io::Result::Ok((file, bytes, checksum))
        });
        let read = read.await.map_err(io::Error::other).flatten();
        let (file, bytes, checksum) = read.map_err(system)?;
        Ok(DatabaseCopy {
            file,
            bytes,
            checksum,
            copied,
        })
    }

    /// Refuses a copy that would leave too little of the disk for callbacks.
    fn want_room_for_copy(&self) -> Result<(), CopyError> {
        let system = |error| CopyError::system(&self.path, error);
        let needed_bytes = std::fs::metadata(&self.path).map_err(system)?.len();
        let (free_bytes, free_min_bytes) = (self.space.free_bytes(), self.space.free_min_bytes());
        if free_bytes < needed_bytes.saturating_add(free_min_bytes) {
            return Err(CopyError::NoRoom {
                needed_bytes,
                free_bytes,
                free_min_bytes,
            });
        }
        Ok(())
    }
}

/// A backup that comes from the running service, until it is whole. Dropped before, it leaves nothing.
pub struct ReceivedCopy {
    file: File,
    digest: Sha256,
    target: PathBuf,
    may_overwrite: bool,
    work_folder: WorkFolder,
}

impl ReceivedCopy {
    /// Prepares a file that will take its place at `target`.
    ///
    /// # Errors
    ///
    /// [`CopyError`] if it could not take its place, or cannot be made.
    pub fn begin(target: &Path, may_overwrite: bool) -> Result<ReceivedCopy, CopyError> {
        let system = |error| CopyError::system(target, error);
        let name = target.file_name();
        let name = name.ok_or_else(|| system(io::ErrorKind::IsADirectory.into()))?;
        let folder = std::fs::canonicalize(folder_of(target)).map_err(system)?;
        let target = folder.join(name);
        refuse_taken(&target, may_overwrite)?;
        let system = |error| CopyError::system(&target, error);
        let work_folder = WorkFolder::beside(&target).map_err(system)?;
        let mut options = File::options();
        let options = options.write(true).create_new(true).mode(0o600);
        let file = options.open(work_folder.file("copy.db")).map_err(system)?;
        Ok(ReceivedCopy {
            file,
            digest: Sha256::new(),
            target,
            may_overwrite,
            work_folder,
        })
    }

    /// Adds what has come.
    ///
    /// # Errors
    ///
    /// [`CopyError::System`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        self.digest.update(bytes);
        let written = self.file.write_all(bytes);
        written.map_err(|error| CopyError::system(&self.target, error))
    }

    /// Puts the file in its place, with its checksum beside it, if it is what was sent.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; there is no backup then.
    pub fn finish(self, sent: &Checksum) -> Result<(), CopyError> {
        let received: Checksum = self.digest.finalize().into();
        if received != *sent {
            return Err(CopyError::Garbled);
        }
        let system = |error| CopyError::system(&self.target, error);
        self.file.sync_all().map_err(system)?;
        let copy = self.work_folder.file("copy.db");
        let (target, work_folder) = (&self.target, &self.work_folder);
        finish(&copy, target, &received, self.may_overwrite, work_folder)?;
        sync_folder(folder_of(target)).map_err(system)
    }
}
