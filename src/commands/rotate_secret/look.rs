//! How all stands: what the file, Sinch and the service have.

use secrecy::SecretString;

use super::file::fits_on_a_line;
use super::service::{InForce, Verified};
use super::steps::{AtSinch, Given, Line, Standing};
use super::{Rotation, secret};
use crate::commands::command_error::CommandError;
use crate::sinch;

/// How all stands, with the secrets that it is about.
pub(super) struct Found {
    pub standing: Standing,
    pub file: Vec<SecretString>,
    pub at_sinch: Option<SecretString>,
}

impl Rotation {
    /// Finds out how all stands.
    pub(super) async fn look(&self) -> Result<Found, CommandError> {
        let file = self.file.read()?;
        let fetched = sinch::fetch_secret(&self.project.client).await;
        let at_sinch = fetched.map_err(|error| CommandError::sinch(error.to_string()))?;
        let in_force = self.verifier.in_force().await?;
        refuse_replicas(&in_force)?;
        let mut lines = Vec::new();
        for secret in &file {
            let place = self.verifier.place_of(secret).await?;
            lines.push(line(secret, place.as_deref(), &in_force));
        }
        // The last one, if it stands there twice: those before it are old.
        let line_of = |secret: &SecretString| {
            let back = sinch::compare_secrets(file.iter().rev(), secret)?;
            Some(file.len() - 1 - back)
        };
        let known = at_sinch.as_ref().and_then(line_of);
        let standing = Standing {
            file: lines,
            at_sinch: match (&at_sinch, known) {
                (_, Some(line)) => AtSinch::Line(line),
                (Some(secret), None) if fits_on_a_line(secret) => AtSinch::Elsewhere,
                (Some(_) | None, None) => AtSinch::Unusable,
            },
            given: match &self.given {
                None => Given::Nothing,
                Some(secret) => line_of(secret).map_or(Given::New, Given::Line),
            },
            in_force: in_force.secrets.len(),
            now: in_force.now,
        };
        if let Some(line) = standing.stranger() {
            return Err(self.strange(line));
        }
        Ok(Found {
            standing,
            file,
            at_sinch,
        })
    }

    fn strange(&self, line: usize) -> CommandError {
        CommandError::failure(format!(
            "line {} of {} has a secret that Sinch has not and this command has not made: name a file that holds it by \
             --new-secret-file, to give it to Sinch, or take the line out",
            line + 1,
            self.file.path().display()
        ))
    }
}

/// Refuses to change a secret that several processes have, each from a file of its own.
fn refuse_replicas(in_force: &InForce) -> Result<(), CommandError> {
    if in_force.replicas.len() < 2 {
        return Ok(());
    }
    Err(CommandError::failure(format!(
        "{} processes serve this project from one database ({}), and this command knows the file and the secrets of one alone: \
         change the secret by hand, as docs/operate.md says under \"Several instances\". One that was killed counts for a minute",
        in_force.replicas.len(),
        in_force.replicas.join(", ")
    )))
}

/// Returns a secret of the file as the service knows it.
fn line(secret: &SecretString, place: Option<&str>, in_force: &InForce) -> Line {
    let verified: Option<&Verified> = place.and_then(|place| {
        let mut verified = in_force.secrets.iter();
        verified.find(|verified| verified.secret == place)
    });
    Line {
        is_in_force: place.is_some(),
        is_made_here: secret::is_made_here(secret),
        first_at: verified.and_then(|verified| verified.first_at),
        last_at: verified.and_then(|verified| verified.last_at),
    }
}
