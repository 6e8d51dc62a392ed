//! Call that uploads a document: `POST /numberOrders/{id}/attachments/{attachmentId}`.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;

use super::super::order::{File, Private};
use super::super::refusal::Refusal;
use super::{Api, Call, Done, Model, Request};

/// Maximum size of an upload's request, in bytes. It is far above what the script allows, so that the model answers.
const BODY_MAX_BYTES: usize = 64 * 1024 * 1024;

pub(super) fn routes() -> Router<Arc<Api>> {
    let path = "/v1/projects/{project}/numberOrders/{order}/attachments/{attachment}";
    let limit = DefaultBodyLimit::max(BODY_MAX_BYTES);
    Router::new().route(path, post(upload_document).layer(limit))
}

async fn upload_document(request: Request, form: Multipart) -> Response {
    let file = read_form(form).await;
    let act = |model: &mut Model, now| {
        model.upload(
            request.param("order"),
            request.param("attachment"),
            file?,
            now,
        )?;
        Ok(Done::Empty)
    };
    request.play_call(Call::UploadAttachment, act).await
}

/// Reads the parts of the upload's form. The bytes of the file are counted and dropped.
async fn read_form(mut form: Multipart) -> Result<File, Refusal> {
    let (mut file, mut document_type) = (None, String::new());
    while let Some(part) = form
        .next_field()
        .await
        .map_err(|error| refusal_of(&error))?
    {
        match part.name() {
            Some("file") => file = Some(measure_file(part).await?),
            Some("documentType") => {
                document_type = part.text().await.map_err(|error| refusal_of(&error))?;
            }
            _ => {}
        }
    }
    let file = file.ok_or_else(|| Refusal::of_field("file", "is required"))?;
    Ok(File {
        document_type,
        ..file
    })
}

async fn measure_file(mut part: Field<'_>) -> Result<File, Refusal> {
    let name = part.file_name().unwrap_or_default().to_owned();
    let mime_type = part.content_type().unwrap_or_default().to_owned();
    let mut size = 0;
    while let Some(chunk) = part.chunk().await.map_err(|error| refusal_of(&error))? {
        size += chunk.len();
    }
    Ok(File {
        name: Private(name),
        mime_type,
        document_type: String::new(),
        size,
    })
}

fn refusal_of(error: &MultipartError) -> Refusal {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Refusal::TooLarge
    } else {
        Refusal::Unreadable
    }
}
