//! The running service, as a rotation sees it: which secrets it has in force, and what they have verified.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::commands::command_error::CommandError;
use crate::commands::operators::ServiceError;
use crate::commands::service::{Service, path_with, read};
use number_order::{Id, Time};
use sinch_numbers::signature;

/// Time within which the service must have gone over to what it reads.
const RELOAD_MAX: Duration = Duration::from_secs(60);

/// Pause before the service is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// The service, and the project whose secret is changed.
pub(super) struct Verifier {
    service: Service,
    project: Id,
}

/// What the service says of a project's secrets.
#[derive(Deserialize)]
pub(super) struct InForce {
    /// Time of the answer.
    pub now: Time,
    /// Secrets that are in force.
    pub secrets: Vec<Verified>,
    /// Processes that serve the project from one database.
    pub replicas: Vec<String>,
}

/// What a secret has verified.
#[derive(Clone, Deserialize)]
pub(super) struct Verified {
    /// Place of the secret in the configuration.
    pub secret: String,
    pub first_at: Option<Time>,
    pub last_at: Option<Time>,
}

#[derive(Deserialize)]
struct Found {
    secret: Option<String>,
}

impl Verifier {
    pub fn new(service: Service, project: Id) -> Verifier {
        Verifier { service, project }
    }

    fn path(&self, what: &str) -> String {
        format!("/api/v1/projects/{}/secrets{what}", self.project)
    }

    /// Asks which secrets are in force.
    pub async fn in_force(&self) -> Result<InForce, CommandError> {
        let answer = patiently(async || self.service.get(&self.path("")).await).await?;
        read(&answer)
    }

    /// Returns the place of a secret that is in force; `None`: the service does not verify by it. The secret is not sent: a
    /// text is, that it has signed.
    pub async fn place_of(&self, secret: &SecretString) -> Result<Option<String>, CommandError> {
        let text = format!("{:032x}", fastrand::u128(..));
        let signature = signature::sign(secret, text.as_bytes());
        let params = [
            ("text", Some(text.as_str())),
            ("signature", Some(signature.as_str())),
        ];
        let path = path_with(&self.path("/verify"), &params);
        let answer = patiently(async || self.service.get(&path).await).await?;
        Ok(read::<Found>(&answer)?.secret)
    }

    /// Has the service read its configuration again, and waits until these secrets are in force, and no others.
    pub async fn reload(&self, secrets: &[SecretString]) -> Result<(), CommandError> {
        let asked = async || self.service.post("/api/v1/reload", None).await;
        patiently(asked).await.map_err(|error| {
            CommandError::service(format!(
                "the service does not take its configuration anew: {error}; remove the cause, and run this command again"
            ))
        })?;
        let until = Instant::now() + RELOAD_MAX;
        while !self.has_exactly(secrets).await? {
            if Instant::now() > until {
                return Err(CommandError::service(
                    "the service has read its configuration, but not these secrets; does it have the configuration, and the \
                     environment, that this command has?",
                ));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn has_exactly(&self, secrets: &[SecretString]) -> Result<bool, CommandError> {
        for secret in secrets {
            if self.place_of(secret).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(self.in_force().await?.secrets.len() == secrets.len())
    }
}

/// Makes a request, again and again for a while if its failure may pass: the service is gone over to another configuration, or
/// is started again.
async fn patiently(
    request: impl AsyncFn() -> Result<String, ServiceError>,
) -> Result<String, ServiceError> {
    let until = Instant::now() + RELOAD_MAX / 4;
    loop {
        match request().await {
            Err(error) if error.is_passing() && Instant::now() < until => sleep(PAUSE).await,
            done => return done,
        }
    }
}
