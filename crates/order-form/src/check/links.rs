//! Links that the form orders for its numbers.

use super::Report;
use crate::finding::{Finding, FindingKind};
use crate::form::Form;
use crate::place::Place;

/// Returns the doubt about an order without any link: its numbers would be active, and work for nothing. It matters only
/// until the order is created.
pub fn check_links(form: &Form) -> Option<Finding> {
    if form.order.sms_configuration.is_some() || form.order.voice_configuration.is_some() {
        return None;
    }
    let order = Place::default().key("order");
    let mut report = Report {
        form,
        findings: Vec::new(),
    };
    report.add(&order, &order, FindingKind::NothingLinked);
    report.findings.pop()
}
