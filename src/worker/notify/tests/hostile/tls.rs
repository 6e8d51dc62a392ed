//! Receivers that speak TLS, and do it badly.

use std::future::pending;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Certificate of the authority that issues most of the others.
pub(super) const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");

/// Key of every receiver.
const KEY: &[u8] = include_bytes!("certificates/receiver.key");

const VALID: &[u8] = include_bytes!("certificates/valid.pem");

/// A receiver that speaks TLS. It presents the certificate of its kind, of which all but two are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// The control: nothing is wrong with it.
    Valid,
    Expired,
    OtherName,
    SelfSigned,
    /// The authority that has issued the certificate is unknown.
    UnknownAuthority,
    /// It wants a certificate of the client's.
    WantsCertificate,
    /// It closes the connection once the request is there, without a word.
    ClosesAfterTheRequest,
    /// It closes the connection after a part of the answer's body, without saying that this is the end.
    CutsTheBodyOff,
    /// It sends what is not TLS after the handshake.
    BreaksOut,
}

impl Tls {
    pub(super) fn is_of_the_authority(self) -> bool {
        !matches!(self, Tls::SelfSigned | Tls::UnknownAuthority)
    }

    pub(super) fn acceptor(self) -> TlsAcceptor {
        let certificate = match self {
            Tls::Expired => include_bytes!("certificates/expired.pem").as_slice(),
            Tls::OtherName => include_bytes!("certificates/wrong-name.pem"),
            Tls::SelfSigned => include_bytes!("certificates/self-signed.pem"),
            Tls::Valid
            | Tls::UnknownAuthority
            | Tls::WantsCertificate
            | Tls::ClosesAfterTheRequest
            | Tls::CutsTheBodyOff
            | Tls::BreaksOut => VALID,
        };
        let certificate = CertificateDer::from_pem_slice(certificate).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.expect("its own versions");
        let builder = if self == Tls::WantsCertificate {
            let mut roots = RootCertStore::empty();
            let authority = CertificateDer::from_pem_slice(AUTHORITY).expect("a certificate");
            roots.add(authority).expect("an authority");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("an authority is there"))
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(vec![certificate], key);
        TlsAcceptor::from(Arc::new(config.expect("they belong together")))
    }

    /// Treats a connection.
    pub(super) async fn treat(self, acceptor: &TlsAcceptor, peer: TcpStream) {
        let Ok(mut tls) = acceptor.accept(peer).await else {
            return;
        };
        let mut request = [0; 4096];
        let _ = tls.read(&mut request).await;
        let answer: &[u8] = match self {
            Tls::ClosesAfterTheRequest => return,
            Tls::CutsTheBodyOff => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
            Tls::BreaksOut => {
                let (peer, _) = tls.get_mut();
                let _ = peer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                return pending().await;
            }
            Tls::Valid
            | Tls::Expired
            | Tls::OtherName
            | Tls::SelfSigned
            | Tls::UnknownAuthority
            | Tls::WantsCertificate => {
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
        };
        let _ = tls.write_all(answer).await;
        let _ = tls.flush().await;
    }
}
