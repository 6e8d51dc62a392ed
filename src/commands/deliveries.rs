//! Parked deliveries that a command is about: those that are named, or those that fit a filter.

use clap::builder::PossibleValuesParser;
use number_order::{Kept, NotUnderstood};
use strum::VariantNames;

use super::bulk::Bulk;
use super::command_error::CommandError;
use super::moment::{Moment, Period};
use super::service::Service;

/// Parked deliveries that a command is about. Something has to choose, so that nobody means all by mistake.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("choice").required(true).multiple(true).args(
    ["deliveries", "all", "order", "project", "decision", "since", "until"]
))]
pub struct ChosenDeliveries {
    /// Ids of the deliveries; `parked` shows them.
    #[arg(value_name = "DELIVERY", conflicts_with_all = ["order", "project", "decision", "since", "until"])]
    deliveries: Vec<u64>,
    /// Only those about this order.
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    /// Only those by the path of this project.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Only those that are parked for this reason.
    #[arg(long, value_name = "REASON", value_parser = decisions())]
    decision: Option<String>,
    /// Only those received at this time or later: a time such as 2026-01-31T12:00:00Z, or so long ago, such as 30min, 2h or
    /// 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only those received before this time, written as for --since.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// All that are parked.
    #[arg(long, conflicts_with_all = ["deliveries", "order", "project", "decision", "since", "until"])]
    all: bool,
}

fn decisions() -> PossibleValuesParser {
    let decisions = Kept::VARIANTS.iter().chain(NotUnderstood::VARIANTS);
    PossibleValuesParser::new(decisions.filter(|code| **code != "other-resource"))
}

impl ChosenDeliveries {
    /// Requests something of each of the deliveries, such as `replay`. Those that an operator has dismissed already are left
    /// out unless they are named.
    pub async fn request(
        &self,
        service: &Service,
        bulk: &mut Bulk,
        request: &str,
    ) -> Result<(), CommandError> {
        let act = async |delivery| {
            let path = format!("/api/v1/deliveries/{delivery}/{request}");
            service.post(&path, None).await.map(drop)
        };
        for delivery in &self.deliveries {
            bulk.one(&format!("delivery {delivery}"), act(*delivery))
                .await?;
        }
        if !self.deliveries.is_empty() {
            return Ok(());
        }
        let period = Period::between(self.since.as_ref(), self.until.as_ref())?;
        let mut params = vec![
            ("order", self.order.as_deref()),
            ("project", self.project.as_deref()),
            ("decision", self.decision.as_deref()),
        ];
        params.extend(period.params());
        let path = format!("/api/v1/bulk/deliveries/{request}");
        bulk.all(service, &path, params).await.map(drop)
    }
}
