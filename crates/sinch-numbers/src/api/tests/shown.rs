//! Answers as their methods show them, written down again as JSON, so that a test can compare them with what was sent.

use serde_json::{Map, Value, json};

use super::*;
use crate::Property;

/// Returns the JSON without what means nothing: `null`, `""`, empty lists, and notes of the samples.
pub fn meaningful(value: &Value) -> Value {
    let means_nothing = |value: &Value| {
        value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty)
    };
    match value {
        Value::Object(properties) => properties
            .iter()
            .filter(|(name, value)| *name != "_note" && !means_nothing(value))
            .map(|(name, value)| (name.clone(), meaningful(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(meaningful).collect(),
        other => other.clone(),
    }
}

fn text(property: &Property<'_>) -> Value {
    property.text().into()
}

fn list<T>(elements: &[T], shown: impl Fn(&T) -> Value) -> Value {
    elements.iter().map(shown).collect()
}

fn money(money: Option<Money>) -> Value {
    money.map_or(
        Value::Null,
        |money| json!({ "currencyCode": money.currency_code, "amount": money.amount }),
    )
}

fn json_of(property: &Property<'_>) -> Value {
    property.json().map_or(Value::Null, |json| {
        serde_json::from_str(json).expect("JSON")
    })
}

pub fn regions(regions: &Regions) -> Value {
    let region = |region: &Region| {
        json!({
            "regionCode": text(&region.region_code()),
            "regionName": text(&region.region_name()),
            "types": region.types(),
        })
    };
    json!({ "availableRegions": list(&regions.regions(), region) })
}

pub fn available_numbers(found: &AvailableNumbers) -> Value {
    json!({ "availableNumbers": list(&found.numbers(), available_number) })
}

pub fn available_number(number: &AvailableNumber) -> Value {
    json!({
        "phoneNumber": text(&number.phone_number()),
        "regionCode": text(&number.region_code()),
        "type": text(&number.number_type()),
        "capability": number.capabilities(),
        "setupPrice": money(number.setup_price()),
        "monthlyPrice": money(number.monthly_price()),
        "paymentIntervalMonths": number.payment_interval_months(),
        "supportingDocumentationRequired": number.supporting_documentation_required(),
    })
}

pub fn active_numbers(page: &ActiveNumbers) -> Value {
    json!({
        "activeNumbers": list(&page.numbers(), active_number),
        "nextPageToken": text(&page.next_page_token()),
        "totalSize": page.total_size(),
    })
}

pub fn active_number(number: &ActiveNumber) -> Value {
    json!({
        "phoneNumber": text(&number.phone_number()),
        "projectId": text(&number.project_id()),
        "displayName": text(&number.display_name()),
        "regionCode": text(&number.region_code()),
        "type": text(&number.number_type()),
        "capability": number.capabilities(),
        "money": money(number.recurring_price()),
        "paymentIntervalMonths": number.payment_interval_months(),
        "nextChargeDate": text(&number.next_charge_date()),
        "expireAt": text(&number.expire_at()),
        "callbackUrl": text(&number.callback_url()),
        "smsConfiguration": number.sms_configuration().as_ref().map(sms),
        "voiceConfiguration": number.voice_configuration().as_ref().map(voice),
    })
}

fn sms(sms: &SmsConfiguration) -> Value {
    let scheduled = |scheduled: ScheduledSms| {
        json!({
            "servicePlanId": text(&scheduled.service_plan_id()),
            "campaignId": text(&scheduled.campaign_id()),
            "status": text(&scheduled.status()),
            "lastUpdatedTime": text(&scheduled.last_updated_time()),
            "errorCodes": scheduled.error_codes(),
        })
    };
    json!({
        "servicePlanId": text(&sms.service_plan_id()),
        "campaignId": text(&sms.campaign_id()),
        "scheduledProvisioning": sms.scheduled().map(scheduled),
    })
}

pub fn voice(voice: &VoiceConfiguration) -> Value {
    let scheduled = |scheduled: ScheduledVoice| {
        json!({
            "type": text(&scheduled.voice_type()),
            "appId": text(&scheduled.app_id()),
            "trunkId": text(&scheduled.trunk_id()),
            "serviceId": text(&scheduled.service_id()),
            "status": text(&scheduled.status()),
            "lastUpdatedTime": text(&scheduled.last_updated_time()),
        })
    };
    json!({
        "type": text(&voice.voice_type()),
        "appId": text(&voice.app_id()),
        "trunkId": text(&voice.trunk_id()),
        "serviceId": text(&voice.service_id()),
        "lastUpdatedTime": text(&voice.last_updated_time()),
        "scheduledVoiceProvisioning": voice.scheduled().map(scheduled),
    })
}

/// Shows all attachments beside `fields`, wherever they came.
pub fn requirements(requirements: &Requirements) -> Value {
    let template = |template: &Template| json!({ "name": text(&template.name()), "url": text(&template.url()) });
    let attachment = |attachment: &RequiredAttachment| {
        json!({
            "id": text(&attachment.id()),
            "title": text(&attachment.title()),
            "description": text(&attachment.description()),
            "mandatory": attachment.mandatory(),
            "template": list(&attachment.templates(), template),
            "allowedMimeTypes": attachment.allowed_mime_types(),
            "allowedDocumentTypes": attachment.allowed_document_types(),
        })
    };
    let fields = requirements.fields().map(|fields| {
        let fields: Value = serde_json::from_str(fields.json()).expect("JSON");
        fields
    });
    json!({ "fields": fields, "attachments": list(&requirements.attachments(), attachment) })
}

pub fn registration(registration: &Registration) -> Value {
    let attachment = |attachment: &UploadedAttachment| {
        json!({
            "attachmentId": text(&attachment.attachment_id()),
            "fileName": text(&attachment.file_name()),
            "mimeType": text(&attachment.mime_type()),
            "uploadStatus": text(&attachment.upload_status()),
            "documentType": text(&attachment.document_type()),
            "createTime": text(&attachment.create_time()),
            "updateTime": text(&attachment.update_time()),
        })
    };
    let log = |log: &ReviewLog| json!({ "message": text(&log.message()), "createTime": text(&log.create_time()) });
    let data = registration.data();
    json!({
        "requestDetails": { "data": data.as_ref().map(RegistrationData::value) },
        "attachments": list(&registration.attachments(), attachment),
        "logs": list(&registration.logs(), log),
    })
}

pub fn number_order(order: &NumberOrder) -> Value {
    let price = |price: NumberPrice| {
        json!({
            "setupPrice": money(price.setup_price),
            "monthlyPrice": money(price.monthly_price),
            "paymentIntervalMonths": price.payment_interval_months,
        })
    };
    let number = |number: &OrderNumber| {
        json!({
            "phoneNumber": number.phone_number,
            "numberPrice": number.number_price.clone().map(price),
            "capabilities": number.capabilities,
        })
    };
    json!({
        "projectId": text(&order.project_id),
        "idNumberOrder": text(&order.id_number_order),
        "regionCode": text(&order.region_code),
        "state": text(&order.state),
        "numberType": text(&order.number_type),
        "orderNumbers": list(&order.numbers(), number),
        "smsConfiguration": json_of(&order.sms_configuration),
        "voiceConfiguration": json_of(&order.voice_configuration),
        "expireTime": text(&order.expire_time),
        "createTime": text(&order.create_time),
        "updateTime": text(&order.update_time),
    })
}

pub fn callback_configuration(configuration: &CallbackConfiguration) -> Value {
    use secrecy::ExposeSecret;

    let secret = configuration.hmac_secret();
    json!({
        "projectId": text(&configuration.project_id()),
        "hmacSecret": secret.as_ref().map(|secret| secret.expose_secret()),
    })
}

pub fn refusal(refusal: &Refusal) -> Value {
    let violation = |violation: &FieldViolation| {
        let (field, description) = (violation.field(), violation.description());
        json!({ "field": text(&field), "description": text(&description) })
    };
    let detail = |detail: &ErrorDetail| {
        json!({
            "type": text(&detail.detail_type()),
            "resourceType": text(&detail.resource_type()),
            "resourceName": text(&detail.resource_name()),
            "owner": text(&detail.owner()),
            "description": text(&detail.description()),
            "fieldViolations": list(&detail.field_violations(), violation),
        })
    };
    let error = |error: ErrorBody| {
        json!({
            "code": error.code(),
            "message": text(&error.message()),
            "status": text(&error.status()),
            "details": list(&error.details(), detail),
        })
    };
    json!({
        "error": refusal.error().map_or(text(&refusal.error_property()), error),
        "type": text(&refusal.registry_type()),
        "title": text(&refusal.title()),
        "detail": text(&refusal.detail()),
    })
}
