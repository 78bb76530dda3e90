//! The server side of TLS: certificates by SNI, reloaded in place.

use crate::certificate::is_for;
use crate::connection::Plain;
use crate::watch::FilesWatch;
use crate::{CertificateFiles, Connection, NetError, TlsInfo};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsStream;

/// The certificates of this host, the default first. Cheap to clone; all clones reload together.
#[derive(Clone, Debug)]
pub struct TlsStore {
    acceptor: TlsAcceptor,
    certificates: Arc<Certificates>,
    watch: Arc<Mutex<Option<FilesWatch>>>,
}

/// Puts TLS on connections, with the certificates that the store has at that moment.
#[derive(Clone)]
pub struct TlsAcceptor(tokio_rustls::TlsAcceptor);

/// What the handshake chooses from.
#[derive(Debug)]
struct Certificates {
    files: ArcSwap<Vec<CertificateFiles>>,
    loaded: ArcSwap<Vec<Arc<CertifiedKey>>>,
}

impl TlsStore {
    /// Loads `files`, the default first, and watches them from then on.
    ///
    /// # Errors
    /// [`NetError::Certificate`] when a file is unusable or none is given.
    pub fn open(files: Vec<CertificateFiles>) -> Result<Self, NetError> {
        let loaded = ArcSwap::from_pointee(load_all(&files)?);
        let certificates = Arc::new(Certificates { files: ArcSwap::from_pointee(files), loaded });
        let acceptor = TlsAcceptor::new(certificates.clone());
        let store = Self { acceptor, certificates, watch: Arc::default() };
        store.watch();
        Ok(store)
    }

    /// The store of one self-signed certificate kept in `dir`, for a trial.
    pub fn self_signed(dir: &Path, names: &[String]) -> Result<Self, NetError> {
        Self::open(vec![CertificateFiles::self_signed(dir, names)?])
    }

    /// What listeners and STARTTLS use; it sees every reload.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Reads all files again. Handshakes from now on use what was read; sessions go on.
    ///
    /// # Errors
    /// As [`TlsStore::open`], the first; a certificate that cannot be read stays in use as it was, the others are renewed.
    pub fn reload(&self) -> Result<(), NetError> {
        self.certificates.reload()
    }

    /// Reads `files` and uses and watches them from now on.
    ///
    /// # Errors
    /// As [`TlsStore::open`]; the certificates in use stay in use.
    pub fn replace(&self, files: Vec<CertificateFiles>) -> Result<(), NetError> {
        let loaded = load_all(&files)?;
        let is_other = **self.certificates.files.load() != files;
        self.certificates.files.store(Arc::new(files));
        self.certificates.loaded.store(Arc::new(loaded));
        if is_other {
            self.watch();
        }
        Ok(())
    }

    fn watch(&self) {
        let changed = reload_logged(self.certificates.clone());
        *self.watch.lock() = FilesWatch::start(&self.certificates.files.load(), changed);
    }
}

fn load_all(files: &[CertificateFiles]) -> Result<Vec<Arc<CertifiedKey>>, NetError> {
    if files.is_empty() {
        return Err(crate::certificate::unusable(Path::new(""), "no certificate is configured"));
    }
    files.iter().map(CertificateFiles::load).collect()
}

/// What the watch calls when a file has changed.
fn reload_logged(certificates: Arc<Certificates>) -> impl Fn() + Send + 'static {
    move || {
        let reloaded = certificates.reload();
        let result = if reloaded.is_ok() { "ok" } else { "failed" };
        metrics::counter!("tartan_net_certificate_reloads_total", "result" => result).increment(1);
        match reloaded {
            Ok(()) => tracing::info!("certificates reloaded"),
            Err(error) => tracing::error!(%error, "a certificate is not reloaded, the old one stays in use"),
        }
    }
}

impl Certificates {
    fn reload(&self) -> Result<(), NetError> {
        let mut loaded = Vec::clone(&self.loaded.load());
        let mut result = Ok(());
        for (files, certified) in self.files.load().iter().zip(&mut loaded) {
            match files.load() {
                Ok(read) => *certified = read,
                Err(error) => result = result.and(Err(error)),
            }
        }
        self.loaded.store(Arc::new(loaded));
        result
    }

    /// The first certificate that is valid for `name`; the first of all where none is.
    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.loaded.load();
        let name = name.and_then(|name| DnsName::try_from(name).ok()).map(ServerName::DnsName);
        let named = name.and_then(|name| loaded.iter().find(|certified| is_for(certified, &name)));
        named.or_else(|| loaded.first()).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name())
    }
}

impl TlsAcceptor {
    fn new(certificates: Arc<Certificates>) -> Self {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        Self(tokio_rustls::TlsAcceptor::from(Arc::new(config)))
    }

    /// The server's handshake on a plain connection, within the handshake time.
    ///
    /// # Errors
    /// [`NetError::Tls`], [`NetError::Timeout`], [`NetError::AlreadySecure`].
    pub async fn accept(&self, connection: Connection) -> Result<Connection, NetError> {
        connection.secured(|plain| self.handshake(plain)).await
    }

    async fn handshake(&self, plain: Plain) -> Result<(TlsStream<Plain>, TlsInfo), NetError> {
        let accepted = tokio::time::timeout(limits::TLS_HANDSHAKE_TIME_MAX, self.0.accept(plain)).await;
        let stream =
            accepted.map_err(|_| NetError::Timeout("in the TLS handshake"))?.map_err(NetError::Tls)?;
        let sni = stream.get_ref().1.server_name().map(str::to_owned);
        let info = info(stream.get_ref().1, sni);
        Ok((TlsStream::Server(stream), info))
    }
}

impl std::fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

/// What was settled, for logs and `Received` fields.
pub(crate) fn info<T>(settled: &rustls::ConnectionCommon<T>, sni: Option<String>) -> TlsInfo {
    let version = match settled.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let cipher = settled.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    TlsInfo { version, cipher: cipher.unwrap_or("unknown").to_owned(), sni }
}

/// The one crypto provider of the program.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
