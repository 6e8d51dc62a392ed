//! Bodies about available numbers, active numbers, and regions.

use serde_json::{Value, json};

use super::super::active_number::{ActiveNumber, Job, JobStatus};
use super::super::order::{Sms, Voice, VoiceKind};
use super::super::readings::Readings;
use super::super::stock::Product;
use super::{Body, money};

/// Makes the body of an available number.
///
/// `supportingDocumentationRequired` is always `true`, as in every answer that was seen, though most of these numbers
/// require nothing: only the lookup tells.
pub(in super::super) fn available(number: &str, product: &Product) -> Value {
    json!({
        "phoneNumber": number,
        "regionCode": product.region,
        "type": product.number_type,
        "capability": product.capabilities,
        "setupPrice": money(product, product.setup_price),
        "monthlyPrice": money(product, product.monthly_price),
        "paymentIntervalMonths": 1,
        "supportingDocumentationRequired": true,
    })
}

/// Makes the body of the list of regions that have numbers of one of the given types; no types: of any type.
pub(in super::super) fn regions(types: &[String]) -> Value {
    let mut regions: Vec<Value> = Vec::new();
    let wanted = |product: &&Product| {
        types.is_empty() || types.iter().any(|word| word == product.number_type)
    };
    // Products of one region stand side by side.
    for product in Product::ALL.iter().filter(wanted) {
        match regions.last_mut() {
            Some(last) if last["regionCode"] == product.region => {
                if let Some(types) = last["types"].as_array_mut() {
                    types.push(product.number_type.into());
                }
            }
            _ => regions.push(json!({
                "regionCode": product.region,
                "regionName": product.region_name,
                "types": [product.number_type],
            })),
        }
    }
    json!({ "availableRegions": regions })
}

/// Makes the body of an active number.
pub(in super::super) fn active(active: &ActiveNumber, project: &str, readings: &Readings) -> Value {
    let product = active.product;
    Body::new(readings)
        .set("phoneNumber", active.number.as_str())
        .set("projectId", project)
        .text("displayName", &active.display_name)
        .set("regionCode", product.region)
        .set("type", product.number_type)
        .set("capability", json!(product.capabilities))
        .set("money", money(product, product.monthly_price))
        .set("paymentIntervalMonths", 1)
        .time("nextChargeDate", Some(active.next_charge_at))
        .time("expireAt", active.expires_at)
        .set("smsConfiguration", sms_body(active, readings))
        .set("voiceConfiguration", voice_body(active, readings))
        .text(
            "callbackUrl",
            active.callback_url.as_deref().unwrap_or_default(),
        )
        .done()
}

fn sms_body(active: &ActiveNumber, readings: &Readings) -> Value {
    let scheduled = active.sms_job.as_ref().map(|job| {
        let errors: Vec<&str> = match job.status {
            JobStatus::Failed(failure) => vec![failure.code],
            JobStatus::Waiting | JobStatus::InProgress => Vec::new(),
        };
        let Sms { plan, campaign } = &job.wanted;
        let body = Body::new(readings)
            .text("servicePlanId", plan)
            .text("campaignId", campaign);
        add_progress(body, job)
            .set("errorCodes", json!(errors))
            .done()
    });
    Body::new(readings)
        .text("servicePlanId", &active.sms.plan)
        .text("campaignId", &active.sms.campaign)
        .object("scheduledProvisioning", scheduled, || Value::Null)
        .done()
}

fn voice_body(active: &ActiveNumber, readings: &Readings) -> Value {
    let scheduled = active.voice_job.as_ref().map(|job| {
        let body = add_service(Body::new(readings), Some(&job.wanted), job.wanted.kind);
        add_progress(body, job).done()
    });
    // A number without voice was seen with the type RTC and without an id.
    let kind = active
        .voice
        .as_ref()
        .map_or(VoiceKind::Rtc, |voice| voice.kind);
    add_service(Body::new(readings), active.voice.as_ref(), kind)
        .time("lastUpdatedTime", active.voice_changed_at)
        .object("scheduledVoiceProvisioning", scheduled, || Value::Null)
        .done()
}

fn add_service<'a>(body: Body<'a>, voice: Option<&Voice>, kind: VoiceKind) -> Body<'a> {
    let id = voice.map_or("", |voice| &voice.id);
    VoiceKind::ALL
        .into_iter()
        .fold(body.set("type", kind.as_str()), |body, each| {
            body.text(each.property(), if each == kind { id } else { "" })
        })
}

fn add_progress<'a, T>(body: Body<'a>, job: &Job<T>) -> Body<'a> {
    body.set("status", job.status.as_str())
        .time("lastUpdatedTime", Some(job.updated_at))
}
