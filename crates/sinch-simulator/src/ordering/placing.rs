//! Calls with which a client places an order: create, register, upload, submit.

use serde_json::{Value, json};

use super::announcement::Content;
use super::model::{Due, Model};
use super::order::{
    Attachment, Choice, File, NewOrder, Order, Private, Registration, UploadStatus,
};
use super::readings::{
    AttachmentList, Incomplete, Quantity, TakenNumber, Unblocking, Upload, WithoutForm,
};
use super::refusal::{Refusal, Resource};
use super::requirements::{self, DOCUMENTS, Document};
use super::review;
use crate::wire::ulid;
use number_order::{Id, State, Time};

impl Model {
    /// Creates an order for a client: its numbers are reserved from now on.
    pub fn create(&mut self, new: NewOrder, now: Time) -> Result<&Order, Refusal> {
        let numbers = self.choose_numbers(&new)?;
        let id = self.new_ulid(now);
        let id = Id::new(id).expect("a ULID stands in any URL");
        for number in &numbers {
            self.stock.take(number);
        }
        let order = Order {
            id: id.clone(),
            product: new.product,
            numbers,
            sms: new.sms,
            voice: new.voice,
            callback_url: new.callback_url,
            state: State::Created,
            is_submitted: false,
            blocks: 0,
            created_at: now,
            updated_at: now,
            expires_at: now.plus(self.script.readings.reservation),
            registration: Registration::default(),
        };
        self.plan(order.expires_at, Due::Expiry(id.clone()));
        let needs_no_submit = self.script.readings.without_form == WithoutForm::WithoutSubmit;
        if needs_no_submit && !new.product.has_form {
            let completed_at = now.plus(self.script.pace.review);
            self.plan(completed_at, Due::Completion(id.clone()));
        }
        Ok(self.orders.entry(id).or_insert(order))
    }

    fn choose_numbers(&mut self, new: &NewOrder) -> Result<Vec<String>, Refusal> {
        match &new.choice {
            Choice::Number(number) => {
                let is_of_product = new.product.has(number);
                if is_of_product && self.stock.has(number) {
                    return Ok(vec![number.clone()]);
                }
                Err(match self.script.readings.taken_number {
                    TakenNumber::BadRequest => Refusal::invalid("Phone number cannot be had"),
                    TakenNumber::NotFound => Refusal::missing(Resource::AvailableNumber, number),
                })
            }
            Choice::Quantity(asked, filter) => {
                let size = match self.script.readings.quantity {
                    Quantity::Fewer if *asked > 1 => asked - 1,
                    Quantity::All | Quantity::Fewer => *asked,
                };
                let numbers = self.stock.sample(new.product, filter, size, &mut self.rng);
                if numbers.is_empty() {
                    return Err(Refusal::invalid("No such numbers can be had"));
                }
                Ok(numbers)
            }
        }
    }

    /// Returns a new id like Sinch's, a ULID.
    pub fn new_ulid(&mut self, now: Time) -> String {
        ulid(now, self.rng.u128(..))
    }

    /// Registers data for an order in place of what was registered, if it passes the check. That an order in review
    /// takes it too is invented.
    pub fn register(&mut self, id: &str, body: &Value, now: Time) -> Result<&Order, Refusal> {
        let order = self.order_to_change(id)?;
        let (id, has_form) = (order.id.clone(), order.product.has_form);
        // An older description has `data` at the top.
        let details = match (body.get("requestDetails"), body.get("data")) {
            (Some(details @ Value::Object(_)), _) => details.clone(),
            (_, Some(data)) => json!({ "data": data }),
            _ => return Err(Refusal::of_field("requestDetails", "is required")),
        };
        if has_form {
            let data = details.get("data").unwrap_or(&Value::Null);
            let violations = requirements::violations(data, &self.script.readings);
            if !violations.is_empty() {
                return Err(Refusal::Invalid {
                    message: "Invalid registration".to_owned(),
                    violations,
                });
            }
        }
        if has_form && self.script.readings.attachment_list == AttachmentList::Upfront {
            for document in DOCUMENTS.iter().filter(|document| document.is_mandatory) {
                self.attachment_of(&id, document, now);
            }
        }
        let returns = self.script.readings.unblocking == Unblocking::PutAlone;
        let mut is_blocked = false;
        if let Some(order) = self.orders.get_mut(&id) {
            order.registration.details = Some(Private(details));
            order.updated_at = now;
            is_blocked = order.state == State::Blocked;
        }
        if returns && is_blocked {
            self.begin_review(&id, now);
        }
        self.known(id.as_str())
    }

    /// Takes a file for a document of an order.
    pub fn upload(
        &mut self,
        id: &str,
        attachment: &str,
        file: File,
        now: Time,
    ) -> Result<(), Refusal> {
        let order = self.order_to_change(id)?;
        let (id, has_form) = (order.id.clone(), order.product.has_form);
        let mut known = order.registration.attachments.iter();
        let own = known.find(|known| known.own_id == attachment);
        let document = requirements::document(own.map_or(attachment, |own| own.id))
            .filter(|_| has_form)
            .ok_or_else(|| Refusal::missing(Resource::NumberOrder, attachment))?;
        check_file(document, &file, self.script.upload_max_bytes)?;
        let waits = self.script.readings.upload != Upload::AtOnce;
        let ends_at = now.plus(self.script.pace.upload);
        let attachment = self.attachment_of(&id, document, now);
        let Some(attachment) = attachment else {
            return Ok(());
        };
        attachment.file = Some(file);
        attachment.uploads += 1;
        attachment.updated_at = now;
        attachment.status = if waits {
            UploadStatus::Waiting
        } else {
            UploadStatus::Completed
        };
        let upload = attachment.uploads;
        if waits {
            self.plan(ends_at, Due::UploadEnds(id, document.id, upload));
        }
        Ok(())
    }

    /// Returns the document of the order's registration, and adds it first if the registration has none.
    fn attachment_of(
        &mut self,
        id: &Id,
        document: &'static Document,
        now: Time,
    ) -> Option<&mut Attachment> {
        let own_id = self.new_ulid(now);
        let attachments = &mut self.orders.get_mut(id)?.registration.attachments;
        let known = attachments.iter().position(|known| known.id == document.id);
        let n = known.unwrap_or(attachments.len());
        if known.is_none() {
            attachments.push(Attachment {
                id: document.id,
                own_id,
                file: None,
                status: UploadStatus::Waiting,
                uploads: 0,
                created_at: now,
                updated_at: now,
            });
        }
        attachments.get_mut(n)
    }

    /// Submits an order for review. An order that waits for no submit stays as it is.
    pub fn submit(&mut self, id: &str, now: Time) -> Result<&Order, Refusal> {
        let order = self.known(id)?;
        let id = order.id.clone();
        let is_wanted = match order.state {
            State::Created => !order.is_submitted,
            State::Blocked => {
                let needs_submit = self.script.readings.unblocking == Unblocking::PutAndSubmit;
                needs_submit && !order.is_submitted
            }
            State::InReview | State::Completed | State::Rejected | State::Expired => false,
        };
        if !is_wanted {
            return self.known(id.as_str());
        }
        let gaps = review::registration_gaps(order, &self.script.readings);
        if !gaps.is_empty() && self.script.readings.incomplete == Incomplete::Refused {
            return Err(Refusal::Invalid {
                message: "Registration is incomplete".to_owned(),
                violations: gaps,
            });
        }
        if order.product.has_form {
            self.begin_review(&id, now);
        } else {
            self.submit_without_form(&id, now);
        }
        self.known(id.as_str())
    }

    fn submit_without_form(&mut self, id: &Id, now: Time) {
        match self.script.readings.without_form {
            WithoutForm::AtOnce => self.complete(id, now),
            WithoutForm::Later => self.begin_review(id, now),
            WithoutForm::CallbackFirst => {
                let Some(order) = self.orders.get_mut(id) else {
                    return;
                };
                order.is_submitted = true;
                let url = order.callback_url.clone();
                self.announce(id, url, Content::Order(State::Completed), now);
                let completed_at = now.plus(self.script.pace.review);
                self.plan(completed_at, Due::Completion(id.clone()));
            }
            // The order completes by itself.
            WithoutForm::WithoutSubmit => {}
        }
    }

    /// Returns the order, or refuses the call where Sinch has forgotten it.
    pub fn known(&self, id: &str) -> Result<&Order, Refusal> {
        self.shown(id)
            .ok_or_else(|| Refusal::missing(Resource::NumberOrder, id))
    }

    /// Returns the order, or refuses to change it in a final state. What Sinch says to such a change is unknown.
    fn order_to_change(&self, id: &str) -> Result<&Order, Refusal> {
        let order = self.known(id)?;
        if order.state.is_final() {
            let state = order.state.as_str();
            return Err(Refusal::invalid(format!("Number order is {state}")));
        }
        Ok(order)
    }
}

fn check_file(document: &Document, file: &File, max_bytes: usize) -> Result<(), Refusal> {
    if file.size > max_bytes {
        return Err(Refusal::TooLarge);
    }
    if file.size == 0 {
        return Err(Refusal::of_field("file", "is empty"));
    }
    let allows = |list: &[&str], word: &str| list.is_empty() || list.contains(&word);
    if !allows(document.mime_types, &file.mime_type) {
        return Err(Refusal::of_field("file", "has a type that is not allowed"));
    }
    if !allows(document.kinds, &file.document_type) {
        let allowed = document.kinds.join(", ");
        return Err(Refusal::of_field(
            "documentType",
            format!("must be one of {allowed}"),
        ));
    }
    Ok(())
}
