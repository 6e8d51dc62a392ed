//! Reading of whole files that a person names: only regular files, each up to a maximum size for its purpose.

use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Reads a regular file of at most `max_bytes` bytes. Never blocks: a pipe, to which perhaps nobody ever writes, is
/// refused.
///
/// # Errors
///
/// Returns the system's error; `InvalidInput` for a pipe, a device or a socket, and `FileTooLarge` for a larger file.
pub fn read_limited(path: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = options.read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        let what = "not a regular file";
        return Err(Error::new(ErrorKind::InvalidInput, what));
    }
    // For a folder the system says why it cannot be read.
    read_to_limit(file, max_bytes)
}

/// Reads a regular file as [`read_limited`] does, as text.
///
/// # Errors
///
/// Returns those of [`read_limited`], and `InvalidData` for what is not UTF-8.
pub fn read_text_limited(path: &Path, max_bytes: u64) -> Result<String> {
    let bytes = read_limited(path, max_bytes)?;
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "not UTF-8 text"))
}

/// Reads a stream, such as standard input, to its end; it may have at most `max_bytes` bytes.
///
/// # Errors
///
/// Returns the system's error, and `FileTooLarge` for a longer stream.
pub fn read_to_limit(from: impl Read, max_bytes: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        let what = format!("more than {max_bytes} bytes");
        return Err(Error::new(ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc;
    use std::time::Duration;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    const LIMIT: u64 = 1024;

    /// Reads a file on another thread, for the test to end even if the reading never does.
    fn read(path: PathBuf) -> Result<Vec<u8>> {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(read_limited(&path, LIMIT)));
        let read = receiver.recv_timeout(Duration::from_secs(180));
        read.expect("it is read within the deadline")
    }

    #[test]
    fn only_a_regular_file_of_the_size_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let limit = usize::try_from(LIMIT).expect("fits");
        for (name, size) in [("empty", 0), ("full", limit), ("large", limit + 1)] {
            std::fs::write(path(name), vec![b'x'; size]).expect("written");
        }
        std::os::unix::fs::symlink(path("full"), path("link")).expect("linked");
        for (name, size) in [("empty", 0), ("full", limit), ("link", limit)] {
            assert_eq!(read(path(name)).expect("is read").len(), size);
        }
        mknodat(
            CWD,
            path("pipe"),
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .expect("made");
        let socket = std::os::unix::net::UnixListener::bind(path("socket"));
        for (path, kind, said) in [
            (
                path("large"),
                ErrorKind::FileTooLarge,
                "more than 1024 bytes",
            ),
            (path("pipe"), ErrorKind::InvalidInput, "not a regular file"),
            (
                "/dev/zero".into(),
                ErrorKind::InvalidInput,
                "not a regular file",
            ),
            (path("absent"), ErrorKind::NotFound, "No such file"),
            (
                folder.path().to_owned(),
                ErrorKind::IsADirectory,
                "Is a directory",
            ),
        ] {
            let error = read(path).expect_err("is not read");
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().starts_with(said), "{error}");
        }
        assert!(socket.is_ok() && read(path("socket")).is_err());
    }

    #[test]
    fn what_never_ends_is_read_to_the_limit() {
        let error = read_to_limit(std::io::repeat(b'x'), LIMIT).expect_err("is not read");
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        let text = [b'x'; 1024];
        assert_eq!(read_to_limit(&text[..], LIMIT).expect("is read"), text);
    }

    #[test]
    fn a_text_is_utf_8() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for (bytes, is_text) in [(&b"\xc3\xa4"[..], true), (b"\xe4", false)] {
            std::fs::write(file.path(), bytes).expect("written");
            let text = read_text_limited(file.path(), LIMIT);
            let kind = text.map_err(|error| error.kind());
            assert_eq!(kind.is_ok(), is_text);
            assert!(is_text || kind == Err(ErrorKind::InvalidData));
        }
    }
}
