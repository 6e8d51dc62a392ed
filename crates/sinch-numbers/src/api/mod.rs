//! The Number Order API: fetches orders of one project from Sinch.
//!
//! An answer confirms an order's state, so it is believed only if it can be nothing else than Sinch's own answer to
//! this very fetch. Anything less is a [`FetchError`], which says whose fault it seems to be and never quotes what was
//! sent or received.

pub(super) mod answer;
mod details;
mod error;
mod foreign;
#[cfg(test)]
mod tests;
mod token;

pub use error::{Fault, FetchError};

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

use number_order::{Answer, Endpoint, Flaw, Id, Snapshot};
use token::{Token, Tokens};

/// Name under which this program presents itself to Sinch.
const USER_AGENT: &str = concat!("sinch-callbacks/", env!("CARGO_PKG_VERSION"));

/// Maximum size of a body, more than any order needs: a hundred numbers take less than a tenth of it.
const BODY_MAX_BYTES: usize = 256 * 1024;

/// Access to the API: its address, the credentials and the time-outs.
pub struct Access {
    /// Address at which the API's paths begin: `https://numbers.api.sinch.com`.
    pub api_url: Url,
    /// Method of authentication with the access key.
    pub auth: Auth,
    /// The access key's id.
    pub key_id: String,
    /// The access key's secret.
    pub key_secret: SecretString,
    /// Maximum time for one request, from connecting to the last byte of its answer.
    pub request_timeout: Duration,
    /// Maximum time for connecting.
    pub connect_timeout: Duration,
    /// `true` if `HTTPS_PROXY` and similar variables apply.
    pub proxy_from_environment: bool,
}

/// The two ways in which Sinch accepts an access key.
pub enum Auth {
    /// The key is exchanged for a token that is valid for an hour.
    OAuth2 {
        /// Address of the token endpoint: `https://auth.sinch.com/oauth2/token`.
        token_url: Url,
    },
    /// The key goes with every request. Sinch: "test purposes only, heavily rate limited".
    Basic,
}

/// Reason why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address cannot be used. Its text is not shown: it may hold a password.
    #[error("{0} must be an http or https address without a user name or password in it")]
    Address(&'static str),
    /// The HTTP client could not be set up; a system without CA certificates is the usual cause.
    #[error("no HTTP client; are the system's CA certificates installed?")]
    Http(#[source] reqwest::Error),
}

/// Client that fetches the orders of one project. It keeps its connections and its token.
pub struct Client {
    http: reqwest::Client,
    project: Id,
    /// Address of the project's orders: `{api_url}/v1/projects/{project}/numberOrders`.
    orders: Url,
    login: Login,
}

/// Method by which requests are signed, ready for use.
enum Login {
    OAuth2(Box<Tokens>),
    Basic(Key),
}

/// An access key: its id and its secret.
struct Key {
    id: String,
    secret: SecretString,
}

impl Key {
    fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.id, Some(self.secret.expose_secret()))
    }
}

impl Client {
    /// Returns a client for `project`. It sends nothing yet.
    ///
    /// Makes ring the process's TLS provider unless there is one already.
    ///
    /// # Errors
    ///
    /// Fails if an address cannot be used, or if the system has no CA certificates.
    pub fn new(project: Id, access: Access) -> Result<Client, BuildError> {
        // This fails only if a provider is already installed, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .timeout(access.request_timeout)
            .connect_timeout(access.connect_timeout)
            // Another address must never see the key or the token.
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true);
        if !access.proxy_from_environment {
            http = http.no_proxy();
        }
        let mut orders = usable(access.api_url).ok_or(BuildError::Address("api_url"))?;
        push(
            &mut orders,
            &["v1", "projects", project.as_str(), "numberOrders"],
        );
        let key = Key {
            id: access.key_id,
            secret: access.key_secret,
        };
        let login = match access.auth {
            Auth::Basic => Login::Basic(key),
            Auth::OAuth2 { token_url } => {
                let token_url = usable(token_url).ok_or(BuildError::Address("token_url"))?;
                let tokens = Tokens::new(token_url, key, project.clone());
                Login::OAuth2(Box::new(tokens))
            }
        };
        Ok(Client {
            http: http.build().map_err(BuildError::Http)?,
            project,
            orders,
            login,
        })
    }

    /// Fetches an order. Takes about four request time-outs at worst: a token, a refused request, a new token, the
    /// request again.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or none that can be believed: see [`FetchError`].
    pub async fn get_order(&self, order: &Id) -> Result<Answer, FetchError> {
        let response = match &self.login {
            Login::Basic(key) => self.send(key.sign(self.request(order))).await?,
            Login::OAuth2(tokens) => {
                let token = tokens.get(&self.http, None).await?;
                let response = self.send_signed(&token, order).await?;
                // A token may be revoked before its time.
                if response.status() == StatusCode::UNAUTHORIZED {
                    let token = tokens.get(&self.http, Some(&token)).await?;
                    self.send_signed(&token, order).await?
                } else {
                    response
                }
            }
        };
        let headers = response.headers().clone();
        match response.status() {
            StatusCode::OK => {
                let sent_at = error::sent_at(&headers);
                let body = body(response, Endpoint::Orders).await?;
                let found = answer::found(&body, &self.project, order);
                let shown = found.map_err(|flaw| {
                    let flaw = match flaw {
                        Flaw::NotAnObject => foreign::kind(&headers, &body).unwrap_or(flaw),
                        _ => flaw,
                    };
                    FetchError::unusable(Endpoint::Orders, 200, flaw)
                })?;
                Ok(Answer::Found(Snapshot { sent_at, ..shown }))
            }
            StatusCode::NOT_FOUND => {
                let body = body(response, Endpoint::Orders).await?;
                if answer::is_api_error(&body) {
                    Ok(Answer::NotFound)
                } else {
                    let flaw = foreign::kind(&headers, &body).unwrap_or(Flaw::ForeignNotFound);
                    Err(FetchError::unusable(Endpoint::Orders, 404, flaw))
                }
            }
            _ => Err(FetchError::from_status(
                Endpoint::Orders,
                &response,
                &self.project,
            )),
        }
    }

    async fn send_signed(&self, token: &Token, order: &Id) -> Result<Response, FetchError> {
        self.send(token.sign(self.request(order))).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, FetchError> {
        let sent = request.send().await;
        sent.map_err(|error| FetchError::from_transport(Endpoint::Orders, &error))
    }

    fn request(&self, order: &Id) -> RequestBuilder {
        let mut url = self.orders.clone();
        push(&mut url, &[order.as_str()]);
        let json = HeaderValue::from_static("application/json");
        self.http.get(url).header(ACCEPT, json)
    }
}

/// Shows neither addresses nor keys.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

/// Returns the address, if requests to it can carry our credentials and no others.
fn usable(url: Url) -> Option<Url> {
    let web = matches!(url.scheme(), "http" | "https");
    let open = url.username().is_empty() && url.password().is_none();
    (web && open).then_some(url)
}

/// Appends path segments, each escaped so that it stays one.
fn push(url: &mut Url, segments: &[&str]) {
    url.path_segments_mut()
        .expect("an http or https address has a path")
        .pop_if_empty()
        .extend(segments);
}

/// Reads the body of an answer, and fails as soon as it is too large.
async fn body(mut response: Response, from: Endpoint) -> Result<Vec<u8>, FetchError> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| FetchError::from_transport(from, &error))?
    {
        if body.len() + chunk.len() > BODY_MAX_BYTES {
            return Err(FetchError::unusable(from, status, Flaw::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
