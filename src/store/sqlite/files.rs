//! Checks of the database's files under the running service, which other programs may change.
//!
//! SQLite holds the files open and goes on writing when they are deleted, replaced or truncated. Acknowledged
//! deliveries would then be where no path leads to, or nowhere. For this reason the files are examined after each
//! commit, which takes a few system calls.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};
use sqlx::{Row, SqliteConnection};

use super::location::{beside, length};

/// Length of the WAL's header, in bytes. SQLite rewrites the header whenever it restarts the WAL.
const WAL_HEADER_BYTES: usize = 32;
/// Position in the WAL's header of the two random numbers that every page in the log has as well. The index in the
/// `-shm` has them at [`INDEX_SALTS`].
const WAL_SALTS: Range<usize> = 16..24;
const INDEX_SALTS: Range<usize> = 32..40;
/// Position in the WAL's index of the number of pages in the log.
const INDEX_PAGES: Range<usize> = 16..20;
/// Length of the head of the WAL's index, in bytes. It is there twice, so that a reader can recognise one that is being
/// written.
const INDEX_HEAD_BYTES: usize = 48;
/// Number of bytes before each page in the WAL; the first four are the page's number, which is never zero.
const FRAME_HEADER_BYTES: u64 = 24;
/// First bytes of the WAL as a number, except for the last bit.
const WAL_MAGIC: u32 = 0x377f_0682;

const SELECT_PAGES: &str = "SELECT page_size, page_count FROM pragma_page_size, pragma_page_count";

/// Returns the size of a page of the database in bytes, and the number of its pages.
pub(super) async fn pages(db: &mut SqliteConnection) -> sqlx::Result<(u64, u64)> {
    let row = sqlx::query(SELECT_PAGES).fetch_one(db).await?;
    let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    Ok((count("page_size")?, count("page_count")?))
}

/// The database's files as they were after the last commit.
pub(super) struct Files {
    database: WatchedFile,
    /// Minimum length of the database file, in bytes, by what was committed: SQLite returns space to the disk some time
    /// after the commit that frees it.
    shortest_bytes: u64,
    shm: WatchedFile,
    wal: Wal,
}

impl Files {
    /// Records the files of an open database that has `pages` pages.
    pub(super) fn of(path: &Path, page_bytes: u64, pages: u64) -> io::Result<Files> {
        let committed = pages.saturating_mul(page_bytes);
        let is_longer = std::fs::metadata(path)?.len() > committed;
        Ok(Files {
            database: WatchedFile::of(path.to_owned())?,
            shortest_bytes: if is_longer { committed } else { u64::MAX },
            shm: WatchedFile::of(beside(path, "-shm"))?,
            wal: Wal::of(beside(path, "-wal"), &beside(path, "-shm"), page_bytes)?,
        })
    }

    /// Checks that no other program has changed the database's files. The error says what has happened to them.
    pub(super) fn examine(&mut self) -> Result<(), String> {
        self.examine_beside_the_wal()?;
        self.wal.known.examine()?;
        self.examine_log()
    }

    /// Checks that SQLite will write behind all that was committed: it goes by the index in the `-shm`, so with an older
    /// index it would write over pages that are acknowledged.
    pub(super) fn examine_index(&self) -> Result<(), String> {
        if self.wal.has_intact_index() {
            Ok(())
        } else {
            Err(self.shm.fault("overwritten"))
        }
    }

    /// Notes that a commit has left the database file with the given number of pages.
    pub(super) fn shrunk_to(&mut self, pages: u64) {
        let bytes = pages.saturating_mul(self.wal.page_bytes);
        self.shortest_bytes = self.shortest_bytes.min(bytes);
        self.database.bytes_min = self.database.bytes_min.min(bytes);
    }

    /// Returns `true` if the WAL can be checkpointed into the database: all of it is there, though perhaps no path
    /// leads to it any more.
    pub(super) fn can_be_checkpointed(&mut self) -> bool {
        self.examine_beside_the_wal().is_ok() && self.examine_log().is_ok()
    }

    /// Checks the content of the log, and its index.
    fn examine_log(&mut self) -> Result<(), String> {
        let found = self.wal.examine()?;
        self.examine_index()?;
        if let Some(found) = found {
            self.wal.note(found);
        }
        Ok(())
    }

    /// Returns the maximum length of this process's files in bytes, if one of the database's files has it.
    pub(super) fn reached_limit(&self) -> Option<u64> {
        let limit = getrlimit(Resource::Fsize).current?;
        let mut files = [&self.database, &self.shm, &self.wal.known].into_iter();
        files
            .any(|file| length(&file.path) >= limit)
            .then_some(limit)
    }

    fn examine_beside_the_wal(&mut self) -> Result<(), String> {
        let bytes = self.database.examine()?;
        self.database.bytes_min = bytes.min(self.shortest_bytes);
        self.shm.bytes_min = self.shm.examine()?;
        Ok(())
    }
}

/// A file of the database that must stay where it is, and must not become shorter than its minimum.
struct WatchedFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    bytes_min: u64,
}

impl WatchedFile {
    fn of(path: PathBuf) -> io::Result<WatchedFile> {
        let file = std::fs::metadata(&path)?;
        Ok(WatchedFile {
            device: file.dev(),
            inode: file.ino(),
            bytes_min: 0,
            path,
        })
    }

    /// Returns the length of the file, if it is still the same file.
    fn examine(&self) -> Result<u64, String> {
        match std::fs::metadata(&self.path) {
            Ok(file) if (file.dev(), file.ino()) != (self.device, self.inode) => {
                Err(self.fault("replaced"))
            }
            Ok(file) if file.len() < self.bytes_min => Err(self.fault("cut short")),
            Ok(file) => Ok(file.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(self.fault("moved or deleted"))
            }
            Err(error) => Err(format!(
                "{} cannot be looked at: {error}",
                self.path.display()
            )),
        }
    }

    fn fault(&self, deed: &str) -> String {
        format!("{} was {deed} while in use", self.path.display())
    }
}

/// The write-ahead log. SQLite writes to its own position in it whatever its length: after the next commit a log that
/// was truncated is as long as before, with nothing where the rest was. For this reason the log itself is read.
struct Wal {
    known: WatchedFile,
    /// The open log. Closing it releases none of SQLite's locks, which are on the other two files.
    file: File,
    /// The open `-shm`. SQLite's locks are on it, so it is closed only after SQLite has closed it.
    index: File,
    page_bytes: u64,
    header: [u8; WAL_HEADER_BYTES],
    bytes: u64,
    /// Number of pages in the log by the index.
    indexed_pages: u32,
}

/// What the index in the `-shm` says of the write-ahead log.
struct IndexHead {
    salts: [u8; 8],
    pages: u32,
}

impl Wal {
    fn of(path: PathBuf, index: &Path, page_bytes: u64) -> io::Result<Wal> {
        let file = File::open(&path)?;
        let bytes = file.metadata()?.len();
        let mut header = [0; WAL_HEADER_BYTES];
        if bytes > 0 {
            file.read_exact_at(&mut header, 0)?;
        }
        let mut wal = Wal {
            known: WatchedFile::of(path)?,
            bytes,
            file,
            page_bytes,
            header,
            index: File::open(index)?,
            indexed_pages: 0,
        };
        wal.note_index();
        Ok(wal)
    }

    /// Checks that the write-ahead log still has all that was in it, and returns its header and length; `None` if nothing
    /// was ever written to it.
    fn examine(&self) -> Result<Option<([u8; WAL_HEADER_BYTES], u64)>, String> {
        let bytes = self.file.metadata().map_or(0, |file| file.len());
        if bytes == 0 && self.bytes == 0 {
            return Ok(None);
        }
        let mut header = [0; WAL_HEADER_BYTES];
        let read = self.file.read_exact_at(&mut header, 0);
        let [a, b, c, d, ..] = header;
        let is_log = read.is_ok() && u32::from_be_bytes([a, b, c, d]) & !1 == WAL_MAGIC;
        // If the log has another header, SQLite has restarted it, once everything was in the database.
        let goes_on = header == self.header;
        if !is_log || goes_on && (bytes < self.bytes || !self.has_last_page()) {
            return Err(self.known.fault("cut short"));
        }
        if !goes_on && !self.is_indexed(&header) {
            return Err(self.known.fault("overwritten"));
        }
        Ok(Some((header, bytes)))
    }

    /// Notes the log as it is now, by its header and length.
    fn note(&mut self, (header, bytes): ([u8; WAL_HEADER_BYTES], u64)) {
        (self.header, self.bytes) = (header, bytes);
        self.note_index();
    }

    /// Returns the head of the index; `None` if the index is empty, or if another program is writing it: that is no
    /// evidence against the log.
    fn index_head(&self) -> io::Result<Option<IndexHead>> {
        let mut index = [0; 2 * INDEX_HEAD_BYTES];
        self.index.read_exact_at(&mut index, 0)?;
        let (head, again) = index.split_at(INDEX_HEAD_BYTES);
        let pages = field(head, INDEX_PAGES).map_or(0, u32::from_ne_bytes);
        let salts = field(head, INDEX_SALTS).filter(|_| head == again && pages > 0);
        Ok(salts.map(|salts| IndexHead { salts, pages }))
    }

    /// Notes the number of pages that the index gives to the log as it is now.
    fn note_index(&mut self) {
        let head = self.index_head().ok().flatten();
        let head = head.filter(|head| head.salts == self.header[WAL_SALTS]);
        self.indexed_pages = head.map_or(0, |head| head.pages);
    }

    /// Returns `true` if the log with this header is the one that SQLite writes to: the index, which SQLite goes by, has
    /// the same random numbers.
    fn is_indexed(&self, header: &[u8; WAL_HEADER_BYTES]) -> bool {
        let head = self.index_head();
        head.is_ok_and(|head| head.is_none_or(|head| head.salts == header[WAL_SALTS]))
    }

    /// Returns `true` if the index is that of the log, and still has all pages that it had. With each restart of the log
    /// both get other random numbers, and the index starts over.
    fn has_intact_index(&self) -> bool {
        let mut header = [0; WAL_HEADER_BYTES];
        let read = self.file.read_exact_at(&mut header, 0);
        let (Ok(()), Ok(Some(head))) = (read, self.index_head()) else {
            return true;
        };
        let is_restarted = header[WAL_SALTS] != self.header[WAL_SALTS];
        head.salts == header[WAL_SALTS] && (is_restarted || head.pages >= self.indexed_pages)
    }

    /// Returns `true` if the page that was the last in the write-ahead log is where it was.
    fn has_last_page(&self) -> bool {
        let header_bytes = WAL_HEADER_BYTES as u64;
        let frame_bytes = FRAME_HEADER_BYTES + self.page_bytes;
        let frames = self.bytes.saturating_sub(header_bytes) / frame_bytes;
        let Some(before) = frames.checked_sub(1) else {
            return true;
        };
        let mut number = [0; 4];
        let at = header_bytes + before * frame_bytes;
        self.file.read_exact_at(&mut number, at).is_ok() && number != [0; 4]
    }
}

/// Returns a part of the index's head.
fn field<const N: usize>(head: &[u8], place: Range<usize>) -> Option<[u8; N]> {
    head.get(place)?.try_into().ok()
}
