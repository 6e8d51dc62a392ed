//! What the form orders, against the regions in which Sinch says that the project can get numbers.

use sinch_numbers::api::Regions;

use super::Report;
use crate::finding::{Finding, FindingKind};
use crate::form::Form;
use crate::place::Place;

/// Compares the ordered region and type with Sinch's list of regions, and returns the doubt if they are not in it.
///
/// Sinch describes that list in two ways that contradict each other, so it is a hint and decides nothing. An empty list
/// says nothing at all.
pub fn check_offer(form: &Form, regions: &Regions) -> Option<Finding> {
    let regions = regions.regions();
    if regions.is_empty() {
        return None;
    }
    let order = Place::default().key("order");
    let wanted = form.number_type().as_str();
    let region = regions
        .iter()
        .find(|region| region.region_code().text() == Some(form.region()));
    let (key, kind) = match region.map(|region| region.types()) {
        None => {
            let listed = regions.iter();
            let listed = listed.filter_map(|region| region.region_code().text().map(str::to_owned));
            let listed = listed.collect();
            ("region", FindingKind::RegionNotListed { listed })
        }
        Some(listed) if !listed.is_empty() && !listed.iter().any(|listed| listed == wanted) => {
            ("type", FindingKind::TypeNotListed { listed })
        }
        Some(_) => return None,
    };
    let mut report = Report {
        form,
        findings: Vec::new(),
    };
    report.add(&order.key(key), &order, kind);
    report.findings.pop()
}
