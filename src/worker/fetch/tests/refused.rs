//! The fetcher with a Sinch that answers some orders with failures, or knows no order.

use number_order::NoAnswer;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::fetching::{Fixture, PATIENCE};
use super::simulated::project;
use crate::clock;
use crate::metrics::Metrics;

/// Number of orders that fail: the first ones that [`Fixture`] names.
const BAD: usize = 10;

const ORDERS: usize = 150;

/// Starts a Sinch and returns its address. It answers for the first `bad` orders with `status` and a `Retry-After`, or
/// hangs if there is no status. For the other orders it answers as it should.
async fn sinch(bad: usize, status: Option<u16>) -> String {
    let answer = async move |Path((_, order)): Path<(String, String)>| {
        let number = order.trim_start_matches("order-").parse::<usize>();
        if number.expect("is an order of the fixture") < bad {
            let Some(status) = status else {
                return std::future::pending().await;
            };
            let status = StatusCode::from_u16(status).expect("a status");
            let wait = [("retry-after", "3600")];
            return (status, wait, r#"{"error":{"code":5}}"#).into_response();
        }
        let (project, now) = (project(), clock::now());
        format!(
            r#"{{"idNumberOrder":"{order}","projectId":"{project}","state":"IN_REVIEW","updateTime":"{now}"}}"#
        )
        .into_response()
    };
    let path = "/v1/projects/{project}/numberOrders/{order}";
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route(path, get(answer));
    tokio::spawn(async { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Checks each way of failing. A fetch that hangs is never answered, and the circuit may not stay open for its full
/// time: so no other order is fetched in time if the first ones stand for all.
#[tokio::test]
async fn ten_orders_that_fail_first_hold_up_no_other() {
    // A 200 is no usable answer either: its body names no order.
    let statuses = [401, 403, 503, 429, 500, 200].map(Some);
    for status in statuses.into_iter().chain([None]) {
        let fixture = Fixture::new(ORDERS).await;
        let url = sinch(BAD, status).await;
        let metrics = Arc::new(Metrics::new());
        let (stop, running) = fixture.start_with(&url, 4, 50.0, metrics.clone());
        let all = (ORDERS - BAD) as i64;
        println!("{status:?}");
        let seen = Cell::new(None);
        let all_are_asked = |good| {
            let view = metrics.api_views().remove(project().as_str());
            let pause = seen.replace(view.and_then(|view| view.paused_until));
            assert!(
                pause.is_none_or(|until| until > clock::now()),
                "{status:?}: a pause ran its course with {good} of {all} asked about"
            );
            good == all
        };
        fixture
            .until("confirmed_state = 'IN_REVIEW'", all_are_asked)
            .await;
        assert_eq!(fixture.count("parked IS NOT NULL").await, 0);
        stop.cancel();
        match status {
            Some(_) => assert_eq!(running.await.expect("no panic"), Ok(())),
            None => running.abort(),
        }
    }
}

#[tokio::test]
async fn where_no_order_is_known_that_is_reported_once_as_a_fault_of_the_set_up() {
    let fixture = Fixture::new(ORDERS).await;
    let url = sinch(ORDERS, Some(404)).await;
    let metrics = Arc::new(Metrics::new());
    let (stop, running) = fixture.start_with(&url, 4, 50.0, metrics.clone());
    let deadline = Instant::now() + PATIENCE;
    let reason = loop {
        let view = metrics.api_views().remove(project().as_str());
        if let Some(reason) = view.and_then(|view| view.pause_reason) {
            break reason;
        }
        assert!(
            Instant::now() < deadline,
            "the project's circuit is closed again"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(matches!(reason, NoAnswer::NoneKnown { .. }), "{reason:?}");
    stop.cancel();
    assert_eq!(running.await.expect("no panic"), Ok(()));
}
