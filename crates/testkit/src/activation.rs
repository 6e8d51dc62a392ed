//! Listeners that outlive the service, as systemd holds those of a socket unit.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};

use crate::{Service, Settings};

/// Number of the first descriptor that systemd passes.
const FIRST: i32 = 3;

/// Listeners that are passed to each service that is started.
pub struct Sockets(Vec<TcpListener>);

impl Sockets {
    /// Binds listeners at the given addresses.
    pub fn bind(addresses: &[SocketAddr]) -> Sockets {
        let listeners = addresses.iter().map(TcpListener::bind);
        let listeners: Result<Vec<_>, _> = listeners.collect();
        Sockets(listeners.expect("the addresses are free"))
    }

    /// Starts the service with the listeners, and waits until it is ready.
    pub async fn start(&self, settings: &Settings) -> Service {
        Service::start_by(self.command(settings), settings).await
    }

    /// Returns the command that runs the program with the listeners; its arguments follow.
    pub fn command(&self, settings: &Settings) -> Command {
        // Only the child itself knows its process id, which systemd names too.
        let mut shell = Command::new("sh");
        let script = r#"LISTEN_PID=$$ LISTEN_FDS=$0 exec "$@""#;
        shell.args(["-c", script, &self.0.len().to_string()]);
        shell.arg(settings.program());
        let fds = self.0.iter().zip(FIRST..).map(|(listener, child_fd)| {
            let listener = listener.try_clone().expect("another handle");
            FdMapping {
                parent_fd: OwnedFd::from(listener),
                child_fd,
            }
        });
        shell
            .fd_mappings(fds.collect())
            .expect("each descriptor is passed once");
        shell
    }
}
