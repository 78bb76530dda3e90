//! The client of the API.

use crate::api::{
    AccountNew, AddressNew, BackupBegun, DomainNew, HoldReason, MessageRestored, PasswordNew, PostmasterNew,
    ProcessStatus, ReloadReport, RestoredInto, StoreCheck, Trace,
};
use crate::error::ErrorBody;
use crate::router::{AdminHandles, router};
use address::{AccountName, Address, Domain};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode};
use directory::{AccountEntry, AddressEntry, DomainEntry};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use spool::{QueueId, Shown};
use std::io;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;
use tower::ServiceExt;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody serves the socket.
    #[error("cannot reach the running system at {path}: {source}", path = path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The API says no, and why.
    #[error("{0}")]
    Refused(String),
    /// What came back is not what the API sends.
    #[error("the admin socket does not answer as it should: {0}")]
    Protocol(String),
}

impl AdminError {
    fn protocol(error: impl std::fmt::Display) -> Self {
        Self::Protocol(error.to_string())
    }
}

/// A client of the owner of the state.
#[derive(Clone)]
pub struct AdminClient(To);

#[derive(Clone)]
enum To {
    Socket(PathBuf),
    Local(Router),
}

type Done<T> = Result<T, AdminError>;

impl AdminClient {
    /// The client of the process that serves `socket`.
    ///
    /// # Errors
    /// [`AdminError::Unreachable`] when there is none.
    pub async fn connect(socket: &Path) -> Done<Self> {
        let client = Self(To::Socket(socket.to_owned()));
        stream(socket).await?;
        Ok(client)
    }

    /// A client that answers its own requests from `handles`.
    pub fn local(handles: AdminHandles) -> Self {
        Self(To::Local(router(handles)))
    }

    /// What runs.
    pub async fn status(&self) -> Done<ProcessStatus> {
        self.read("/v1/status").await
    }

    /// Checks all stores, which stay in use. Takes as long as reading them does.
    pub async fn check(&self) -> Done<Vec<StoreCheck>> {
        self.send(Method::POST, "/v1/check", &()).await
    }

    /// Has all files kept in place for a backup, and lists them.
    pub async fn backup_begin(&self) -> Done<BackupBegun> {
        self.send(Method::POST, "/v1/backup", &()).await
    }

    /// Says that a backup is still being copied; once a minute at least.
    pub async fn backup_renew(&self, id: &str) -> Done<()> {
        self.send(Method::POST, &path("backup", id, ""), &()).await
    }

    /// Says that a backup is copied.
    pub async fn backup_end(&self, id: &str) -> Done<()> {
        self.send(Method::DELETE, &path("backup", id, ""), &()).await
    }

    /// The ids of all messages that an account has and sees.
    pub async fn email_ids(&self, account: &AccountName) -> Done<Vec<String>> {
        self.read(&path("accounts", account, "/email-ids")).await
    }

    /// Brings a message back.
    pub async fn message_restore(
        &self,
        account: &AccountName,
        into: &RestoredInto,
        message: Bytes,
    ) -> Done<MessageRestored> {
        let RestoredInto { mailbox, flags, internal_date, email_id } = into;
        let (mailbox, flags) = (encoded(mailbox), encoded(flags));
        let into = format!(
            "/messages?mailbox={mailbox}&flags={flags}&internal_date={internal_date}&email_id={email_id}"
        );
        let request = request(Method::POST, &path("accounts", account, &into), "message/rfc822", message)?;
        answer(self.exchange(request).await?).await
    }

    /// Reads configuration and certificates again.
    pub async fn reload(&self) -> Done<ReloadReport> {
        self.send(Method::POST, "/v1/reload", &()).await
    }

    /// All domains.
    pub async fn domain_list(&self) -> Done<Vec<DomainEntry>> {
        self.read("/v1/domains").await
    }

    /// Adds a domain.
    pub async fn domain_add(&self, domain: Domain) -> Done<()> {
        self.send(Method::POST, "/v1/domains", &DomainNew { domain }).await
    }

    /// Deletes a domain.
    pub async fn domain_delete(&self, domain: &Domain) -> Done<()> {
        self.send(Method::DELETE, &path("domains", domain, ""), &()).await
    }

    /// Sets who answers for a domain.
    pub async fn domain_postmaster(&self, domain: &Domain, account: Option<AccountName>) -> Done<()> {
        self.send(Method::PUT, &path("domains", domain, "/postmaster"), &PostmasterNew { account }).await
    }

    /// All accounts.
    pub async fn account_list(&self) -> Done<Vec<AccountEntry>> {
        self.read("/v1/accounts").await
    }

    /// Adds an account.
    pub async fn account_add(&self, new: &AccountNew) -> Done<()> {
        self.send(Method::POST, "/v1/accounts", new).await
    }

    /// Deletes an account.
    pub async fn account_delete(&self, account: &AccountName) -> Done<()> {
        self.send(Method::DELETE, &path("accounts", account, ""), &()).await
    }

    /// Sets an account's password.
    pub async fn account_passwd(&self, account: &AccountName, password: String) -> Done<()> {
        self.send(Method::PUT, &path("accounts", account, "/password"), &PasswordNew { password }).await
    }

    /// All addresses but the accounts' names.
    pub async fn address_list(&self) -> Done<Vec<AddressEntry>> {
        self.read("/v1/addresses").await
    }

    /// Adds an address.
    pub async fn address_add(&self, address: Address, targets: Vec<Address>) -> Done<()> {
        self.send(Method::POST, "/v1/addresses", &AddressNew { address, targets }).await
    }

    /// Deletes an address.
    pub async fn address_delete(&self, address: &Address) -> Done<()> {
        self.send(Method::DELETE, &path("addresses", address, ""), &()).await
    }

    /// All messages in the queue.
    pub async fn spool_list(&self) -> Done<Vec<Shown>> {
        self.read("/v1/spool").await
    }

    /// One message in the queue.
    pub async fn spool_show(&self, queue_id: QueueId) -> Done<Shown> {
        self.read(&path("spool", queue_id, "")).await
    }

    /// Tries a message now.
    pub async fn spool_retry(&self, queue_id: QueueId) -> Done<()> {
        self.send(Method::POST, &path("spool", queue_id, "/retry"), &()).await
    }

    /// Holds a message.
    pub async fn spool_hold(&self, queue_id: QueueId, reason: &str) -> Done<()> {
        let reason = HoldReason { reason: reason.to_owned() };
        self.send(Method::POST, &path("spool", queue_id, "/hold"), &reason).await
    }

    /// Deletes a message.
    pub async fn spool_delete(&self, queue_id: QueueId) -> Done<()> {
        self.send(Method::DELETE, &path("spool", queue_id, ""), &()).await
    }

    /// The way of the messages that `message`, a queue id or Message-ID, names.
    pub async fn trace(&self, message: &str) -> Done<Trace> {
        self.read(&format!("/v1/trace?message={}", encoded(message))).await
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Done<T> {
        self.send(Method::GET, path, &()).await
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: &impl Serialize) -> Done<T> {
        let body = serde_json::to_vec(body).map_err(AdminError::protocol)?;
        let request = request(method, path, "application/json", body)?;
        answer(self.exchange(request).await?).await
    }

    async fn exchange(&self, request: Request<Body>) -> Done<Response<Body>> {
        match &self.0 {
            To::Local(router) => router.clone().oneshot(request).await.map_err(|never| match never {}),
            To::Socket(socket) => {
                let stream = TokioIo::new(stream(socket).await?);
                let (mut sender, driver) = http1::handshake(stream).await.map_err(AdminError::protocol)?;
                tokio::spawn(driver);
                let response = sender.send_request(request).await.map_err(AdminError::protocol)?;
                Ok(response.map(Body::new))
            }
        }
    }
}

fn request(method: Method, path: &str, content_type: &str, body: impl Into<Body>) -> Done<Request<Body>> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    request.header("content-type", content_type).body(body.into()).map_err(AdminError::protocol)
}

async fn stream(socket: &Path) -> Done<UnixStream> {
    let connected = UnixStream::connect(socket).await;
    connected.map_err(|source| AdminError::Unreachable { path: socket.to_owned(), source })
}

async fn answer<T: DeserializeOwned>(response: Response<Body>) -> Done<T> {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), limits::ADMIN_ANSWER_BYTES_MAX).await;
    let body = body.map_err(AdminError::protocol)?;
    if status == StatusCode::OK {
        return serde_json::from_slice(&body).map_err(AdminError::protocol);
    }
    let refusal = serde_json::from_slice::<ErrorBody>(&body);
    let text = || String::from_utf8_lossy(&body).into_owned();
    Err(AdminError::Refused(refusal.map_or_else(|_| text(), |refusal| refusal.error)))
}

fn path(collection: &str, name: impl std::fmt::Display, rest: &str) -> String {
    format!("/v1/{collection}/{}{rest}", encoded(&name.to_string()))
}

/// Percent-encodes all but the unreserved characters (RFC 3986 2.3).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
