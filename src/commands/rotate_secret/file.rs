//! File of a project's secrets, one a line. It is replaced as a whole, so that the service never reads half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use secrecy::{ExposeSecret, SecretString};

use crate::commands::command_error::CommandError;
use crate::files::read_text_limited;

/// Maximum size of a file of secrets, as the configuration has it.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// File of secrets, which no other run of the command changes as long as this value lives.
pub(super) struct SecretsFile {
    /// Path of the file itself, also where the configuration names a link to it.
    path: PathBuf,
    /// Folder of the file. It is locked while it is open.
    folder: File,
}

impl SecretsFile {
    /// Opens the file for changes.
    pub fn open(named: &Path) -> Result<SecretsFile, CommandError> {
        let fault = |error: io::Error| {
            let name = named.display();
            CommandError::failure(format!(
                "{name}: {error}; check the path and its permissions"
            ))
        };
        let path = fs::canonicalize(named).map_err(fault)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let folder = File::open(folder).map_err(fault)?;
        flock(&folder, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            CommandError::failure(format!(
                "another rotate-secret works in the folder of {}: let it end, or stop it",
                named.display()
            ))
        })?;
        Ok(SecretsFile { path, folder })
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the secrets, as the service does.
    pub fn read(&self) -> Result<Vec<SecretString>, CommandError> {
        let text = read_text_limited(&self.path, FILE_MAX_BYTES).map_err(|error| {
            let name = self.path.display();
            CommandError::failure(format!("{name} cannot be read: {error}"))
        })?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        Ok(lines.map(SecretString::from).collect())
    }

    /// Replaces the file by one with these secrets, whose owner and rights are the same.
    pub fn write(&self, secrets: &[SecretString]) -> Result<(), CommandError> {
        self.replace(secrets).map_err(|error| {
            CommandError::failure(format!(
                "{} cannot be replaced: {error}; nothing was changed. Run this as a user who may write there, or change the \
                 secret by hand: docs/operate.md says how",
                self.path.display()
            ))
        })
    }

    fn replace(&self, secrets: &[SecretString]) -> io::Result<()> {
        let new = self.new_path();
        // One that a killed run has left.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let done = self.write_new(&new, secrets);
        if done.is_err() {
            let _ = fs::remove_file(&new);
        }
        done
    }

    fn write_new(&self, new: &Path, secrets: &[SecretString]) -> io::Result<()> {
        let old = fs::metadata(&self.path)?;
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(new)?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        for secret in secrets {
            file.write_all(secret.expose_secret().as_bytes())?;
            file.write_all(b"\n")?;
        }
        file.sync_all()?;
        fs::rename(new, &self.path)?;
        self.folder.sync_all()
    }

    /// Returns the path of the new file while it is written.
    fn new_path(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default();
        let name = format!(".{}.rotating", name.to_string_lossy());
        self.path.with_file_name(name)
    }
}

/// Returns `true` if the secret can stand on a line of the file, and is read as it was written.
pub(super) fn fits_on_a_line(secret: &SecretString) -> bool {
    let text = secret.expose_secret();
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from(*text)).collect()
    }

    fn read(file: &SecretsFile) -> Vec<String> {
        let secrets = file.read().expect("is read").into_iter();
        secrets
            .map(|secret| secret.expose_secret().to_owned())
            .collect()
    }

    #[test]
    fn the_file_is_replaced_and_keeps_its_rights_and_its_links() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secrets");
        fs::write(&path, "one\r\n\n two\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        let elsewhere = tempfile::tempdir().expect("a folder");
        let link = elsewhere.path().join("link");
        symlink(&path, &link).expect("linked");
        // What a killed run has left.
        fs::write(folder.path().join(".secrets.rotating"), "half").expect("written");

        let file = SecretsFile::open(&link).expect("opens");
        assert_eq!(read(&file), ["one", " two"]);
        file.write(&secrets(&["one", "three"]))
            .expect("is replaced");
        assert_eq!(read(&file), ["one", "three"]);
        assert_eq!(fs::read_to_string(&link).expect("is read"), "one\nthree\n");
        let mode = fs::metadata(&path).expect("is there").mode() & 0o7777;
        assert_eq!(mode, 0o640);
        let names = fs::read_dir(folder.path()).expect("is read").count();
        assert_eq!(names, 1, "nothing is left beside it");
        assert!(link.symlink_metadata().expect("is there").is_symlink());
    }

    #[test]
    fn one_run_at_a_time_works_on_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secrets");
        fs::write(&path, "one\n").expect("written");
        let first = SecretsFile::open(&path).expect("opens");
        let Err(error) = SecretsFile::open(&path) else {
            panic!("opened twice");
        };
        assert!(
            error.to_string().contains("another rotate-secret"),
            "{error}"
        );
        drop(first);
        assert!(SecretsFile::open(&path).is_ok());
        assert!(SecretsFile::open(&folder.path().join("absent")).is_err());
    }

    #[test]
    fn what_would_be_read_as_something_else_stands_on_no_line() {
        for (text, fits) in [
            ("a", true),
            (" a b ", true),
            ("é", true),
            ("", false),
            (" ", false),
            ("a\nb", false),
            ("a\r", false),
            ("a\0", false),
        ] {
            assert_eq!(fits_on_a_line(&SecretString::from(text)), fits, "{text:?}");
        }
    }
}
