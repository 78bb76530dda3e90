//! Certificates and keys as files.

use crate::NetError;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate chain and its private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by its intermediates.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What a certificate is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its SubjectPublicKeyInfo.
    pub der: Vec<u8>,
    /// Whether the certificate is valid for the name that was asked for.
    pub is_for_name: bool,
}

impl CertificateFiles {
    /// Reads both and checks that they belong together.
    pub(crate) fn load(&self) -> Result<Arc<CertifiedKey>, NetError> {
        let chain = self.chain()?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unusable(&self.key, error))?;
        let certified = CertifiedKey::from_der(chain, key, &crate::tls::provider());
        certified.map(Arc::new).map_err(|error| unusable(&self.key, error))
    }

    /// The certificate's public key, and whether the certificate is valid for the host `name`. The key file is not read.
    ///
    /// # Errors
    /// [`NetError::Certificate`] when the file is unusable.
    pub fn public_key(&self, name: &str) -> Result<PublicKey, NetError> {
        let chain = self.chain()?;
        let parsed = ParsedCertificate::try_from(&chain[0]).map_err(|error| unusable(&self.chain, error))?;
        let name = ServerName::try_from(name).map_err(|error| unusable(&self.chain, error))?;
        let is_for_name = verify_server_name(&parsed, &name).is_ok();
        Ok(PublicKey { der: parsed.subject_public_key_info().to_vec(), is_for_name })
    }

    /// The certificates of the chain file: at least one.
    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, NetError> {
        let chain: Vec<_> = CertificateDer::pem_file_iter(&self.chain)
            .and_then(Iterator::collect)
            .map_err(|error| unusable(&self.chain, error))?;
        if chain.is_empty() {
            return Err(unusable(&self.chain, "no certificate in it"));
        }
        Ok(chain)
    }

    /// The self-signed certificate kept in `dir`, made there first where there is none.
    ///
    /// `names` are host names and IP addresses; the key file is readable by its owner alone.
    pub fn self_signed(dir: &Path, names: &[String]) -> Result<Self, NetError> {
        let files = Self { chain: dir.join("certificate.pem"), key: dir.join("key.pem") };
        if !(files.chain.exists() && files.key.exists()) {
            fs::create_dir_all(dir).map_err(|error| unusable(dir, error))?;
            files.generate(names)?;
        }
        Ok(files)
    }

    fn generate(&self, names: &[String]) -> Result<(), NetError> {
        let key = rcgen::KeyPair::generate().map_err(|error| unusable(&self.key, error))?;
        let certificate = parameters(names)
            .and_then(|parameters| parameters.self_signed(&key))
            .map_err(|error| unusable(&self.chain, error))?;
        write(&self.key, 0o600, &key.serialize_pem())?;
        write(&self.chain, 0o644, &certificate.pem())
    }
}

fn parameters(names: &[String]) -> Result<rcgen::CertificateParams, rcgen::Error> {
    let mut parameters = rcgen::CertificateParams::new(names)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    let subject = names.first().map_or("tartan", String::as_str);
    parameters.distinguished_name.push(rcgen::DnType::CommonName, subject);
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    Ok(parameters)
}

/// Writes a file as a whole: under another name first, so that no reader sees half of it.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), NetError> {
    let unfinished = path.with_extension("new");
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|error| unusable(path, error))
}

/// Whether the certificate is valid for `name` (RFC 6125, wildcards included).
pub(crate) fn is_for(certified: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let Some(certificate) = certified.cert.first() else { return false };
    ParsedCertificate::try_from(certificate).and_then(|parsed| verify_server_name(&parsed, name)).is_ok()
}

pub(crate) fn unusable(path: &Path, reason: impl Display) -> NetError {
    NetError::Certificate { path: path.to_owned(), reason: reason.to_string() }
}
