//! `POST /api/v1/backup`: a copy of the database as it is at one moment, with its checksum.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use hyper::body::Frame;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::OwnedSemaphorePermit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Context, Shared};
use crate::http::problem::Problem;
use crate::store::sqlite::CopyError;

/// Header with the SHA-256 of the whole body (RFC 9530).
const DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Maximum number of bytes of a copy that are read ahead of the peer.
const PART_BYTES: usize = 256 * 1024;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(make_backup))
}

/// Makes a copy of the database as it is at one moment, and sends it.
///
/// One is made at a time, since it needs as much of the disk as the database.
#[utoipa::path(
    post,
    path = "/api/v1/backup",
    tag = "service",
    responses(
        (
            status = 200,
            description = "The copy, a SQLite file; its SHA-256 is in Repr-Digest, as RFC 9530 has it",
            content_type = "application/vnd.sqlite3",
            body = Vec<u8>,
        ),
        (status = 409, description = "Another copy is being made or sent, or the database is on a PostgreSQL server"),
        (status = 507, description = "The copy has no room beside the database"),
    )
)]
async fn make_backup(State(context): Shared) -> Result<Response, Problem> {
    let Ok(permit) = context.backup.clone().try_acquire_owned() else {
        let detail = "another backup is being made or fetched; try again when it is there";
        return Err(Problem::with_detail(StatusCode::CONFLICT, detail));
    };
    // If the peer goes, this future is dropped, and the copy is broken off.
    let stop = context.stop.child_token();
    let _stopped = stop.clone().drop_guard();
    let copy = context.store.copy(&stop).await?;
    for flaw in &copy.copied.flaws {
        tracing::warn!(flaw, "a row of the database is not as it should be");
    }
    tracing::info!(bytes = copy.bytes, "sending a backup");
    let body = FileBody {
        next: Some(Source::read(File::from_std(copy.file), permit)),
    };
    let digest = format!("sha-256=:{}:", STANDARD.encode(copy.checksum));
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
        (header::CONTENT_LENGTH, copy.bytes.to_string()),
        (DIGEST, digest),
    ];
    Ok((headers, Body::new(body)).into_response())
}

impl From<CopyError> for Problem {
    fn from(error: CopyError) -> Problem {
        let status = match error {
            CopyError::OnServer => StatusCode::CONFLICT,
            CopyError::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::with_detail(status, error.to_string())
    }
}

/// Body of the response: parts of the file, each read once the one before was taken.
struct FileBody {
    /// Future of the next part; `None`: the body has ended.
    next: Option<Part>,
}

/// Future of a part with the rest; `None`: the file has ended.
type Part = Pin<Box<dyn Future<Output = io::Result<Option<(Bytes, Source)>>> + Send>>;

/// The part of the file that is still to be read. The permit goes with it.
struct Source {
    file: File,
    permit: OwnedSemaphorePermit,
}

impl Source {
    fn read(mut file: File, permit: OwnedSemaphorePermit) -> Part {
        Box::pin(async move {
            let mut part = BytesMut::with_capacity(PART_BYTES);
            let bytes = file.read_buf(&mut part).await?;
            Ok((bytes > 0).then(|| (part.freeze(), Source { file, permit })))
        })
    }
}

impl hyper::body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let part = ready!(next.as_mut().poll(cx));
        self.next = None;
        Poll::Ready(match part {
            Ok(Some((bytes, rest))) => {
                self.next = Some(Source::read(rest.file, rest.permit));
                Some(Ok(Frame::data(bytes)))
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        })
    }
}
