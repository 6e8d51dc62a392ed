//! The two listeners: sockets that systemd passes to the service, or that it binds itself.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use listenfd::ListenFd;

use super::error::StartError;
use crate::config::Config;

/// Listeners of the service. They stay open from one run of the service to the next, so that a caller that connects in between
/// waits in the system's queue and is not refused.
pub struct Listeners {
    started: Instant,
    callbacks: Held,
    operators: Held,
}

/// A listener, with the key and the address by which the configuration names it.
struct Held {
    key: &'static str,
    address: SocketAddr,
    listener: TcpListener,
}

impl Listeners {
    /// Returns the listeners that a configuration names. Those that are kept from another run are the same where their
    /// address is the same. At the first start, listeners come from systemd (`LISTEN_FDS`); what neither gives is bound.
    ///
    /// A listener of systemd's belongs to the key that has its port: its address may be named in another way, as `[::]`.
    ///
    /// # Errors
    ///
    /// Fails if an address cannot be bound, or if systemd passes a socket that is none of the two listeners.
    pub fn open(config: &Config, kept: Option<&Listeners>) -> Result<Listeners, StartError> {
        let mut passed = match kept {
            None => passed()?,
            Some(_) => Vec::new(),
        };
        let mut open = |key, address: SocketAddr, kept: Option<&Held>| {
            let is_own = |(at, _): &(SocketAddr, TcpListener)| at.port() == address.port();
            let listener = match (kept, passed.iter().position(is_own)) {
                (Some(held), _) if held.address == address => held.handle()?,
                (_, Some(place)) => passed.swap_remove(place).1,
                (_, None) => bind(key, address)?,
            };
            Ok::<Held, StartError>(Held {
                key,
                address,
                listener,
            })
        };
        let callbacks = kept.map(|kept| &kept.callbacks);
        let operators = kept.map(|kept| &kept.operators);
        let listeners = Listeners {
            started: kept.map_or_else(Instant::now, |kept| kept.started),
            callbacks: open("callbacks.listen", config.callbacks.listen, callbacks)?,
            operators: open("operators.listen", config.operators.listen, operators)?,
        };
        match passed.first() {
            None => Ok(listeners),
            Some((address, _)) => Err(StartError::PassedElsewhere(*address)),
        }
    }

    /// Returns the time at which the first run of the service opened listeners.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Returns handles of both for one run of the service: of that for callbacks, and of that for operators.
    pub(super) fn handles(&self) -> Result<[TcpListener; 2], StartError> {
        Ok([self.callbacks.handle()?, self.operators.handle()?])
    }
}

impl Held {
    /// Returns another handle of the listener.
    fn handle(&self) -> Result<TcpListener, StartError> {
        let handle = self.listener.try_clone();
        handle.map_err(|error| StartError::Listen {
            key: self.key,
            address: self.address,
            error,
        })
    }
}

/// Returns the sockets that systemd passes, each with its address.
fn passed() -> Result<Vec<(SocketAddr, TcpListener)>, StartError> {
    let mut passed = ListenFd::from_env();
    let listeners = (0..passed.len()).map(|place| {
        let listener = passed.take_tcp_listener(place)?;
        let listener = listener.ok_or(io::ErrorKind::NotFound)?;
        Ok((listener.local_addr()?, listener))
    });
    let listeners: io::Result<Vec<_>> = listeners.collect();
    listeners.map_err(StartError::Passed)
}

/// Binds one of the service's listeners. A taken port is an error of the start, and not of the running service.
///
/// # Errors
///
/// Returns [`StartError::Listen`] if the address cannot be bound.
pub fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|error| StartError::Listen {
        key,
        address,
        error,
    })
}
