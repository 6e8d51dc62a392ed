//! Orders that a command is about: those that are named, or those that fit a filter.

use serde_json::Value;

use super::acted_on::{OrderName, check_names, order_to_act_on};
use super::bulk::Bulk;
use super::command_error::CommandError;
use super::operators::ServiceError;
use super::order_filter::OrderFilter;
use super::output::print_error;
use super::service::Service;
use super::shown;

/// Orders that a command is about. Something has to choose, so that nobody means all by mistake.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("choice").required(true).multiple(true).args(
    ["orders", "all", "state", "project", "parked", "park_reason", "settled", "alert", "region", "number", "readiness",
     "changed_since"]
))]
pub struct Chosen {
    /// Ids of the orders, or whole numbers of them, such as +61491570156; with them, --project says whose they are where
    /// several projects have an order of that id.
    #[arg(value_name = "ORDER")]
    orders: Vec<String>,
    #[command(flatten)]
    filter: OrderFilter,
    /// All orders.
    #[arg(long, conflicts_with_all = ["orders", "state", "project", "parked", "park_reason", "settled", "alert", "region",
        "number", "readiness", "changed_since"])]
    all: bool,
}

impl Chosen {
    /// Requests something of each of the orders, such as `fetch`. Dry runs of orders that are named count them only.
    pub async fn request(
        &self,
        service: &Service,
        bulk: &mut Bulk,
        request: &str,
    ) -> Result<(), CommandError> {
        let act = async |name: &OrderName| {
            let path = name.path_of(request);
            service.post(&path, None).await.map(drop)
        };
        if self.are_named()? {
            return self.each_named(service, bulk, act).await;
        }
        self.all(service, bulk, request).await.map(drop)
    }

    /// Requests something of all orders that fit. Returns the counts of what is kept about them.
    pub async fn all(
        &self,
        service: &Service,
        bulk: &mut Bulk,
        request: &str,
    ) -> Result<Vec<Value>, CommandError> {
        let path = format!("/api/v1/bulk/orders/{request}");
        bulk.all(service, &path, self.filter.params()).await
    }

    /// Returns `true` if the orders are named.
    pub fn are_named(&self) -> Result<bool, CommandError> {
        if !self.orders.is_empty() && self.filter.chooses() {
            let reason = "name orders, or choose them by options, not both";
            return Err(CommandError::usage(reason));
        }
        Ok(!self.orders.is_empty())
    }

    /// Does something to each of the orders that are named.
    pub async fn each_named(
        &self,
        service: &Service,
        bulk: &mut Bulk,
        act: impl AsyncFn(&OrderName) -> Result<(), ServiceError>,
    ) -> Result<(), CommandError> {
        let project = self.filter.project.as_deref();
        check_names(project, &self.orders)?;
        for named in &self.orders {
            let name = order_to_act_on(service, project, named).await;
            let name = name.map_err(|error| error.about(named))?;
            if name.order != *named {
                print_error(shown::line(&format!("{named} is of order {}", name.order)));
            }
            bulk.one(&name.order, act(&name)).await?;
        }
        Ok(())
    }
}
