//! The wait for callbacks: which secret verifies them, before the old ones are retired.

use std::time::Duration;

use tokio::time::sleep;

use super::Rotation;
use super::steps::{Standing, Step, Watch};
use crate::commands::ages::{ago, span};
use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;

/// Pause before callbacks are looked for again.
const PAUSE: Duration = Duration::from_millis(500);

impl Rotation {
    /// Waits until there is nothing more to wait for.
    pub(super) async fn watch(
        &self,
        mut watch: Watch,
        found: &Standing,
    ) -> Result<(), CommandError> {
        let mut told = None;
        let mut standing = found.clone();
        loop {
            let kind = std::mem::discriminant(&watch);
            if told.replace(kind) != Some(kind) {
                print_line(self.waits(watch));
            }
            sleep(PAUSE).await;
            let in_force = self.verifier.in_force().await?;
            // Another configuration, or other secrets: all is looked at again.
            if in_force.secrets.len() != standing.file.len() {
                return Ok(());
            }
            standing.now = in_force.now;
            for (line, verified) in standing.file.iter_mut().zip(&in_force.secrets) {
                (line.first_at, line.last_at) = (verified.first_at, verified.last_at);
            }
            match standing.next(true, self.quiet_for) {
                Some(Step::Watch(still)) => watch = still,
                _ => break,
            }
        }
        for verified in self.verifier.in_force().await?.secrets {
            let last = verified.last_at.map(|at| ago(at, standing.now));
            let last = last.unwrap_or_else(|| "never since the service was started".to_owned());
            print_line(format_args!(
                "{}: verified a callback {last}",
                verified.secret
            ));
        }
        Ok(())
    }

    fn waits(&self, watch: Watch) -> String {
        match watch {
            Watch::Unseen => "waiting for the first callback with the signature of the secret that Sinch has; until then the old \
                              one is kept. You can stop this command, and run it again later"
                .to_owned(),
            Watch::Quiet(_) => format!(
                "callbacks are verified by the secret that Sinch has; waiting until the old one has verified none for {}",
                span(self.quiet_for)
            ),
        }
    }
}
