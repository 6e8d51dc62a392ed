//! `forget`: orders are removed with all that is kept about them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::acted_on::OrderName;
use super::bulk::{Bulk, ORDERS};
use super::chosen::Chosen;
use super::command_error::{self, CommandError};
use super::operators::ServiceError;
use super::output::print_line;
use super::service::{Options, Service};
use number_order::counted;

/// What the service cannot remove.
const REMAINS: &str = "Not removed: backups that were made before, which keep it until you delete them; the log; what other \
                       systems were told; and a reference under which it was placed, which never orders again";

/// Arguments of `forget`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Remove; without it, only say how much there is.
    #[arg(long)]
    yes: bool,
    /// Remove nothing: the same as without --yes.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    options: Options,
}

/// Makes the running service forget orders, or says what it keeps about them.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(forget(config, &arguments).await, arguments.options.json)
}

async fn forget(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let (dry_run, json) = (!arguments.yes, arguments.options.json);
    let (done, doing) = if dry_run {
        (
            [
                "fits; nothing is removed yet: with --yes all of it is, irrevocably",
                "fit; nothing is removed yet: with --yes all of it is, irrevocably",
            ],
            "counted",
        )
    } else {
        (["is forgotten", "are forgotten"], "forgotten")
    };
    // A dry run of orders that are named asks the service, too: it counts what is kept.
    let chosen = &arguments.chosen;
    let are_named = chosen.are_named()?;
    let mut bulk = Bulk::new(ORDERS, done, doing, dry_run && !are_named, json);
    let kept = RefCell::new(BTreeMap::new());
    let request = async |name: &OrderName| {
        let body = json!({ "dry_run": dry_run });
        let answer = service.post(&name.path_of("forget"), Some(&body)).await?;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        add(&mut kept.borrow_mut(), &answer["kept"]);
        Ok::<(), ServiceError>(())
    };
    if are_named {
        chosen.each_named(&service, &mut bulk, request).await?;
    } else {
        for counts in chosen.all(&service, &mut bulk, "forget").await? {
            add(&mut kept.borrow_mut(), &counts);
        }
        bulk.dry_run = false;
    }
    let kept = kept.into_inner();
    if json {
        let kept: Map<String, Value> = kept.into_iter().map(|(kind, n)| (kind, n.into())).collect();
        return bulk.end_with(&[
            ("kept", kept.into()),
            ("dry_run", dry_run.into()),
            ("remains", REMAINS.into()),
        ]);
    }
    let counts = kept.iter().filter(|(_, count)| **count > 0);
    let counts: Vec<String> = counts
        .map(|(kind, count)| counted(*count, one_of(kind), kind))
        .collect();
    let ended = bulk.end();
    if !counts.is_empty() {
        print_line(format_args!("With them: {}", counts.join(", ")));
        print_line(REMAINS);
    }
    ended
}

/// Returns the word for one of a kind of what is kept, of which the API has the plural.
fn one_of(kinds: &str) -> &str {
    match kinds {
        "deliveries" => "delivery",
        "fetches" => "fetch",
        kinds => kinds.strip_suffix('s').unwrap_or(kinds),
    }
}

/// Adds the counts of an answer to those of others.
fn add(kept: &mut BTreeMap<String, u64>, counts: &Value) {
    let counts = counts.as_object().into_iter().flatten();
    for (kind, count) in counts {
        *kept.entry(kind.clone()).or_default() += count.as_u64().unwrap_or(0);
    }
}
