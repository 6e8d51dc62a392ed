//! Life of active numbers: activation, provisioning, update, release.

use serde_json::Value;

use super::active_number::{ActiveNumber, Job, JobStatus, Progress, Service};
use super::announcement::Content;
use super::failures::{Failure, Step};
use super::model::{Due, Model};
use super::new_order::{callback_url, value_if_set, voice};
use super::order::{Sms, Voice};
use super::readings::{NumberCallbacks, Provisioning};
use super::refusal::{Refusal, Resource, Violation};
use number_order::{Id, Time};

/// Interval after which a number is paid again. Invented as a span; Sinch says months.
const PAYMENT_INTERVAL: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

impl Model {
    /// Makes a number of a completed order active, and begins its provisioning.
    pub fn activate(&mut self, order: &Id, number: &str, at: Time) {
        let Some(order) = self.orders.get(order) else {
            return;
        };
        let carries_over = self.script.readings.number_callbacks == NumberCallbacks::CarriedOver;
        let active = ActiveNumber {
            number: number.to_owned(),
            product: order.product,
            order: order.id.clone(),
            display_name: String::new(),
            callback_url: order.callback_url.clone().filter(|_| carries_over),
            next_charge_at: at.plus(PAYMENT_INTERVAL),
            expires_at: None,
            sms: Sms::default(),
            sms_job: None,
            voice: None,
            voice_job: None,
            voice_changed_at: None,
            has_failed: false,
        };
        let (sms, voice) = (order.sms.clone(), order.voice.clone());
        self.numbers.insert(number.to_owned(), active);
        if let Some(sms) = sms {
            self.schedule_sms(number, sms, at);
        }
        if let Some(voice) = voice {
            self.schedule_voice(number, voice, at);
        }
    }

    fn schedule_sms(&mut self, number: &str, wanted: Sms, now: Time) {
        let job = self.new_job(number, Service::Sms, wanted, now);
        if let Some(active) = self.numbers.get_mut(number) {
            active.sms_job = Some(job);
        }
    }

    fn schedule_voice(&mut self, number: &str, wanted: Voice, now: Time) {
        let job = self.new_job(number, Service::Voice, wanted, now);
        if let Some(active) = self.numbers.get_mut(number) {
            active.voice_job = Some(job);
        }
    }

    fn new_job<T>(&mut self, number: &str, service: Service, wanted: T, now: Time) -> Job<T> {
        let n = self.next_count();
        let at = now.plus(self.script.pace.provisioning / 2);
        self.plan(at, Due::Provisioning(number.to_owned(), service, n));
        Job {
            wanted,
            status: JobStatus::Waiting,
            updated_at: now,
            serial: n,
        }
    }

    /// Takes a provisioning job a step on, unless another job has replaced it.
    pub fn provision(&mut self, number: &str, service: Service, n: u64, at: Time) {
        let readings = &self.script.readings;
        let failure =
            (readings.provisioning == Provisioning::FailsOnce).then_some(readings.failure);
        let Some(active) = self.numbers.get_mut(number) else {
            return;
        };
        let step = match service {
            Service::Sms => active.provision_sms(n, at, failure),
            Service::Voice => active.provision_voice(n, at, failure),
        };
        match step {
            Progress::None => {}
            Progress::Begun => self.plan_next_step(number, service, n, at),
            Progress::Done(step, failure) => {
                self.announce_number(number, step, false, failure, at);
                self.plan_next_step(number, service, n, at);
            }
        }
    }

    /// Plans the next step of a provisioning job. Nothing happens then if the job is done.
    fn plan_next_step(&mut self, number: &str, service: Service, n: u64, at: Time) {
        let at = at.plus(self.script.pace.provisioning / 2);
        self.plan(at, Due::Provisioning(number.to_owned(), service, n));
    }

    /// Announces a step of provisioning on the number's own URL; without one, nothing is sent.
    fn announce_number(
        &mut self,
        number: &str,
        step: Step,
        is_undone: bool,
        failure: Option<&'static Failure>,
        at: Time,
    ) {
        let Some(active) = self.numbers.get(number) else {
            return;
        };
        let (order, url) = (active.order.clone(), active.callback_url.clone());
        if url.is_some() {
            let content = Content::Number {
                number: number.to_owned(),
                step,
                is_undone,
                failure,
            };
            self.announce(&order, url, content, at);
        }
    }

    /// Returns the active number with these digits, or the refusal of a call about another.
    pub fn active(&self, number: &str) -> Result<&ActiveNumber, Refusal> {
        self.numbers
            .get(number)
            .ok_or_else(|| Refusal::missing(Resource::ActiveNumber, number))
    }

    /// Changes the properties of an active number that the body of an update sets.
    pub fn update(
        &mut self,
        number: &str,
        body: &Value,
        now: Time,
    ) -> Result<&ActiveNumber, Refusal> {
        self.active(number)?;
        let sms = read_sms_change(body).map_err(refusal_of)?;
        let voice = voice(body).map_err(refusal_of)?;
        let url = callback_url(body).map_err(refusal_of)?;
        let active = self.numbers.get_mut(number);
        let active = active.ok_or_else(|| Refusal::missing(Resource::ActiveNumber, number))?;
        if let Some(name) = body.get("displayName").and_then(Value::as_str) {
            name.clone_into(&mut active.display_name);
        }
        if value_if_set(body, "callbackUrl").is_some() {
            active.callback_url = url;
        }
        let (is_unlinked, had_campaign) = match &sms {
            Some(SmsChange::UnlinkAll) => {
                (!active.sms.plan.is_empty(), !active.sms.campaign.is_empty())
            }
            Some(SmsChange::UnlinkCampaign) => (false, !active.sms.campaign.is_empty()),
            Some(SmsChange::Link(_)) | None => (false, false),
        };
        match sms {
            Some(SmsChange::UnlinkAll) => (active.sms, active.sms_job) = (Sms::default(), None),
            Some(SmsChange::UnlinkCampaign) => active.unlink_campaign(),
            Some(SmsChange::Link(wanted)) => self.schedule_sms(number, wanted, now),
            None => {}
        }
        if had_campaign {
            self.announce_number(number, Step::Campaign, true, None, now);
        }
        if is_unlinked {
            self.announce_number(number, Step::Sms, true, None, now);
        }
        if let Some(voice) = voice {
            self.schedule_voice(number, voice, now);
        }
        self.active(number)
    }

    /// Releases an active number: the project loses it at the next charge, and scheduled provisioning is dropped. Both
    /// were seen, of a number that had just been rented.
    pub fn release(&mut self, number: &str) -> Result<&ActiveNumber, Refusal> {
        if let Some(active) = self.numbers.get_mut(number) {
            active.expires_at = Some(active.next_charge_at);
            active.sms_job = None;
            active.voice_job = None;
        }
        self.active(number)
    }
}

/// Change of the SMS configuration that an update wants.
enum SmsChange {
    UnlinkAll,
    UnlinkCampaign,
    Link(Sms),
}

fn read_sms_change(body: &Value) -> Result<Option<SmsChange>, Violation> {
    let Some(configuration) = value_if_set(body, "smsConfiguration") else {
        return Ok(None);
    };
    let word = |key: &str| configuration.get(key).and_then(Value::as_str);
    Ok(Some(match (word("servicePlanId"), word("campaignId")) {
        (None, None) => return Err(Violation::new("smsConfiguration", "must not be empty")),
        (Some(""), _) => SmsChange::UnlinkAll,
        (None, Some("")) => SmsChange::UnlinkCampaign,
        (plan, campaign) => SmsChange::Link(Sms {
            plan: plan.unwrap_or_default().to_owned(),
            campaign: campaign.unwrap_or_default().to_owned(),
        }),
    }))
}

fn refusal_of(violation: Violation) -> Refusal {
    Refusal::Invalid {
        message: "Invalid update".to_owned(),
        violations: vec![violation],
    }
}
