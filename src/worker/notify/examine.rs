//! Looks at a target without telling it anything: an attempt may be sure to fail as things are.

use std::fmt;
use std::fs::metadata;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};

use super::cause::cause;
use notifications::AddressClass;

/// Maximum time in which a name server has to answer.
pub(super) const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// An address to which the URL of a target leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgedAddress {
    /// The address.
    pub address: IpAddr,
    /// Class of the address; `None`: it is public.
    pub class: Option<AddressClass>,
    /// `true` if it may be connected to: it is public, or allowed by name.
    pub is_allowed: bool,
}

/// Shows the address, its class, and what that means.
impl fmt::Display for JudgedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JudgedAddress { address, .. } = self;
        match (self.class, self.is_allowed) {
            (None, _) => write!(f, "{address} (public)"),
            (Some(class), true) => write!(f, "{address} ({class}, which allow names)"),
            (Some(class), false) => write!(f, "{address} ({class}, which is left out)"),
        }
    }
}

/// Reason why each attempt to tell a target fails as things are. It begins with the name of the key, and shows nothing of
/// a URL but its address: the rest may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum TargetFault {
    /// The name in the URL has no address.
    #[error("url: its name has no address: {cause}; correct the name, or its entry in DNS")]
    NameNotResolved {
        /// Cause, as the system names it.
        cause: String,
    },
    /// The name server did not answer in time.
    #[error(
        "url: nobody has said in {} s where its name leads; is the name server of this machine there?",
        LOOKUP_MAX.as_secs()
    )]
    NameServerSilent,
    /// No address to which the URL leads may be connected to; this is the first.
    #[error(
        "url: it leads to {address}, {class}, where nothing is sent; if that is meant, name it in allow"
    )]
    AddressNotAllowed {
        /// The address.
        address: IpAddr,
        /// Class of the address.
        class: AddressClass,
    },
    /// There is no such program.
    #[error("command: {program} is not there: {cause}; install it, or correct the path")]
    ProgramMissing {
        /// Path of the program.
        program: String,
        /// Cause, as the system names it.
        cause: String,
    },
    /// The program cannot be executed.
    #[error(
        "command: {program} cannot be executed: {cause}; name a program that the service's user may execute (chmod a+x)"
    )]
    ProgramNotExecutable {
        /// Path of the program.
        program: String,
        /// Cause, as the system names it.
        cause: String,
    },
}

/// Looks for what would make each run of a program fail as things are.
///
/// # Errors
///
/// The fault that was found, with its cure.
pub(super) fn examine_program(program: &str) -> Result<(), TargetFault> {
    let found = metadata(program).map_err(|error| TargetFault::ProgramMissing {
        program: shown(program),
        cause: cause(&error),
    })?;
    let executable = if found.is_file() {
        access(Path::new(program), Access::EXEC_OK).map_err(io::Error::from)
    } else {
        Err(io::Error::other("it is no file"))
    };
    executable.map_err(|error| TargetFault::ProgramNotExecutable {
        program: shown(program),
        cause: cause(&error),
    })
}

/// Returns a program as faults show it. What follows a blank is perhaps an argument that belongs in an entry of its own, and
/// may be a secret.
fn shown(program: &str) -> String {
    match program.split_once(char::is_whitespace) {
        Some((program, _)) => format!(
            "{program} (hidden), with a blank in its name (an argument has an entry of its own),"
        ),
        None => program.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_there_and_executable_or_the_fault_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("program");
        let program = path.to_str().expect("text");
        let fault = || examine_program(program).expect_err("a fault").to_string();
        assert!(fault().contains("program is not there: No such file"));
        std::fs::write(&path, "#!/bin/sh\n").expect("written");
        let mode = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode).expect("is set");
        };
        mode(0o644);
        assert!(
            fault().contains("cannot be executed: Permission denied"),
            "{}",
            fault()
        );
        mode(0o755);
        examine_program(program).expect("it is executable");
        let with_argument = examine_program("/absent/notify --key marker");
        let fault = with_argument.expect_err("a fault").to_string();
        assert!(fault.starts_with("command: /absent/notify (hidden), with a blank"));
        assert!(!fault.contains("marker"), "{fault}");
        let folder = folder.path().to_str().expect("text");
        let fault = examine_program(folder).expect_err("a fault").to_string();
        assert!(fault.contains("it is no file"), "{fault}");
    }
}
