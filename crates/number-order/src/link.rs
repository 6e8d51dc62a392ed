//! Links of a number: the services that it is linked with, as Sinch shows them, and those that were ordered.
//!
//! Sinch has no word for a link that succeeded: its id stands in the number's configuration, and nothing is scheduled.
//! That nothing is scheduled is no proof by itself, since it is the same after a link was dropped. So the ids are
//! compared.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// Sinch's word for a scheduled link that has failed.
const FAILED: &str = "FAILED";

/// Service with which a number is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Service {
    /// Text messages, by a service plan.
    Messages,
    /// The 10DLC campaign for text messages to the US.
    Campaign,
    /// Calls, by an application, a trunk or a fax service.
    Calls,
}

/// The service's name for people.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Service::Messages => "text messages",
            Service::Campaign => "10DLC campaign",
            Service::Calls => "calls",
        })
    }
}

/// Target of a link, the other side of the number: a service plan, a campaign, an application, a trunk or a fax
/// service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Type of a link for calls: RTC, EST, FAX, or a word that Sinch adds. `None` for the other services, and where
    /// Sinch names no type.
    pub voice_type: Option<String>,
    /// Id of the target.
    pub id: String,
}

impl Target {
    /// Returns the target with the given id, for a service that has no types.
    pub fn new(id: impl Into<String>) -> Target {
        Target {
            voice_type: None,
            id: id.into(),
        }
    }

    /// Returns the target of a link for calls, which has the id that belongs to the link's type. For a type that is not
    /// known here, that is the first id that is set.
    pub fn for_calls(voice_type: Option<&str>, ids: &VoiceIds<'_>) -> Option<Target> {
        let id = match voice_type {
            Some("RTC") => ids.app,
            Some("EST") => ids.trunk,
            Some("FAX") => ids.service,
            Some(_) | None => ids.app.or(ids.trunk).or(ids.service),
        };
        id.map(|id| Target {
            voice_type: voice_type.map(str::to_owned),
            id: id.to_owned(),
        })
    }

    /// Returns `true` if both are the same target. A type that Sinch does not name matches any.
    fn is_same(&self, other: &Target) -> bool {
        let types = self.voice_type.as_ref().zip(other.voice_type.as_ref());
        self.id == other.id && types.is_none_or(|(own, other)| own == other)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.voice_type {
            Some(voice_type) => write!(f, "{voice_type} {}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

/// Ids in the configuration of a link for calls. The link's type says which of them is the target's.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoiceIds<'a> {
    /// `appId`, for RTC.
    pub app: Option<&'a str>,
    /// `trunkId`, for EST.
    pub trunk: Option<&'a str>,
    /// `serviceId`, for FAX.
    pub service: Option<&'a str>,
}

/// Link that was ordered for each number of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedLink {
    /// Service of the link.
    pub service: Service,
    /// Target that was ordered.
    pub target: Target,
}

/// Link of a number with one service, as Sinch shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Service of the link.
    pub service: Service,
    /// Target that the number is linked with; `None`: there is none.
    pub linked: Option<Target>,
    /// Link that is on its way, or has failed.
    pub scheduled: Option<ScheduledLink>,
}

/// Link that is on its way, or has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledLink {
    /// Target that the number is to be linked with; `None` if Sinch does not name it.
    pub target: Option<Target>,
    /// Sinch's word for the status of the scheduled link, such as FAILED.
    pub status: String,
    /// Sinch's codes of the failure; a link for calls has none.
    pub codes: Vec<String>,
}

impl ScheduledLink {
    /// Returns `true` if Sinch could not make the link. It does not try again by itself (source: Sinch's SDKs).
    pub fn has_failed(&self) -> bool {
        self.status == FAILED
    }
}

impl Link {
    /// Returns the state of the link: failed, on-the-way, ready or not-linked.
    pub fn state(&self) -> &'static str {
        match (&self.scheduled, &self.linked) {
            (Some(scheduled), _) if scheduled.has_failed() => "failed",
            (Some(_), _) => "on-the-way",
            (None, Some(_)) => "ready",
            (None, None) => "not-linked",
        }
    }

    /// Returns `true` if the number is linked with the given target.
    pub(super) fn is_linked_with(&self, target: &Target) -> bool {
        let linked = self.linked.as_ref();
        linked.is_some_and(|linked| linked.is_same(target))
    }
}

/// State of the link in words, without the codes of a failure.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.scheduled, &self.linked) {
            (None, Some(target)) => write!(f, "ready: {target}"),
            (None, None) => f.write_str("not linked"),
            (Some(scheduled), linked) => {
                let unnamed = || "an id that Sinch does not name".to_owned();
                let target = scheduled.target.as_ref();
                let new = target.map_or_else(unnamed, ToString::to_string);
                let old = linked.as_ref().filter(|old| Some(*old) != target);
                let meanwhile = if scheduled.has_failed() {
                    write!(f, "failed: {new}")?;
                    "stays linked"
                } else {
                    write!(f, "on the way ({}): {new}", scheduled.status)?;
                    "is linked until then"
                };
                old.map_or(Ok(()), |old| write!(f, "; {old} {meanwhile}"))
            }
        }
    }
}
