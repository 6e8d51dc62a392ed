//! An order by its id, or by any part of one of its numbers.

use serde_json::Value;

use super::command_error::CommandError;
use super::invocation::Invocation;
use super::operators::ServiceError;
use super::orders::state;
use super::pages::full_page;
use super::project_client::id;
use super::service::{Service, list, text};
use super::shown;
use number_order::Id;

/// Path of the list of orders.
pub(super) const ORDERS: &str = "/api/v1/orders";

/// Maximum number of orders that are listed where a part of a number fits several.
pub(super) const LISTED_MAX: usize = 20;

/// What fits the text with which a user names an order.
pub(super) enum Known {
    /// No order.
    Nothing { named: String },
    /// One order, as the service shows it with its history.
    One(String),
    /// Several orders, as the service lists them.
    Several(Vec<Value>),
}

/// Finds an order of the named project, or of any.
pub(super) async fn order(
    service: &Service,
    project: Option<&str>,
    named: &str,
) -> Result<Known, CommandError> {
    let project = project
        .map(|project| id("--project", project))
        .transpose()?;
    let order = Id::new(named);
    let is_number = is_part_of_number(named);
    if order.is_none() && !is_number {
        return Err(CommandError::usage(format!(
            "ORDER: {} is neither an id nor a part of a number",
            shown::quoted(named)
        )));
    }
    if let Some(order) = order {
        let known = by_id(service, project.as_ref(), &order).await;
        let known = known.map_err(|error| not_found_out(error).about("not shown"));
        if let Some(known) = known? {
            return Ok(Known::One(known));
        }
    }
    if is_number {
        return by_number(service, project.as_ref(), named).await;
    }
    let named = named.to_owned();
    Ok(Known::Nothing { named })
}

/// Returns `true` for digits as people write them in numbers.
pub(super) fn is_part_of_number(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_digit() || " +-.()/".contains(c);
    text.contains(|c: char| c.is_ascii_digit()) && text.chars().all(fits)
}

/// Returns an order with its history; `None`: the service does not know it.
pub(super) async fn by_id(
    service: &Service,
    project: Option<&Id>,
    order: &Id,
) -> Result<Option<String>, ServiceError> {
    let path = match project {
        None => format!("{ORDERS}/{order}"),
        Some(project) => format!("{ORDERS}/{project}/{order}"),
    };
    service.find(&path).await
}

/// Returns the failure of a look at an order by its id.
pub(super) fn not_found_out(error: ServiceError) -> CommandError {
    if error.is_conflict() {
        CommandError::usage("several projects have this order: say which by --project")
    } else {
        error.into()
    }
}

async fn by_number(
    service: &Service,
    project: Option<&Id>,
    part: &str,
) -> Result<Known, CommandError> {
    let mut found = listed(service, project, part).await?;
    if found.is_empty()
        && let Some(part) = without_prefix(part)
    {
        found = listed(service, project, &part).await?;
    }
    match &found[..] {
        [] => Ok(Known::Nothing {
            named: part.to_owned(),
        }),
        [only] => {
            let (project, order) = (text(only, "project"), text(only, "order"));
            let path = format!("{ORDERS}/{project}/{order}");
            Ok(Known::One(service.get(&path).await?))
        }
        _ => Ok(Known::Several(found)),
    }
}

/// Lists the newest orders with a number in which these digits stand.
async fn listed(
    service: &Service,
    project: Option<&Id>,
    part: &str,
) -> Result<Vec<Value>, CommandError> {
    let params = [
        ("number", Some(part)),
        ("project", project.map(Id::as_str)),
        ("sort", Some("newest")),
    ];
    let page = full_page(service, ORDERS, &params, LISTED_MAX + 1).await?;
    Ok(list(&page, "items").to_vec())
}

/// Returns the digits of a text.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Returns the digits of a number without the zeros that are dialled before it within its country, or from abroad; `None`
/// if there are none. Numbers are kept with their country's code and without these zeros.
fn without_prefix(part: &str) -> Option<String> {
    let digits = digits(part);
    let bare = digits.trim_start_matches('0');
    (bare.len() < digits.len() && !bare.is_empty()).then(|| bare.to_owned())
}

impl Known {
    /// Returns the only order that fits, or fails with what there is.
    pub fn into_one(self, invocation: &Invocation) -> Result<String, CommandError> {
        match self {
            Known::One(order) => Ok(order),
            Known::Nothing { named } if !is_part_of_number(&named) => {
                let watch = invocation.command(&["watch", &named]);
                Err(CommandError::service(format!(
                    "not shown: the service does not know this order. Check its id; if Sinch has such an order, make it \
                     known: {watch}"
                )))
            }
            Known::Nothing { .. } => Err(nobody_has_number()),
            Known::Several(orders) => Err(several_have_number(&orders)),
        }
    }
}

/// Returns the failure where no order has a number.
pub(super) fn nobody_has_number() -> CommandError {
    CommandError::service(
        "no order has such a number. The numbers of an order are known once Sinch has answered for it",
    )
}

/// Returns the failure where several orders have a number, which names the first of them.
pub(super) fn several_have_number(orders: &[Value]) -> CommandError {
    let listed = orders.iter().take(LISTED_MAX);
    let listed = listed.map(|order| format!("{} ({})", text(order, "order"), state(order)));
    let listed: Vec<String> = listed.collect();
    let more = if orders.len() > LISTED_MAX {
        ", and more"
    } else {
        ""
    };
    CommandError::usage(format!(
        "several orders have such a number: {}{more}; name one of them",
        listed.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_that_are_dialled_before_a_number_are_left_out() {
        for (part, expected) in [
            ("0491 570 156", Some("491570156")),
            ("(0061) 491", Some("61491")),
            ("+61 491", None),
            ("491570", None),
            ("00", None),
        ] {
            assert_eq!(without_prefix(part).as_deref(), expected, "{part}");
        }
    }

    #[test]
    fn numbers_are_recognised_as_people_write_them() {
        for number in ["+61 491 570 156", "0491-570/156", "(02) 5550", "570156"] {
            assert!(is_part_of_number(number), "{number}");
        }
        for other in ["", "+", "o1", "01kdvdnd42472bfxv9sfamm3kt", "61x"] {
            assert!(!is_part_of_number(other), "{other}");
        }
    }
}
