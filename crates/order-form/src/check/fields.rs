//! Check of a form's registration.

use serde_json::{Map, Value};
use sinch_numbers::api::Ordered;

use super::Report;
use crate::finding::FindingKind;
use crate::form::is_set;
use crate::nearest::nearest;
use crate::place::Place;
use crate::rules::{Choices, Field, FieldKind, Part, Rules};

pub(super) fn check_registration(report: &mut Report<'_>, rules: &Rules) {
    let form = report.form;
    let registration = Place::default().key("registration");
    for n in 0..rules.parts.len().max(form.parts.len()) {
        let place = registration.key(&(n + 1).to_string());
        let data = form.parts.get(n).filter(|data| !data.entries.is_empty());
        match (rules.parts.get(n), data) {
            (Some(part), None) if part.is_required() => {
                report.add(&place, &registration, FindingKind::PartMissing);
            }
            (Some(part), Some(data)) => {
                for (i, entry) in data.entries.iter().enumerate() {
                    let place = if data.is_list {
                        place.entry(i)
                    } else {
                        place.clone()
                    };
                    check_entry(report, &place, part, entry);
                }
            }
            (None, Some(data)) => {
                let parts = rules.parts.len();
                let holder = if data.is_list {
                    place.entry(0)
                } else {
                    place.clone()
                };
                report.add(&place, &holder, FindingKind::PartUnknown { parts });
            }
            (_, None) => {}
        }
    }
}

fn check_entry(report: &mut Report<'_>, place: &Place, part: &Part, entry: &Map<String, Value>) {
    for field in &part.fields {
        let value = entry.get(&field.name).filter(|value| is_set(value));
        let found = match value {
            Some(value) => value_faults(field, value),
            None if field.is_required => vec![missing_field(field)],
            None => Vec::new(),
        };
        for kind in found {
            report.add(&place.key(&field.name), place, kind);
        }
    }
    check_number(report, place, part, entry);
    // Where a piece of the rule was not understood, it may well name the field.
    if !part.not_understood.is_empty() || part.fields.is_empty() {
        return;
    }
    let known = || part.fields.iter().map(|field| field.name.as_str());
    for name in entry
        .keys()
        .filter(|name| !known().any(|known| known == *name))
    {
        let nearest = nearest(name, known()).map(str::to_owned);
        report.add(
            &place.key(name),
            place,
            FindingKind::FieldUnknown { nearest },
        );
    }
}

/// Compares the field that presumably names the ordered number with that number. Where Sinch chooses the number, there is
/// nothing to compare.
fn check_number(report: &mut Report<'_>, place: &Place, part: &Part, entry: &Map<String, Value>) {
    let Ordered::Number(ordered) = report.form.numbers() else {
        return;
    };
    let ordered = ordered.as_str();
    let mut fields = part
        .fields
        .iter()
        .filter(|field| field.seems_ordered_number());
    let given = |field: &Field| entry.get(&field.name).and_then(Value::as_str);
    let is_other =
        |field: &&Field| given(field).is_some_and(|given| !given.is_empty() && given != ordered);
    if let Some(field) = fields.find(is_other) {
        let kind = FindingKind::OtherNumber {
            ordered: ordered.to_owned(),
        };
        report.add(&place.key(&field.name), place, kind);
    }
}

fn missing_field(field: &Field) -> FindingKind {
    if field.choices == Some(Choices::Confirmation) {
        FindingKind::NotConfirmed { is_quoted: false }
    } else {
        FindingKind::FieldMissing
    }
}

/// Returns the faults of a field's value, by the rules.
fn value_faults(field: &Field, value: &Value) -> Vec<FindingKind> {
    let message = |rule: &str| field.message(rule).map(str::to_owned);
    match &field.choices {
        Some(Choices::Confirmation) if *value != Value::Bool(true) => {
            let text = value.as_str().unwrap_or_default();
            let is_quoted = text.trim().eq_ignore_ascii_case("true");
            return vec![FindingKind::NotConfirmed { is_quoted }];
        }
        Some(Choices::OneOf(choices)) if !choices.contains(value) => {
            return vec![FindingKind::NotAChoice {
                choices: choices.clone(),
                message: message("enum"),
            }];
        }
        _ => {}
    }
    let wanted = match (field.kind, value) {
        (FieldKind::Any, _)
        | (FieldKind::Text, Value::String(_))
        | (FieldKind::Flag, Value::Bool(_)) => None,
        (FieldKind::Text, _) => Some("a text in double quotes"),
        (FieldKind::Flag, _) => Some("true or false, without quotes"),
    };
    if let Some(wanted) = wanted {
        return vec![FindingKind::WrongType { wanted }];
    }
    let Value::String(text) = value else {
        return Vec::new();
    };
    let length = text.chars().count() as u64;
    let min = field.min_length.filter(|min| length < *min);
    let max = field.max_length.filter(|max| length > *max);
    let pattern = field.pattern.as_ref().filter(|_| {
        let regex = field.regex.as_ref();
        regex.is_some_and(|regex| !regex.is_match(text))
    });
    let min = min.map(|min| FindingKind::TooShort {
        min,
        message: message("minLength"),
    });
    let max = max.map(|max| FindingKind::TooLong {
        max,
        message: message("maxLength"),
    });
    let pattern = pattern.map(|pattern| FindingKind::PatternMismatch {
        pattern: pattern.clone(),
        message: message("pattern"),
    });
    [min, max, pattern].into_iter().flatten().collect()
}
