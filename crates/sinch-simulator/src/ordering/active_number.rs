//! An active number: what is in place, what is scheduled, and the steps between. Pure, like all of the model.

use super::failures::{Failure, Step};
use super::order::{Sms, Voice};
use super::stock::Product;
use number_order::{Id, Time};

/// Service for which a number is provisioned: text messages or calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Sms,
    Voice,
}

/// Status of a provisioning job that goes on. Success has none: the job is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobStatus {
    Waiting,
    InProgress,
    Failed(&'static Failure),
}

impl JobStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Waiting => "WAITING",
            JobStatus::InProgress => "IN_PROGRESS",
            JobStatus::Failed(_) => "FAILED",
        }
    }
}

/// Job that provisions a number for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job<T> {
    /// Configuration that the number is to get. Of SMS, only the part that is not in place yet.
    pub wanted: T,
    pub status: JobStatus,
    pub updated_at: Time,
    /// Serial number of the job, by which a planned step finds it.
    pub serial: u64,
}

/// Telephone number that belongs to the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ActiveNumber {
    pub number: String,
    pub product: &'static Product,
    /// Order by which the project got the number.
    pub order: Id,
    pub display_name: String,
    pub callback_url: Option<String>,
    pub next_charge_at: Time,
    pub expires_at: Option<Time>,
    pub sms: Sms,
    pub sms_job: Option<Job<Sms>>,
    pub voice: Option<Voice>,
    pub voice_job: Option<Job<Voice>>,
    pub voice_changed_at: Option<Time>,
    /// `true` once provisioning of the number has failed, which happens once at most.
    pub has_failed: bool,
}

/// Outcome of a step of a provisioning job.
pub(super) enum Progress {
    /// The provisioning job is gone, or has failed.
    None,
    /// The job is in progress now.
    Begun,
    /// The step ended, well or with a failure.
    Done(Step, Option<&'static Failure>),
}

impl ActiveNumber {
    /// Takes the 10DLC campaign away from the number, and its scheduled provisioning.
    pub fn unlink_campaign(&mut self) {
        self.sms.campaign.clear();
        if let Some(job) = &mut self.sms_job {
            job.wanted.campaign.clear();
        }
        self.sms_job.take_if(|job| job.wanted.plan.is_empty());
    }

    /// Takes the SMS job with this serial number a step on.
    pub fn provision_sms(
        &mut self,
        serial: u64,
        at: Time,
        failure: Option<&'static Failure>,
    ) -> Progress {
        let Some(job) = self.sms_job.as_mut().filter(|job| job.serial == serial) else {
            return Progress::None;
        };
        let step = if job.wanted.plan.is_empty() {
            Step::Campaign
        } else {
            Step::Sms
        };
        let progress = job.take_on(step, at, failure.filter(|_| !self.has_failed));
        match progress {
            Progress::Done(_, Some(_)) => self.has_failed = true,
            Progress::Done(Step::Sms, None) => {
                self.sms.plan = std::mem::take(&mut job.wanted.plan);
                job.status = JobStatus::Waiting;
                if job.wanted.campaign.is_empty() {
                    self.sms_job = None;
                }
            }
            Progress::Done(_, None) => {
                self.sms.campaign = std::mem::take(&mut job.wanted.campaign);
                self.sms_job = None;
            }
            Progress::None | Progress::Begun => {}
        }
        progress
    }

    /// Takes the voice job with this serial number a step on.
    pub fn provision_voice(
        &mut self,
        serial: u64,
        at: Time,
        failure: Option<&'static Failure>,
    ) -> Progress {
        let Some(job) = self.voice_job.as_mut().filter(|job| job.serial == serial) else {
            return Progress::None;
        };
        let progress = job.take_on(Step::Voice, at, failure.filter(|_| !self.has_failed));
        match progress {
            Progress::Done(_, Some(_)) => self.has_failed = true,
            Progress::Done(_, None) => {
                self.voice = Some(job.wanted.clone());
                self.voice_changed_at = Some(at);
                self.voice_job = None;
            }
            Progress::None | Progress::Begun => {}
        }
        progress
    }
}

impl<T> Job<T> {
    fn take_on(&mut self, step: Step, at: Time, failure: Option<&'static Failure>) -> Progress {
        let failure = failure.filter(|failure| failure.step == step);
        let progress = match (self.status, failure) {
            (JobStatus::Failed(_), _) => return Progress::None,
            (JobStatus::Waiting, _) => {
                self.status = JobStatus::InProgress;
                Progress::Begun
            }
            (JobStatus::InProgress, Some(failure)) => {
                self.status = JobStatus::Failed(failure);
                Progress::Done(step, Some(failure))
            }
            (JobStatus::InProgress, None) => Progress::Done(step, None),
        };
        self.updated_at = at;
        progress
    }
}
