//! Sending to a URL: one POST for each attempt, to an address that is allowed, and nowhere else.

mod fault;
mod resolver;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, ClientBuilder, Response, Url, redirect};
use tokio::time::timeout;

use self::resolver::{AllowedAddresses, NoAddress, some_allowed};
pub(super) use self::resolver::{NameServer, name_server};
use super::cause::cause;
use super::examine::{JudgedAddress, LOOKUP_MAX, TargetFault};
use crate::clock;
use notifications::{
    Attempt, Content, DeliveryFailure, ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER,
    retry_after, sign,
};
use number_order::Time;

/// Name under which the service presents itself to targets.
const OWN_NAME: &str = concat!("sinch-callbacks/", env!("CARGO_PKG_VERSION"));

/// Maximum time to connect, with its name and its TLS. It is at most half of the time-out of an attempt.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Time after which a connection that is not used is closed. Many receivers close theirs after a minute or so.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Maximum size of an answer's body that is read, so that its connection can be used again.
const BODY_MAX_BYTES: usize = 4096;

/// Maximum time for such a body. The status has decided by then.
const BODY_MAX: Duration = Duration::from_millis(500);

/// A URL that is told events.
pub struct Endpoint {
    client: Client,
    url: Url,
    keys: Vec<SigningKey>,
    addresses: AllowedAddresses,
}

/// Reason why there is no client of a URL.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The URL cannot be used. The error does not show it, since it may hold a secret.
    #[error("its URL is none of http or https")]
    Url,
    /// The HTTP client could not be set up; a system without CA certificates is the usual cause.
    #[error("no HTTP client; are the system's CA certificates installed?")]
    Http(#[source] reqwest::Error),
}

impl Endpoint {
    /// Returns a client of a URL, with the keys that sign and the networks that are allowed though they are not public.
    /// It sends nothing yet.
    ///
    /// Makes ring the process's TLS provider unless there is one already.
    ///
    /// # Errors
    ///
    /// Fails if the URL cannot be used, or if the system has no CA certificates.
    pub fn new(
        url: &str,
        keys: Vec<SigningKey>,
        allow: Vec<IpNet>,
        slots: usize,
        timeout: Duration,
    ) -> Result<Endpoint, EndpointError> {
        let (client, names) = (Client::builder(), name_server());
        Endpoint::build(client, names, url, keys, allow, slots, timeout)
    }

    /// Returns a client of a URL as [`Endpoint::new`] does, with what the builder has set already, and another name server.
    pub(super) fn build(
        client: ClientBuilder,
        names: NameServer,
        url: &str,
        keys: Vec<SigningKey>,
        allow: Vec<IpNet>,
        slots: usize,
        timeout: Duration,
    ) -> Result<Endpoint, EndpointError> {
        // This fails only if a provider is already installed, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = Url::parse(url).map_err(|_| EndpointError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(EndpointError::Url);
        }
        let addresses = AllowedAddresses::new(allow, names);
        let client = client
            .timeout(timeout)
            .connect_timeout(CONNECT_MAX.min(timeout / 2))
            // The peer that answers could lead the program anywhere.
            .redirect(redirect::Policy::none())
            // A proxy would choose the address that is connected to.
            .no_proxy()
            .referer(false)
            .http1_only()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(slots)
            .pool_idle_timeout(IDLE_MAX)
            .dns_resolver(addresses.clone())
            .build()
            .map_err(EndpointError::Http)?;
        Ok(Endpoint {
            client,
            url,
            keys,
            addresses,
        })
    }

    /// Makes one attempt to tell the event of the given id.
    pub(super) async fn post(&self, event: &str, content: Content) -> Attempt {
        if let Err(failure) = self.check_literal() {
            return failure.into();
        }
        let Content { media_type, body } = content;
        let sent_at = clock::now().0.div_euclid(1_000_000);
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, media_type)
            .header(USER_AGENT, OWN_NAME)
            .header(ID_HEADER, event)
            .header(TIMESTAMP_HEADER, sent_at);
        if !self.keys.is_empty() {
            let signatures = sign(&self.keys, event, sent_at, &body);
            request = request.header(SIGNATURE_HEADER, signatures);
        }
        match request.body(Bytes::from(body)).send().await {
            Ok(response) => answered(response).await,
            Err(error) => fault::failure(&error).into(),
        }
    }

    /// Checks the address in the URL, if it has one: it is never resolved.
    fn check_literal(&self) -> Result<(), DeliveryFailure> {
        let Some(address) = self.literal() else {
            return Ok(());
        };
        match some_allowed(vec![self.addresses.judge(address)]) {
            Ok(_) => Ok(()),
            Err(no_address) => Err(fault::no_address(&no_address)),
        }
    }

    /// Returns the address in the URL, if it has one.
    fn literal(&self) -> Option<IpAddr> {
        match self.url.host()? {
            url::Host::Ipv4(address) => Some(address.into()),
            url::Host::Ipv6(address) => Some(address.into()),
            url::Host::Domain(_) => None,
        }
    }

    /// Returns the addresses to which the URL leads, of which at least one is allowed. Nothing is sent there.
    pub(super) async fn examine(&self) -> Result<Vec<JudgedAddress>, TargetFault> {
        let found = match (self.literal(), self.url.host_str()) {
            (None, Some(name)) => timeout(LOOKUP_MAX, self.addresses.look_up(name))
                .await
                .map_err(|_| TargetFault::NameServerSilent)?,
            (address, _) => some_allowed(
                address
                    .map(|one| self.addresses.judge(one))
                    .into_iter()
                    .collect(),
            ),
        };
        found.map_err(|no_address| match no_address {
            NoAddress::NotResolved(error) => TargetFault::NameNotResolved {
                cause: cause(&error),
            },
            NoAddress::NotAllowed(address, class) => {
                TargetFault::AddressNotAllowed { address, class }
            }
        })
    }
}

/// Returns what an answer means. Its body means nothing: a short one is read, so that the connection can be used again, and
/// with another the connection is closed.
async fn answered(mut response: Response) -> Attempt {
    let attempt = Attempt::of_status(
        response.status().as_u16(),
        asked_wait(response.headers(), clock::now()),
    );
    let reading = async {
        let mut bytes = 0;
        while bytes <= BODY_MAX_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            bytes += chunk.len();
        }
    };
    let _ = timeout(BODY_MAX, reading).await;
    attempt
}

/// Returns the wait that an answer asks for.
fn asked_wait(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    retry_after(text(RETRY_AFTER)?, text(DATE), now)
}
