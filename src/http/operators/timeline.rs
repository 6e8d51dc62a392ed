//! What happened, by time: transitions and alerts.

use std::sync::Arc;

use axum::extract::State;
use strum::VariantNames;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::pretty_json::PrettyJson;
use super::projects::must_be_known;
use super::query::{Kind, LIMIT, Param, Params, Query, SORT, since, until};
use super::{Context, Page, Shared};
use crate::explain::Coded;
use crate::http::problem::Problem;
use crate::store::{AlertFilter, AnyAlert, ListedAlert, ListedTransition, Span, TransitionFilter};
use number_order::{AlertKind, Id};

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list_transitions))
        .routes(routes!(list_alerts))
}

const PROJECT: Param = Param::new("project", Kind::Id, "of this project");
const ORDER: Param = Param::new("order", Kind::Id, "about this order");

/// Parameters by which transitions can be listed.
struct TransitionList;

impl Params for TransitionList {
    const PARAMS: &'static [Param] = &[
        ORDER,
        PROJECT,
        Param::new("state", Kind::Words(states), "into this state"),
        since("recorded at this time or later"),
        until("recorded before this time"),
        SORT,
        LIMIT,
        Param::after("^t[0-9a-f]{32}$"),
    ];
}

fn states() -> Vec<&'static str> {
    number_order::State::ALL
        .map(number_order::State::as_str)
        .to_vec()
}

fn span<P: Params>(query: &Query<P>) -> Result<Span, Problem> {
    let [since, until] = query.period()?;
    Ok(Span {
        since,
        until,
        newest_first: query.newest_first()?,
        after: query.after(),
        limit: query.limit()?,
    })
}

async fn known(context: &Context, project: Option<Id>) -> Result<Option<Id>, Problem> {
    if let Some(project) = &project {
        must_be_known(context, project).await?;
    }
    Ok(project)
}

/// Lists changes of orders' states, by the time at which they were recorded.
#[utoipa::path(
    get,
    path = "/api/v1/transitions",
    tag = "orders",
    params(Query<TransitionList>),
    responses(
        (status = 200, description = "A page of transitions", body = Page<ListedTransition>),
        (status = 404, description = "The project is not known"),
    )
)]
async fn list_transitions(
    State(context): Shared,
    query: Query<TransitionList>,
) -> Result<PrettyJson<Page<ListedTransition>>, Problem> {
    let filter = TransitionFilter {
        order: query.id("order")?,
        project: known(&context, query.id("project")?).await?,
        state: query.word("state")?,
        span: span(&query)?,
    };
    Ok(PrettyJson(context.store.transitions(&filter).await?.into()))
}

/// Parameters by which alerts can be listed.
struct AlertList;

impl Params for AlertList {
    const PARAMS: &'static [Param] = &[
        Param::new(
            "about",
            Kind::Words(|| vec!["orders", "service"]),
            "about orders, or about the service",
        ),
        Param::new("open", Kind::Flag, "that fire, or that are resolved"),
        Param::new("kind", Kind::Words(AnyAlert::codes), "of this kind"),
        ORDER,
        PROJECT,
        since("that began to fire at this time or later"),
        until("that began to fire before this time"),
        SORT,
        LIMIT,
        Param::after("^f[0-9a-f]{32}$"),
    ];
}

/// Lists alerts about orders and about the service, by the time at which they began to fire.
#[utoipa::path(
    get,
    path = "/api/v1/alerts",
    tag = "alerts",
    params(Query<AlertList>),
    responses(
        (status = 200, description = "A page of alerts", body = Page<ListedAlert>),
        (status = 404, description = "The project is not known"),
    )
)]
async fn list_alerts(
    State(context): Shared,
    query: Query<AlertList>,
) -> Result<PrettyJson<Page<ListedAlert>>, Problem> {
    let kind = query.word("kind")?;
    // A kind is about orders or about the service.
    let of_orders = query.word("about")?.map(|about| about == "orders");
    let of_kind = kind.map(|kind| AlertKind::VARIANTS.contains(&kind));
    let filter = AlertFilter {
        of_orders: of_orders.or(of_kind),
        open: query.flag("open")?,
        kind,
        order: query.id("order")?,
        project: known(&context, query.id("project")?).await?,
        span: span(&query)?,
    };
    Ok(PrettyJson(context.store.alerts(&filter).await?.into()))
}
