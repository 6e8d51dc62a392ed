//! Documents of an order: `/numberOrders/{numberOrderId}/attachments/{attachmentId}`.

use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::request::Request;
use super::transport::Answer;
use super::upload::Upload;
use number_order::Id;

impl Client {
    /// Uploads a document that an order requires: `POST /numberOrders/{numberOrderId}/attachments/{attachmentId}`.
    /// `attachment` is the `id` of the [`RequiredAttachment`](super::RequiredAttachment). The file travels within
    /// [`Access::request_timeout`](super::Access::request_timeout), so a client for large files needs a long one.
    ///
    /// The answer has no content that Sinch describes. The registration's `uploadStatus` tells when the file has been
    /// taken; an order should be submitted after that.
    ///
    /// # Errors
    ///
    /// Fails if the answer does not say success. Sinch documents 400, 404, 413 and 500, and no maximum size.
    pub async fn upload_attachment(
        &self,
        order: &Id,
        attachment: &Id,
        upload: &Upload,
    ) -> Result<Answer<()>, CallError> {
        let path = [
            "numberOrders",
            order.as_str(),
            "attachments",
            attachment.as_str(),
        ];
        let request = Request::post(&path).file(upload);
        self.call_and_read(Call::UploadAttachment, request, |_| Some(()))
            .await
    }
}
