//! Parameters in the queries of requests that act. A request with any other is refused before it is recorded, since nobody
//! knows what that holds: it may be a token.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, PathItem, RefOr};

use super::query::bad_parameter;
use crate::http::problem::Problem;

/// Names of the parameters that each request which acts takes, by its method and its route.
pub(super) struct KnownParameters(BTreeMap<(&'static str, String), Vec<String>>);

impl KnownParameters {
    /// Returns what a document describes.
    pub(super) fn of(document: &OpenApi) -> KnownParameters {
        let mut known = BTreeMap::new();
        for (route, path) in &document.paths.paths {
            for (method, operation) in acting(path) {
                known.insert((method, route.clone()), in_query(operation));
            }
        }
        KnownParameters(known)
    }

    /// Checks that a query has no parameter that the request does not take.
    fn check(&self, method: &str, route: &str, query: &str) -> Result<(), Problem> {
        let found = self.0.iter().find(|((known_method, known_route), _)| {
            *known_method == method && known_route == route
        });
        let known = found.map_or(&[][..], |(_, names)| names.as_slice());
        let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        let Some(unknown) = names.find(|name| !known.iter().any(|known| known == name)) else {
            return Ok(());
        };
        let cure = if known.is_empty() {
            "this request takes none; leave it out".to_owned()
        } else {
            format!("write one of {}", known.join(", "))
        };
        Err(bad_parameter(format!(
            "{unknown:.40}: no such parameter; {cure}"
        )))
    }
}

/// Returns the operations of a path that act.
fn acting(path: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let operations = [
        ("PUT", &path.put),
        ("POST", &path.post),
        ("DELETE", &path.delete),
        ("PATCH", &path.patch),
    ];
    let operations = operations.into_iter();
    operations.filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn in_query(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let in_query = parameters.filter_map(|parameter| match parameter {
        RefOr::T(one) if one.parameter_in == ParameterIn::Query => Some(one.name.clone()),
        RefOr::T(_) | RefOr::Ref(_) => None,
    });
    in_query.collect()
}

/// Refuses a request that acts if its query has a parameter that it does not take.
pub(super) async fn refuse_unknown(
    State(known): State<Arc<KnownParameters>>,
    route: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    if !request.method().is_safe()
        && let Err(problem) = known.check(request.method().as_str(), route.as_str(), query)
    {
        return problem.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::operators::guarded_routes;

    #[test]
    fn only_the_parameters_of_a_request_are_taken() {
        let known = KnownParameters::of(guarded_routes().get_openapi());
        let bulk = "/api/v1/bulk/orders/fetch";
        for (route, query, refusal) in [
            ("/api/v1/reload", "", None),
            (
                "/api/v1/reload",
                "token=s3cret",
                Some("token: no such parameter; this request takes none; leave it out"),
            ),
            (
                "/api/v1/orders/{project}/{order}/fetch",
                "note=%2B12015550119",
                Some("note: no such parameter; this request takes none; leave it out"),
            ),
            (bulk, "number=46700&dry_run=true&after=o1", None),
        ] {
            let said = known.check("POST", route, query).err();
            let said = said.as_ref().and_then(Problem::detail);
            assert_eq!(said, refusal, "{route}?{query}");
        }
        let refused = known.check("POST", bulk, "dry_run=true&note=1");
        let said = refused.expect_err("is refused");
        let said = said.detail().expect("says why");
        assert!(
            said.starts_with("note: no such parameter; write one of state, project"),
            "{said}"
        );
    }
}
