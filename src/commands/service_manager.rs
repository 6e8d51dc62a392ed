//! What systemd is told of the service (`Type=notify`). Where no service manager listens, nothing is sent.

use std::time::Duration;

use sd_notify::{NotifyState, notify};
use tokio::time::interval;

use super::output::print_error;

/// The service is up, or it is up again with a new configuration.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The service goes over to a new configuration.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => report(&error),
    }
}

/// The service is about to stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells the watchdog, where there is one, that the service's runtime is alive, twice in each of its intervals.
pub(super) fn keep_watchdog() {
    let Some(every) = sd_notify::watchdog_enabled() else {
        return;
    };
    tokio::spawn(async move {
        let mut turns = interval((every / 2).max(Duration::from_millis(1)));
        loop {
            turns.tick().await;
            tell(&[NotifyState::Watchdog]);
        }
    });
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        report(&error);
    }
}

fn report(error: &std::io::Error) {
    print_error(format_args!(
        "NOTIFY_SOCKET: systemd cannot be told: {error}"
    ));
}
