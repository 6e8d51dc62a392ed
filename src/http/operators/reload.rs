//! `POST /api/v1/reload`: the service reads its configuration again, as at SIGHUP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::{mpsc, oneshot};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Context, Shared};
use crate::http::problem::Problem;

/// Sender of what the reading of the configuration has found: its faults, if it has any.
type Reply = oneshot::Sender<Result<(), Vec<String>>>;

/// Sender of requests to read the configuration again.
pub type ReloadSender = mpsc::Sender<Reply>;

/// Receiver of requests to read the configuration again.
pub type ReloadReceiver = mpsc::Receiver<Reply>;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(reload))
}

/// Has the configuration read, and says what is wrong with it. One without a fault is gone over to after this response.
#[utoipa::path(
    post,
    path = "/api/v1/reload",
    tag = "service",
    responses(
        (status = 202, description = "The configuration has no fault, and the service goes over to it"),
        (status = 409, description = "This instance has no configuration to read anew"),
        (status = 422, description = "The configuration has faults, and nothing changes; the detail names them"),
    )
)]
async fn reload(State(context): Shared) -> Result<StatusCode, Problem> {
    let (reply, read) = oneshot::channel();
    let sent = context.settings.reload.send(reply).await;
    match (sent, read.await) {
        (Ok(()), Ok(Ok(()))) => Ok(StatusCode::ACCEPTED),
        (Ok(()), Ok(Err(faults))) => Err(Problem::with_detail(
            StatusCode::UNPROCESSABLE_ENTITY,
            faults.join("; "),
        )),
        (Err(_), _) => {
            let detail =
                "this instance was not started by `serve`: it has no configuration to read anew";
            Err(Problem::with_detail(StatusCode::CONFLICT, detail))
        }
        // Another reload, or a stop, came first.
        (Ok(()), Err(_)) => {
            let detail =
                "the service goes over to another configuration already, or stops: try again";
            Err(Problem::with_detail(
                StatusCode::SERVICE_UNAVAILABLE,
                detail,
            ))
        }
    }
}
