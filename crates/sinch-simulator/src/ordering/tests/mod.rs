//! Tests of the model: orders, numbers and requirements, in time that is an argument.

mod chance;
mod numbers;
mod orders;
mod requests;
mod words;

use std::time::Duration;

use serde_json::{Value, json};

use super::announcement::{Announcement, Content};
use super::model::Model;
use super::new_order;
use super::order::{File, Private};
use super::refusal::Refusal;
use super::stock::Stock;
use super::*;
use number_order::{Id, State, Time};

pub(super) const START: Time = Time(1_770_091_506_123_456);

/// The plainest reading of each question.
pub(crate) fn plain() -> Readings {
    Readings {
        nothing_required: NothingRequired::NotFound,
        attachments_place: AttachmentsPlace::Beside,
        rule_sentences: RuleSentences::Message,
        unset: Unset::Absent,
        fractions: Fractions::Six,
        created_status: CreatedStatus::Ok,
        taken_number: TakenNumber::BadRequest,
        quantity: Quantity::All,
        expire_time: ExpireTime::Shown,
        expiring: Expiring::Unsubmitted,
        expired: Expired::Shown,
        incomplete: Incomplete::Refused,
        submitted: Submitted::InReview,
        without_form: WithoutForm::Later,
        unblocking: Unblocking::PutAlone,
        field_notation: FieldNotation::Whole,
        violation_text: ViolationText::Plain,
        attachment_list: AttachmentList::WhenUploaded,
        attachment_id: AttachmentId::Lookup,
        upload: Upload::AtOnce,
        too_large: TooLarge::Json,
        activation: Activation::AtOnce,
        number_callbacks: NumberCallbacks::CarriedOver,
        provisioning: Provisioning::Succeeds,
        search_without_type: SearchWithoutType::Refused,
        pattern_alone: PatternAlone::Start,
        tokens: Tokens::Full,
        refusal_body: RefusalBody::Api,
        retry_after: RetryAfter::Sent,
        failure_body: FailureBody::Json,
        reservation: Duration::from_secs(3600),
        failure: Failure::with_code("SMS_PROVISIONING_FAILED").expect("a known code"),
    }
}

/// Form of an Australian order, with this purpose.
pub(crate) fn form(purpose: &str) -> Value {
    json!({"requestDetails": {"data": [
        [{
            "senderId": "+61491571000",
            "purposeOfTheTraffic": purpose,
            "intendedUseOfMobileNumbers": "Transactional",
            "iConfirmThatMyBusinessHasAValidUseCaseForThisLn": true,
        }],
        {
            "endBusinessName": "Secret Bakery",
            "endBusinessAddress": "1 Hidden Lane",
            "city": "Hobart",
            "state": "TAS",
            "country": "AU",
            "postalCode": "7000",
        },
        {"firstName": "Nora", "lastName": "Nameless", "phoneNumber": "+61491570156"},
    ]}})
}

/// Id of the document that is mandatory.
pub(crate) const LETTER: &str = "5d0c8a52-61f0-4c3e-9a7b-0f2e6b1c4d11";
/// Id of the other document.
const IDENTITY: &str = "5d0c8a52-61f0-4c3e-9a7b-0f2e6b1c4d22";

fn pdf(size: usize) -> File {
    File {
        name: Private("hidden.pdf".to_owned()),
        mime_type: "application/pdf".to_owned(),
        document_type: String::new(),
        size,
    }
}

/// A model, and the time in it.
struct Play {
    model: Model,
    now: Time,
}

impl Play {
    fn new(change: impl FnOnce(&mut Script)) -> Play {
        let mut script = Script::by_seed(1);
        script.readings = plain();
        change(&mut script);
        Play {
            model: Model::new(script, Stock::default()),
            now: START,
        }
    }

    fn reading(change: impl FnOnce(&mut Readings)) -> Play {
        Play::new(|script| change(&mut script.readings))
    }

    /// Lets time pass.
    fn wait(&mut self, span: Duration) {
        self.now = self.now.plus(span);
        self.model.advance(self.now);
    }

    /// Lets a minute pass, in which all goes on that does not wait for the client.
    fn settle(&mut self) {
        self.wait(Duration::from_secs(60));
    }

    fn create(&mut self, body: &Value) -> Result<Id, Refusal> {
        let alone = self.model.script.readings.pattern_alone;
        let new = new_order::read(body, alone)?;
        Ok(self.model.create(new, self.now)?.id.clone())
    }

    fn create_au(&mut self) -> Id {
        self.create(&au("+61491571000")).expect("a number is there")
    }

    fn create_us(&mut self) -> Id {
        self.create(&us()).expect("a number is there")
    }

    fn register(&mut self, id: &Id, purpose: &str) -> Result<(), Refusal> {
        let body = form(purpose);
        let registered = self.model.register(id.as_str(), &body, self.now);
        registered.map(drop)
    }

    fn upload(&mut self, id: &Id) -> Result<(), Refusal> {
        self.model.upload(id.as_str(), LETTER, pdf(9), self.now)
    }

    fn submit(&mut self, id: &Id) -> Result<State, Refusal> {
        let submitted = self.model.submit(id.as_str(), self.now);
        submitted.map(|order| order.state)
    }

    /// Creates and submits an Australian order with this purpose in its form.
    fn place_au(&mut self, purpose: &str) -> Id {
        let id = self.create_au();
        self.register(&id, purpose).expect("a good form");
        self.upload(&id).expect("a good file");
        self.settle();
        self.submit(&id).expect("complete");
        id
    }

    fn state(&self, id: &Id) -> State {
        self.model.orders[id].state
    }

    /// Takes what was announced, each in a few words.
    fn announced(&mut self) -> Vec<String> {
        let made = self.model.take_announcements();
        made.iter().map(words).collect()
    }
}

fn words(announcement: &Announcement) -> String {
    match &announcement.content {
        Content::Order(state) => state.as_str().to_owned(),
        Content::Number {
            step,
            is_undone,
            failure,
            ..
        } => {
            let undone = if *is_undone { " undone" } else { "" };
            let code = failure.map_or("", |failure| failure.code);
            format!("{}{undone} {code}", step.as_str())
                .trim_end()
                .to_owned()
        }
    }
}

/// Body of a create of this Australian number.
pub(crate) fn au(number: &str) -> Value {
    json!({
        "regionCode": "AU",
        "numberType": "MOBILE",
        "numberOrderOption": {"phoneNumbers": [number]},
        "smsConfiguration": {"servicePlanId": "plan"},
        "callbackUrl": "http://client.example/own",
    })
}

/// Body of a create of an American number, which needs no form.
fn us() -> Value {
    json!({
        "regionCode": "US",
        "numberType": "LOCAL",
        "numberOrderOption": {"phoneNumbers": ["+12015550100"]},
        "smsConfiguration": {"servicePlanId": "plan", "campaignId": "campaign"},
        "voiceConfiguration": {"type": "RTC", "appId": "app"},
        "callbackUrl": "http://client.example/own",
    })
}

#[test]
fn seeds_choose_every_reading_of_every_question() {
    let mut met = std::collections::BTreeSet::new();
    for seed in 0..200 {
        assert_eq!(Readings::by_seed(seed), Readings::by_seed(seed));
        let readings = Readings::by_seed(seed);
        let minutes = readings.reservation.as_secs() / 60;
        assert!((30..=48 * 60).contains(&minutes), "seed {seed}");
        met.extend(readings.list());
    }
    assert_eq!(met.len(), Readings::total(), "{met:#?}");
    for code in Failure::ALL.iter().map(|failure| failure.code) {
        let mut seeds = 0..500;
        let chosen = seeds.any(|seed| Readings::by_seed(seed).failure.code == code);
        assert!(chosen, "{code}");
    }
    let shown = plain().to_string();
    assert!(shown.contains("unblocking: PutAlone (chosen by seed)\n"));
}
