//! A blocking connection of lines, plain or TLS.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Both directions of a connection.
pub trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

/// A connection that is read by lines.
pub struct Lines {
    stream: BufReader<Box<dyn Duplex>>,
}

impl Lines {
    /// Connects without TLS; every read and write may take `wait`.
    pub fn connect(address: &str, wait: Duration) -> Result<Lines> {
        Ok(Lines { stream: BufReader::new(Box::new(tcp(address, wait)?)) })
    }

    /// Connects with TLS and trusts the one certificate in `pem`, for the name in it.
    pub fn connect_tls(address: &str, pem: &Path, name: &str, wait: Duration) -> Result<Lines> {
        let tls = StreamOwned::new(client(pem, name), tcp(address, wait)?);
        Ok(Lines { stream: BufReader::new(Box::new(tls)) })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// The next line with its line end; an error at the end of the stream.
    pub fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }

    /// Exactly `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn tcp(address: &str, wait: Duration) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(wait))?;
    Ok(stream)
}

fn client(pem: &Path, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).expect("a host name");
    ClientConnection::new(tls(pem), name).expect("a client can be made")
}

/// A client of TLS that trusts the one certificate in `pem`.
pub fn tls(pem: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(pem).expect("the certificate file is PEM") {
        roots.add(certificate.expect("a certificate")).expect("it can be trusted");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
