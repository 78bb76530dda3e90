//! The calling side: TCP and the client's TLS.

use crate::certificate::unusable;
use crate::connection::Plain;
use crate::tls::{info, provider};
use crate::{Connection, NetError, TlsInfo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

/// Calls `address`, giving up after `time_max`.
///
/// # Errors
/// [`NetError::Timeout`], [`NetError::Io`], [`NetError::Closed`] when the peer resets.
pub async fn connect_tcp(address: SocketAddr, time_max: Duration) -> Result<Connection, NetError> {
    let connected = tokio::time::timeout(time_max, TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| NetError::Timeout("connecting"))?.map_err(NetError::Io)?;
    Ok(Connection::tcp(stream, address)?)
}

/// How the client's side of TLS treats the certificate it is shown. Cheap to clone.
#[derive(Clone)]
pub struct ClientTls(TlsConnector);

impl ClientTls {
    /// Takes any certificate: better than clear text against who only listens (RFC 7435).
    pub fn opportunistic() -> Self {
        let any = AnyCertificate(provider());
        Self::new(|builder| builder.dangerous().with_custom_certificate_verifier(Arc::new(any)))
    }

    /// Demands a certificate for the name that chains up to one of `roots`, a PEM bundle.
    pub fn verified(roots: &Path) -> Result<Self, NetError> {
        let certificates = CertificateDer::pem_file_iter(roots).map_err(|error| unusable(roots, error))?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates.flatten());
        if store.is_empty() {
            return Err(unusable(roots, "no root certificate in it"));
        }
        Ok(Self::new(|builder| builder.with_root_certificates(store)))
    }

    fn new(verify: impl FnOnce(Verifying) -> Verified) -> Self {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3");
        Self(TlsConnector::from(Arc::new(verify(builder).with_no_client_auth())))
    }

    /// The client's handshake on a plain connection, within the handshake time.
    ///
    /// `server_name` is a host name or IP address; it is sent as SNI and, where verified, checked.
    pub async fn connect(&self, connection: Connection, server_name: &str) -> Result<Connection, NetError> {
        connection.secured(|plain| self.handshake(plain, server_name)).await
    }

    async fn handshake(
        &self,
        plain: Plain,
        server_name: &str,
    ) -> Result<(TlsStream<Plain>, TlsInfo), NetError> {
        let name = ServerName::try_from(server_name.trim_end_matches('.').to_owned())
            .map_err(|_| NetError::ServerName(server_name.to_owned()))?;
        let connect = self.0.connect(name, plain);
        let connected = tokio::time::timeout(limits::TLS_HANDSHAKE_TIME_MAX, connect).await;
        let stream =
            connected.map_err(|_| NetError::Timeout("in the TLS handshake"))?.map_err(NetError::Tls)?;
        let info = info(stream.get_ref().1, Some(server_name.to_owned()));
        Ok((TlsStream::Client(stream), info))
    }
}

type Verifying = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;
type Verified = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientTls")
    }
}

/// Checks the handshake's signatures and nothing about whose certificate it is.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
