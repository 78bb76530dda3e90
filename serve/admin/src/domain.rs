//! Requests about domains, accounts and addresses.

use crate::api::{AccountNew, AddressNew, DomainNew, PasswordNew, PostmasterNew};
use crate::error::ApiError;
use crate::router::AdminHandles;
use address::{AccountName, Address, Domain};
use axum::Json;
use axum::extract::{Path, State};
use directory::{AccountEntry, AddressEntry, DirectoryError, DomainEntry};
use sasl::Password;

type Handles = State<AdminHandles>;
type Answer<T> = Result<Json<T>, ApiError>;

pub(crate) async fn domain_list(State(handles): Handles) -> Answer<Vec<DomainEntry>> {
    Ok(Json(handles.directory()?.domain_list()))
}

pub(crate) async fn domain_add(State(handles): Handles, Json(new): Json<DomainNew>) -> Answer<()> {
    Ok(Json(handles.directory()?.domain_add(new.domain).await?))
}

pub(crate) async fn domain_delete(State(handles): Handles, Path(domain): Path<String>) -> Answer<()> {
    Ok(Json(handles.directory()?.domain_delete(Domain::parse(&domain)?).await?))
}

pub(crate) async fn domain_postmaster(
    State(handles): Handles,
    Path(domain): Path<String>,
    Json(new): Json<PostmasterNew>,
) -> Answer<()> {
    let domain = Domain::parse(&domain)?;
    Ok(Json(handles.directory()?.domain_postmaster(domain, new.account).await?))
}

pub(crate) async fn account_list(State(handles): Handles) -> Answer<Vec<AccountEntry>> {
    Ok(Json(handles.directory()?.account_list()))
}

/// The account first, its mailboxes then: delivery and login make what a crash between them leaves out.
pub(crate) async fn account_add(State(handles): Handles, Json(new): Json<AccountNew>) -> Answer<()> {
    let password = new.password.map(|password| password_new(&password)).transpose()?;
    handles.directory()?.account_add(new.account.clone(), password.as_ref(), new.admin).await?;
    if let Some(mailstore) = &handles.mailstore {
        mailstore.account_ensure(&new.account).await?;
    }
    Ok(Json(()))
}

pub(crate) async fn account_delete(State(handles): Handles, Path(account): Path<String>) -> Answer<()> {
    Ok(Json(handles.directory()?.account_delete(AccountName::parse(&account)?).await?))
}

pub(crate) async fn account_passwd(
    State(handles): Handles,
    Path(account): Path<String>,
    Json(new): Json<PasswordNew>,
) -> Answer<()> {
    let (account, password) = (AccountName::parse(&account)?, password_new(&new.password)?);
    Ok(Json(handles.directory()?.account_passwd(account, &password).await?))
}

fn password_new(password: &str) -> Result<Password, DirectoryError> {
    Password::new(password).map_err(DirectoryError::Password)
}

pub(crate) async fn address_list(State(handles): Handles) -> Answer<Vec<AddressEntry>> {
    Ok(Json(handles.directory()?.address_list()))
}

pub(crate) async fn address_add(State(handles): Handles, Json(new): Json<AddressNew>) -> Answer<()> {
    Ok(Json(handles.directory()?.address_add(new.address, new.targets).await?))
}

pub(crate) async fn address_delete(State(handles): Handles, Path(address): Path<String>) -> Answer<()> {
    Ok(Json(handles.directory()?.address_delete(Address::parse(&address)?).await?))
}
