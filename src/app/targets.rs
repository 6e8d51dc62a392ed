//! Targets of the configuration, for the modules that record and send what they are told.

use secrecy::ExposeSecret;

use super::error::StartError;
use super::part::{Part, Run, Shared, Thread, run};
use crate::config::{Config, Destination, Target};
use crate::store::{Rate, TargetSettings};
use crate::worker::{Command, Endpoint, JudgedAddress, Receiver, Sender, TargetFault};

/// Receivers of the configured targets, in their order.
pub(super) type Receivers = Vec<Receiver>;

/// Returns the configured targets, each with what it is told.
pub(super) fn target_settings(config: &Config) -> Vec<TargetSettings> {
    let targets = config.targets.iter();
    let settings = targets.map(|target| TargetSettings {
        name: target.name.clone(),
        filter: target.filter.clone(),
    });
    settings.collect()
}

/// Builds the receivers of the configured targets, in their order.
///
/// # Errors
///
/// Returns [`StartError::Target`] if the client of a URL cannot be built.
pub(super) fn receivers(config: &Config) -> Result<Receivers, StartError> {
    config.targets.iter().map(receiver).collect()
}

fn receiver(target: &Target) -> Result<Receiver, StartError> {
    match &target.destination {
        Destination::Url { url, keys, allow } => {
            let endpoint = Endpoint::new(
                url.expose_secret(),
                keys.clone(),
                allow.clone(),
                target.max_in_flight,
                target.timeout,
            );
            let endpoint = endpoint.map_err(|error| StartError::Target {
                target: target.name.clone(),
                error,
            })?;
            Ok(Receiver::Http(Box::new(endpoint)))
        }
        Destination::Command(command) => {
            let name = target.name.clone();
            let command = Command::new(name, command, target.timeout);
            Ok(Receiver::Command(command))
        }
    }
}

/// Reason for which a target cannot be told anything as things are.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The service would not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The service would start, and each attempt would fail. The fault begins with the name of the key.
    #[error("targets[{index}].{fault}")]
    Fault {
        /// Place of the target in the configuration.
        index: usize,
        /// Fault of the target.
        fault: TargetFault,
    },
}

/// Looks at each target of the configuration without telling it anything. Returns its name with the addresses to which its
/// URL leads, or with its fault.
pub async fn examine_targets(
    config: &Config,
) -> Vec<(String, Result<Vec<JudgedAddress>, TargetError>)> {
    let targets = config.targets.iter().enumerate();
    // A name server that is silent is waited for once, and not once for each target.
    let examined = targets.map(|(index, target)| {
        let receiver = receiver(target);
        let examine = async move {
            let examined = receiver?.examine().await;
            examined.map_err(|fault| TargetError::Fault { index, fault })
        };
        (target.name.clone(), tokio::spawn(examine))
    });
    let mut targets = Vec::new();
    for (name, examined) in examined.collect::<Vec<_>>() {
        if let Ok(examined) = examined.await {
            targets.push((name, examined));
        }
    }
    targets
}

/// Returns the maximum number of open files that the attempts to tell targets need: a connection each, or the input, the
/// error output and the end of a command, of which both sides are open while it starts.
pub(super) fn attempt_files(config: &Config) -> usize {
    let files = config
        .targets
        .iter()
        .map(|target| match target.destination {
            Destination::Url { .. } => target.max_in_flight,
            Destination::Command(_) => target.max_in_flight * 6,
        });
    files.sum()
}

/// Returns the senders, one for each target.
pub(super) fn senders(config: &Config, receivers: Receivers, shared: &Shared) -> Vec<Part> {
    let targets = config.targets.iter().zip(receivers);
    let parts = targets.map(|(target, receiver)| {
        Part {
            name: "the sender of a target",
            // An answer without an end, as fast as it is read, would keep a thread that callbacks need.
            thread: Some(Thread::Watched("sender")),
            run: sender(target, receiver, shared),
        }
    });
    parts.collect()
}

/// Returns the future of the sender of one target. It stops after its attempts in flight, unless they are abandoned.
fn sender(target: &Target, receiver: Receiver, shared: &Shared) -> Run {
    let sender = Sender {
        target: target.name.clone(),
        receiver,
        store: shared.store.clone(),
        format: target.format,
        slots: target.max_in_flight,
        rate: target.requests_per_second.map(Rate::per_second),
        timeout: target.timeout,
        retries: target.retries.clone(),
        metrics: shared.metrics.clone(),
    };
    run(sender.run(shared.stop.clone(), shared.abort.clone()))
}
