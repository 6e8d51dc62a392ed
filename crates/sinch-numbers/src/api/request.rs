//! Requests as the resources describe them, and their way to the API and back.

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;

use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::object::Object;
use super::transport::{self, Answer};
use super::upload::Upload;

/// A request to a path below the project's address.
pub(super) struct Request<'a> {
    method: Method,
    path: &'a [&'a str],
    query: Vec<(&'static str, String)>,
    body: RequestBody<'a>,
}

enum RequestBody<'a> {
    None,
    Json(Vec<u8>),
    File(&'a Upload),
}

impl<'a> Request<'a> {
    fn new(method: Method, path: &'a [&'a str]) -> Request<'a> {
        Request {
            method,
            path,
            query: Vec::new(),
            body: RequestBody::None,
        }
    }

    pub fn get(path: &'a [&'a str]) -> Request<'a> {
        Request::new(Method::GET, path)
    }

    pub fn post(path: &'a [&'a str]) -> Request<'a> {
        Request::new(Method::POST, path)
    }

    pub fn put(path: &'a [&'a str]) -> Request<'a> {
        Request::new(Method::PUT, path)
    }

    pub fn patch(path: &'a [&'a str]) -> Request<'a> {
        Request::new(Method::PATCH, path)
    }

    /// Adds parameters to the query of the request. One that occurs several times is a list.
    pub fn query(mut self, parameters: Vec<(&'static str, String)>) -> Request<'a> {
        self.query.extend(parameters);
        self
    }

    /// Adds a body in JSON to the request.
    pub fn json(self, body: &impl Serialize) -> Request<'a> {
        let json = serde_json::to_vec(body).expect("the requests' types have texts as keys");
        let body = RequestBody::Json(json);
        Request { body, ..self }
    }

    /// Adds a file to the request, as a form.
    pub fn file(self, upload: &'a Upload) -> Request<'a> {
        let body = RequestBody::File(upload);
        Request { body, ..self }
    }

    /// Adds the request's query to its address. A plus in the query is escaped, as Sinch wants it.
    fn add_query(&self, url: &mut Url) {
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
    }

    /// Completes the HTTP library's request with the body.
    fn add_body(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.body {
            RequestBody::None => request,
            RequestBody::Json(json) => {
                let media_type = HeaderValue::from_static("application/json");
                request.header(CONTENT_TYPE, media_type).body(json.clone())
            }
            RequestBody::File(upload) => request.multipart(upload.form()),
        }
    }
}

impl Client {
    /// Sends a request, and reads the object with which the API answers.
    pub(super) async fn call<T: From<Object>>(
        &self,
        call: Call,
        request: Request<'_>,
    ) -> Result<Answer<T>, CallError> {
        let read = |body: &[u8]| Object::read(body).ok().map(T::from);
        self.call_and_read(call, request, read).await
    }

    /// Sends a request, and reads the body of the API's answer with `read`.
    pub(super) async fn call_and_read<T>(
        &self,
        call: Call,
        request: Request<'_>,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Answer<T>, CallError> {
        let failed = |(request, refusal)| CallError {
            call,
            request,
            refusal,
        };
        let response = self.send_request(&request).await;
        let response = response.map_err(|error| failed((error, None)))?;
        let answer = transport::receive_or_refusal(response, self.answer_max_bytes, read).await;
        answer.map_err(failed)
    }

    async fn send_request(&self, request: &Request<'_>) -> Result<Response, super::RequestError> {
        let mut url = self.url(request.path);
        request.add_query(&mut url);
        self.send_to(request.method.clone(), url, |builder| {
            request.add_body(builder)
        })
        .await
    }
}
