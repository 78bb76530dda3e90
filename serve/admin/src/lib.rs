//! The admin API: JSON over HTTP on a unix socket in the data directory, and the client of it.
//!
//! The owner of the state serves it ([`AdminSocket`]); the command line is its first client
//! ([`AdminClient`]). Where no owner runs, the client answers its requests itself from state that the
//! command has opened ([`AdminClient::local`]), so that there is one code path for both.
//!
//! | request | does |
//! |---|---|
//! | `GET /v1/status` | what runs, the queue in numbers, the stores on their disks |
//! | `POST /v1/reload` | as SIGHUP; says what was applied and what waits for a restart |
//! | `POST /v1/check` | whether the stores are what their journals say, and can be read |
//! | `POST /v1/backup`, `POST, DELETE /v1/backup/{id}` | keeps files in place to be copied; goes on, ends |
//! | `GET, POST /v1/domains`, `DELETE /v1/domains/{domain}` | domains |
//! | `PUT /v1/domains/{domain}/postmaster` | who answers for it |
//! | `GET, POST /v1/accounts`, `DELETE /v1/accounts/{account}` | accounts |
//! | `PUT /v1/accounts/{account}/password` | its password |
//! | `GET /v1/accounts/{account}/email-ids`, `POST /v1/accounts/{account}/messages` | what it has; takes a message back |
//! | `GET, POST /v1/addresses`, `DELETE /v1/addresses/{address}` | addresses and aliases |
//! | `GET /v1/spool`, `GET, DELETE /v1/spool/{queue_id}` | the queue |
//! | `POST /v1/spool/{queue_id}/retry`, `.../hold` | act on a message |
//! | `GET /v1/trace?message=QUEUE-ID or MESSAGE-ID` | a message's way, and which store each fact is from |
//!
//! It refuses to authenticate: who may open the socket (mode 0600) is the owner of the data. An error
//! is `{"error": text, "fault": peer|policy|temporary|local|bug}` with a status to match.

mod api;
mod backup;
mod check;
mod client;
mod domain;
mod error;
mod router;
mod serve;
mod spool_api;
mod trace;

pub use api::{
    AccountNew, AddressNew, BackupBegun, DomainNew, HoldReason, MessageRestored, PasswordNew, PostmasterNew,
    ProcessStatus, ReloadReport, RestoredInto, StoreCheck, StoreFile, StoreFiles, StoreStatus, Trace,
    TraceStep,
};
pub use backup::Backups;
pub use client::{AdminClient, AdminError};
pub use router::{AdminHandles, Process};
pub use serve::{AdminSocket, ServeError};
