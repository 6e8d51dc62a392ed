//! Client of the running service for a command that waits for days: a restart or an upgrade of the service does not end
//! it.

use std::time::Duration;

use reqwest::Method;

use super::patience::Outages;
use crate::commands::operators::{self, ServiceError};
use crate::config::Operators;

/// Maximum time for an answer of the service.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Client of the running service, which outlasts its outages.
pub(super) struct Service {
    operators: Operators,
    outages: Outages,
}

impl Service {
    pub fn new(operators: Operators) -> Service {
        Service {
            operators,
            outages: Outages::of_the_service(),
        }
    }

    /// Returns the number of the service's outages that are over.
    pub fn outages(&self) -> u32 {
        self.outages.ended()
    }

    /// Sends a request that may be repeated, until the service answers it, and returns the text of the answer.
    ///
    /// # Errors
    ///
    /// Fails if the service refuses, or has never answered in this run.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> Result<String, ServiceError> {
        let send = async || {
            let body = body.to_vec();
            operators::send(&self.operators, method.clone(), path, body, TIMEOUT).await
        };
        self.outages.outlast(send).await
    }

    /// Sends a GET request until the service answers, and returns the text of the answer; `None` for the status 404.
    ///
    /// # Errors
    ///
    /// Fails as [`Service::send`] does.
    pub async fn find(&self, path: &str) -> Result<Option<String>, ServiceError> {
        let find = async || operators::find(&self.operators, path, TIMEOUT).await;
        self.outages.outlast(find).await
    }
}
