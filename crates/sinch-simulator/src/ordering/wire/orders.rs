//! Bodies about orders and registrations.

use serde_json::{Value, json};

use super::super::order::{Attachment, Order, Private};
use super::super::readings::{AttachmentId, ExpireTime, Readings};
use super::{Body, money};

/// Makes the body that shows an order.
pub(in super::super) fn order(order: &Order, project: &str, readings: &Readings) -> Value {
    let product = order.product;
    let price = json!({
        "setupPrice": money(product, product.setup_price),
        "monthlyPrice": money(product, product.monthly_price),
        "paymentIntervalMonths": 1,
    });
    let numbers: Vec<Value> = order
        .numbers
        .iter()
        .map(|number| {
            json!({"phoneNumber": number, "numberPrice": price, "capabilities": product.capabilities})
        })
        .collect();
    let sms = order.sms.as_ref().map(|sms| {
        Body::new(readings)
            .text("servicePlanId", &sms.plan)
            .text("campaignId", &sms.campaign)
            .done()
    });
    let voice = order.voice.as_ref().map(|voice| {
        Body::new(readings)
            .text("type", voice.kind.as_str())
            .text(voice.kind.property(), &voice.id)
            .done()
    });
    let shows_end = readings.expire_time == ExpireTime::Shown;
    Body::new(readings)
        .set("projectId", project)
        .set("idNumberOrder", order.id.as_str())
        .set("regionCode", product.region)
        .set("state", order.state.as_str())
        .set("numberType", product.number_type)
        .set("orderNumbers", numbers)
        .object("smsConfiguration", sms, || Value::Null)
        .object("voiceConfiguration", voice, || Value::Null)
        .time("expireTime", shows_end.then_some(order.expires_at))
        .time("createTime", Some(order.created_at))
        .time("updateTime", Some(order.updated_at))
        .done()
}

/// Makes the body of a registration, with its personal data in full.
pub(in super::super) fn registration(order: &Order, readings: &Readings) -> Value {
    let registration = &order.registration;
    let details = match &registration.details {
        Some(Private(details)) => details.clone(),
        None => json!({}),
    };
    let attachments = registration.attachments.iter();
    let attachments: Vec<Value> = attachments
        .map(|one| attachment_body(one, readings))
        .collect();
    let logs = registration.logs.iter().map(|log| {
        Body::new(readings)
            .set("message", log.message.0.as_str())
            .time("createTime", Some(log.created_at))
            .done()
    });
    Body::new(readings)
        .set("requestDetails", details)
        .set("attachments", attachments)
        .set("logs", logs.collect::<Vec<Value>>())
        .done()
}

fn attachment_body(attachment: &Attachment, readings: &Readings) -> Value {
    let id = match readings.attachment_id {
        AttachmentId::Lookup => attachment.id,
        AttachmentId::Own => &attachment.own_id,
    };
    let file = attachment.file.as_ref();
    Body::new(readings)
        .set("attachmentId", id)
        .text("fileName", file.map_or("", |file| &file.name.0))
        .text("mimeType", file.map_or("", |file| &file.mime_type))
        .set("uploadStatus", attachment.status.as_str())
        .text("documentType", file.map_or("", |file| &file.document_type))
        .time("createTime", Some(attachment.created_at))
        .time("updateTime", Some(attachment.updated_at))
        .done()
}
