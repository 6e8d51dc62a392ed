//! The SHA-256 of a backup, in a file beside it as `sha256sum` writes and reads it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::copy::CopyError;
use super::location::beside;
use super::work_folder::WorkFolder;

/// SHA-256 of a file.
pub type Checksum = [u8; 32];

/// Size of the buffer for reading a file, in bytes.
const BUFFER_BYTES: usize = 1 << 18;

/// Suffix of the file beside a backup.
const SUFFIX: &str = ".sha256";

/// Returns the path of the file that has a backup's checksum.
pub(super) fn path_beside(backup: &Path) -> PathBuf {
    beside(backup, SUFFIX)
}

/// Computes the checksum of all that can be read.
pub(super) fn compute(mut from: impl Read) -> io::Result<Checksum> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(digest.finalize().into()),
            bytes => digest.update(&buffer[..bytes]),
        }
    }
}

/// Writes the checksum of a backup beside it, for its owner alone.
pub(super) fn write(
    backup: &Path,
    checksum: &Checksum,
    work_folder: &WorkFolder,
) -> io::Result<()> {
    let name = backup.file_name().unwrap_or_default().display();
    let prepared = work_folder.file("checksum");
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&prepared)?;
    writeln!(file, "{}  {name}", in_hex(checksum))?;
    file.sync_all()?;
    std::fs::rename(prepared, path_beside(backup))
}

/// Compares a backup, of which `copy` is a copy, with the checksum beside it, if there is one.
pub(super) fn verify(backup: &Path, copy: &Path) -> Result<(), CopyError> {
    let path = path_beside(backup);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CopyError::NoChecksum(path, error.to_string())),
    };
    let expected = text.split_whitespace().next().unwrap_or_default();
    let computed = File::open(copy).and_then(compute);
    let computed = computed.map_err(|error| CopyError::system(copy, error))?;
    if expected.eq_ignore_ascii_case(&in_hex(&computed)) {
        Ok(())
    } else {
        Err(CopyError::Checksum(backup.to_owned()))
    }
}

/// Returns a checksum in hexadecimal digits.
pub fn in_hex(checksum: &Checksum) -> String {
    use std::fmt::Write;
    checksum.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
