//! Readiness of a number: how far it is from being usable as it was ordered. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{FailureCode, Link, OrderedLink, Service};

/// Maximum number of codes that are kept of a failed link, and the maximum length of one. More would only fill the
/// database.
const CODES_MAX: usize = 8;
const CODE_MAX_BYTES: usize = 64;

/// Readiness of a number, as an answer of Sinch shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Readiness {
    /// The number is not active: not yet, or not any more.
    NotActive,
    /// The number is active, nothing is scheduled for these services, and what was ordered is not linked.
    NotLinked {
        /// Services that lack their link.
        services: Vec<Service>,
    },
    /// Sinch is linking what was ordered.
    OnTheWay {
        /// Services whose links are on the way.
        services: Vec<Service>,
    },
    /// Sinch could not make a link, and does not try again by itself.
    Failed {
        /// Links that have failed.
        failures: Vec<FailedLink>,
    },
    /// The number is active, and linked with all that was ordered.
    Ready,
}

/// Link that has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedLink {
    /// Service of the link.
    pub service: Service,
    /// Sinch's codes of the failure; a link for calls has none.
    pub codes: Vec<String>,
}

impl Readiness {
    /// Returns the readiness of a number. `ordered` are the links that its order asked for; `shown` are the links that
    /// Sinch shows, `None` if the number is not active.
    ///
    /// A link is made once its id is in place and nothing is scheduled; an empty schedule alone is no proof.
    /// (Inferred from the answers of Sinch, which has no word for success.) Services that were not ordered decide
    /// nothing.
    pub fn of(ordered: &[OrderedLink], shown: Option<&[Link]>) -> Readiness {
        let Some(shown) = shown else {
            return Readiness::NotActive;
        };
        let (mut failures, mut on_the_way, mut not_linked) = (Vec::new(), Vec::new(), Vec::new());
        for OrderedLink { service, target } in ordered {
            let link = shown.iter().find(|link| link.service == *service);
            match link.and_then(|link| link.scheduled.as_ref()) {
                Some(scheduled) if scheduled.has_failed() => failures.push(FailedLink {
                    service: *service,
                    codes: kept_codes(&scheduled.codes),
                }),
                Some(_) => on_the_way.push(*service),
                None if link.is_some_and(|link| link.is_linked_with(target)) => {}
                None => not_linked.push(*service),
            }
        }
        match (
            failures.is_empty(),
            on_the_way.is_empty(),
            not_linked.is_empty(),
        ) {
            (false, _, _) => Readiness::Failed { failures },
            (true, false, _) => Readiness::OnTheWay {
                services: on_the_way,
            },
            (true, true, false) => Readiness::NotLinked {
                services: not_linked,
            },
            (true, true, true) => Readiness::Ready,
        }
    }

    /// Returns the readiness's code.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns each distinct code of the failed links, with what is known of it. Two services can fail with the same
    /// code.
    pub fn failure_codes(&self) -> Vec<FailureCode> {
        let Readiness::Failed { failures } = self else {
            return Vec::new();
        };
        let mut codes: Vec<&String> = failures.iter().flat_map(|link| &link.codes).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.into_iter().map(FailureCode::new).collect()
    }
}

fn kept_codes(codes: &[String]) -> Vec<String> {
    let short = codes.iter().filter(|code| code.len() <= CODE_MAX_BYTES);
    short.take(CODES_MAX).cloned().collect()
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Readiness::NotActive => f.write_str("not active"),
            Readiness::NotLinked { services } => {
                let services = service_names(services);
                write!(
                    f,
                    "active, but not linked as ordered for {services}, and nothing is scheduled"
                )
            }
            Readiness::OnTheWay { services } => {
                write!(f, "on the way for {}", service_names(services))
            }
            Readiness::Failed { failures } => {
                let services: Vec<Service> = failures.iter().map(|link| link.service).collect();
                write!(f, "failed for {}", service_names(&services))?;
                let codes = self.failure_codes();
                codes
                    .iter()
                    .try_for_each(|known| write!(f, "; {}", known.code))
            }
            Readiness::Ready => f.write_str("ready"),
        }
    }
}

fn service_names(services: &[Service]) -> String {
    let names: Vec<String> = services.iter().map(ToString::to_string).collect();
    names.join(", ")
}
