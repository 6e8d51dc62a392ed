//! Client of one project: its address, its credentials, and the sending of signed requests.

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::SecretString;

use super::error::{Endpoint, RequestError};
use super::key::Key;
use super::token::Tokens;
use number_order::Id;

/// Name under which this program presents itself to Sinch.
pub(super) const USER_AGENT: &str = concat!("sinch-callbacks/", env!("CARGO_PKG_VERSION"));

/// Access to a project's API: its address, the credentials and the limits.
pub struct Access {
    /// Address at which the API's paths begin: `https://numbers.api.sinch.com`.
    pub api_url: Url,
    /// Method of authentication with the access key.
    pub auth: Auth,
    /// Id of the access key.
    pub key_id: String,
    /// Secret of the access key.
    pub key_secret: SecretString,
    /// Maximum time for one request, from connecting to the last byte of its answer.
    pub request_timeout: Duration,
    /// Maximum time for connecting to Sinch.
    pub connect_timeout: Duration,
    /// Maximum size of an answer's body, in bytes. A longer one is not read to its end.
    pub answer_max_bytes: usize,
    /// `true` if `HTTPS_PROXY` and similar variables apply.
    pub proxy_from_environment: bool,
}

/// The two ways in which Sinch accepts an access key.
pub enum Auth {
    /// The access key is exchanged for a token that is valid for an hour.
    OAuth2 {
        /// Address of the token endpoint: `https://auth.sinch.com/oauth2/token`.
        token_url: Url,
    },
    /// The access key goes with every request. Sinch: "test purposes only, heavily rate limited".
    Basic,
}

/// Reason why there is no client of the API.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address of the API, or of the token endpoint, cannot be used. The error does not show the address, which may
    /// hold a password.
    #[error("{0} must be an http or https address without a user name or password in it")]
    Address(&'static str),
    /// The HTTP client could not be set up; a system without CA certificates is the usual cause.
    #[error("no HTTP client; are the system's CA certificates installed?")]
    Http(#[source] reqwest::Error),
}

/// Client of one project's API. It keeps its connections and its token.
pub struct Client {
    http: reqwest::Client,
    project: Id,
    /// Address of the project, below which all paths lie: `{api_url}/v1/projects/{project}`.
    project_url: Url,
    login: Login,
    pub(super) answer_max_bytes: usize,
}

/// Method by which requests are signed, with what it needs.
enum Login {
    OAuth2(Box<Tokens>),
    Basic(Key),
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
        let mut project_url =
            checked_address(access.api_url).ok_or(BuildError::Address("api_url"))?;
        push_segments(&mut project_url, &["v1", "projects", project.as_str()]);
        let key = Key {
            id: access.key_id,
            secret: access.key_secret,
        };
        let login = match access.auth {
            Auth::Basic => Login::Basic(key),
            Auth::OAuth2 { token_url } => {
                let token_url =
                    checked_address(token_url).ok_or(BuildError::Address("token_url"))?;
                let tokens = Tokens::new(token_url, key, access.answer_max_bytes);
                Login::OAuth2(Box::new(tokens))
            }
        };
        Ok(Client {
            http: http.build().map_err(BuildError::Http)?,
            project,
            project_url,
            login,
            answer_max_bytes: access.answer_max_bytes,
        })
    }

    /// Returns the project whose API the client calls.
    pub fn project(&self) -> &Id {
        &self.project
    }

    /// Returns the address of a path that lies below the project.
    pub(super) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.project_url.clone();
        push_segments(&mut url, path);
        url
    }

    /// Sends a request without a body to a path below the project, and returns the answer before its body is read.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
    ) -> Result<Response, RequestError> {
        self.send_to(method, self.url(path), |request| request)
            .await
    }

    /// Sends a request, which `fill` completes, and returns the answer before its body is read. Takes about four
    /// request time-outs at worst: a token, a refused request, a new token, the request again.
    ///
    /// A request that is refused with 401 has no effect, so it is sent again with a new token, whatever it asks for.
    pub(super) async fn send_to(
        &self,
        method: Method,
        url: Url,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, RequestError> {
        let json = HeaderValue::from_static("application/json");
        let request = || {
            let request = self.http.request(method.clone(), url.clone());
            fill(request.header(ACCEPT, json.clone()))
        };
        match &self.login {
            Login::Basic(key) => execute(key.sign(request())).await,
            Login::OAuth2(tokens) => {
                let token = tokens.get(&self.http, None).await?;
                let response = execute(token.sign(request())).await?;
                // A token may be revoked before its time.
                if response.status() == StatusCode::UNAUTHORIZED {
                    let token = tokens.get(&self.http, Some(&token)).await?;
                    execute(token.sign(request())).await
                } else {
                    Ok(response)
                }
            }
        }
    }
}

async fn execute(request: RequestBuilder) -> Result<Response, RequestError> {
    let sent = request.send().await;
    sent.map_err(|error| RequestError::from_transport(Endpoint::Api, &error))
}

/// The debug output contains neither addresses nor keys.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

/// Returns the address if it can be used: requests to it carry the client's credentials and no others.
fn checked_address(url: Url) -> Option<Url> {
    let web = matches!(url.scheme(), "http" | "https");
    let open = url.username().is_empty() && url.password().is_none();
    (web && open).then_some(url)
}

/// Appends segments to the path of an address, each escaped so that it stays one.
fn push_segments(url: &mut Url, segments: &[&str]) {
    url.path_segments_mut()
        .expect("an http or https address has a path")
        .pop_if_empty()
        .extend(segments);
}
