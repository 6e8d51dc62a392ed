//! File of a document, and the form that carries it.

use std::fmt;

use bytes::Bytes;
use reqwest::multipart::{Form, Part};

/// Name of the form's part that holds the file.
const FILE_PART: &str = "file";

/// Name of the form's part that holds the document's type.
const DOCUMENT_TYPE_PART: &str = "documentType";

/// File to be uploaded for a document.
///
/// `Debug` shows its size alone: name and content can hold personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    file_name: String,
    mime_type: String,
    content: Bytes,
    document_type: Option<String>,
}

/// Reason why there is no upload: the media type cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no media type: write one such as application/pdf")]
pub struct InvalidMimeType;

impl Upload {
    /// Returns the upload of a file with this name, media type and content.
    ///
    /// # Errors
    ///
    /// Fails if the media type cannot be sent as one.
    pub fn new(
        file_name: impl Into<String>,
        mime_type: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Result<Upload, InvalidMimeType> {
        let mime_type = mime_type.into();
        let sendable = Part::text("").mime_str(&mime_type);
        sendable.map_err(|_| InvalidMimeType)?;
        Ok(Upload {
            file_name: file_name.into(),
            mime_type,
            content: content.into(),
            document_type: None,
        })
    }

    /// Returns the same upload with the document's type, which must be one of the requirement's
    /// [`allowed_document_types`](super::RequiredAttachment::allowed_document_types) if it lists any.
    #[must_use]
    pub fn with_document_type(self, document_type: impl Into<String>) -> Upload {
        Upload {
            document_type: Some(document_type.into()),
            ..self
        }
    }

    /// Returns the form that carries the file.
    pub(super) fn form(&self) -> Form {
        let file = Part::stream(self.content.clone()).file_name(self.file_name.clone());
        let file = file
            .mime_str(&self.mime_type)
            .expect("it was checked before");
        let form = Form::new().part(FILE_PART, file);
        match &self.document_type {
            Some(document_type) => form.text(DOCUMENT_TYPE_PART, document_type.clone()),
            None => form,
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("content_bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}
