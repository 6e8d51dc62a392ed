//! The order that a command acts upon: named by its id, or by one of its numbers, which must be whole.

use std::path::Path;

use serde_json::Value;

use super::command_error::CommandError;
use super::lookup::{
    LISTED_MAX, ORDERS, by_id, digits, is_part_of_number, nobody_has_number, not_found_out,
    several_have_number,
};
use super::pages::Pages;
use super::project_client::id;
use super::service::{Service, list, read, text};
use super::shown;
use number_order::Id;

/// An order as paths of the API name it.
pub(super) struct OrderName {
    pub project: String,
    pub order: String,
}

impl OrderName {
    fn of(row: &Value) -> OrderName {
        OrderName {
            project: text(row, "project").to_owned(),
            order: text(row, "order").to_owned(),
        }
    }

    /// Returns the path of the order.
    pub fn path(&self) -> String {
        format!("{ORDERS}/{}/{}", self.project, self.order)
    }

    /// Returns the path of what can be requested of the order.
    pub fn path_of(&self, request: &str) -> String {
        format!("{}/{request}", self.path())
    }
}

/// Fails if one of the names can name no order, or the project can be none.
pub(super) fn check_names(project: Option<&str>, names: &[String]) -> Result<(), CommandError> {
    project.map_or(Ok(()), |project| id("--project", project).map(drop))?;
    let mut names = names.iter();
    let is_neither = |name: &&String| Id::new(*name).is_none() && whole_number(name).is_none();
    names
        .find(is_neither)
        .map_or(Ok(()), |name| Err(no_name(name)))
}

/// Finds the order that a command acts upon, of the named project or of any. The id is tried first, since it may look like a
/// number. A number must be whole, so that a part of it never means another order.
pub(super) async fn order_to_act_on(
    service: &Service,
    project: Option<&str>,
    named: &str,
) -> Result<OrderName, CommandError> {
    let project = project
        .map(|project| id("--project", project))
        .transpose()?;
    let number = whole_number(named);
    if let Some(order) = Id::new(named) {
        let known = by_id(service, project.as_ref(), &order).await;
        if let Some(known) = known.map_err(not_found_out)? {
            return Ok(OrderName::of(&read(&known)?));
        }
        if number.is_none() {
            let mut reason = "the service does not know this order".to_owned();
            if is_part_of_number(named) {
                reason += "; write a number whole, with its plus, as +61491570156";
            }
            return Err(CommandError::service(reason));
        }
    }
    let number = number.ok_or_else(|| no_name(named))?;
    by_whole_number(service, project.as_ref(), &number).await
}

fn no_name(named: &str) -> CommandError {
    let named = shown::quoted(named);
    CommandError::usage(format!(
        "ORDER: {named} is neither an id nor a whole number, as +61491570156"
    ))
}

/// Returns the id of the order that a command acts upon at Sinch. The service is asked only where a number names it.
pub(super) async fn id_to_act_on(
    config: Option<&Path>,
    project: Option<&str>,
    named: &str,
) -> Result<Id, CommandError> {
    if whole_number(named).is_none() {
        return id("ORDER", named);
    }
    let service = Service::of_configuration(config)?;
    let found = order_to_act_on(&service, project, named).await;
    let found = found.map_err(|error| error.about(named))?;
    id("ORDER", &found.order)
}

/// Returns the digits of a number that is written with its plus; `None` if the text is none.
fn whole_number(text: &str) -> Option<String> {
    let is_whole = text.trim_start().starts_with('+') && is_part_of_number(text);
    is_whole.then(|| digits(text))
}

async fn by_whole_number(
    service: &Service,
    project: Option<&Id>,
    number: &str,
) -> Result<OrderName, CommandError> {
    let params = vec![
        ("number", Some(number)),
        ("project", project.map(Id::as_str)),
        ("sort", Some("newest")),
    ];
    let mut pages = Pages::new(service, ORDERS, params);
    let mut found = Vec::new();
    while found.len() <= LISTED_MAX
        && let Some(page) = pages.next().await?
    {
        let rows = list(&page, "items").iter();
        found.extend(rows.filter(|order| has_number(order, number)).cloned());
    }
    match &found[..] {
        [] => Err(nobody_has_number()),
        [only] => Ok(OrderName::of(only)),
        _ => Err(several_have_number(&found)),
    }
}

/// Returns `true` if one of the numbers of an order has these digits, no more and no less.
fn has_number(order: &Value, number: &str) -> bool {
    let numbers = list(order, "numbers").iter();
    let mut numbers = numbers.map(|of_order| digits(text(of_order, "phone_number")));
    numbers.any(|of_order| of_order == number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_whole_number_names_an_order_to_act_on() {
        for (written, expected) in [
            ("+61 491-570 156", Some("61491570156")),
            ("+61", Some("61")),
            ("61491570156", None),
            ("0491 570 156", None),
            ("+", None),
            ("+61x", None),
            ("o1", None),
        ] {
            assert_eq!(whole_number(written).as_deref(), expected, "{written}");
        }
        let order = json!({ "numbers": [
            { "phone_number": "+61491570156" },
            { "phone_number": "+61491570157" },
        ] });
        for (number, is_its) in [
            ("61491570157", true),
            ("491570157", false),
            ("6149157015", false),
            ("61", false),
        ] {
            assert_eq!(has_number(&order, number), is_its, "{number}");
        }
        assert!(!has_number(&json!({ "numbers": [] }), "61491570156"));
    }
}
