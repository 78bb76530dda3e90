//! `tartan account`.

use super::owner::refused;
use crate::cli::{AccountCommand, PasswordArgs};
use crate::error::CliError;
use crate::password::{self, Chosen};
use crate::print::{Printer, table};
use ::address::{AccountName, Address, Domain};
use admin::{AccountNew, AdminClient};
use directory::{AccountEntry, AddressEntry};
use serde_json::json;

/// Runs the command; an account without a domain is of `default_domain`.
pub async fn run(
    command: AccountCommand,
    default_domain: &str,
    client: &AdminClient,
    printer: &Printer,
) -> Result<(), CliError> {
    let named = |account: &str| parse(account, default_domain);
    match command {
        AccountCommand::List => {
            let addresses = client.address_list().await.map_err(refused)?;
            printer.print(&client.account_list().await.map_err(refused)?, |all| shown(all, &addresses))
        }
        AccountCommand::Add { account, admin, password } => {
            add(named(&account)?, admin, &password, client, printer).await
        }
        AccountCommand::Delete { account } => {
            let account = named(&account)?;
            client.account_delete(&account).await.map_err(refused)?;
            printer.done(&format!("account {account} deleted; its mailboxes stay in the store"))
        }
        AccountCommand::Passwd { account, password } => {
            let (account, chosen) = (named(&account)?, password::choose(&password)?);
            client.account_passwd(&account, chosen.password.clone()).await.map_err(refused)?;
            done(&account, "password set", &chosen, printer)
        }
    }
}

async fn add(
    account: AccountName,
    admin: bool,
    password: &PasswordArgs,
    client: &AdminClient,
    printer: &Printer,
) -> Result<(), CliError> {
    let chosen = password::choose(password)?;
    let new = AccountNew { account, password: Some(chosen.password.clone()), admin };
    client.account_add(&new).await.map_err(refused)?;
    done(&new.account, "account added", &chosen, printer)
}

/// Says so, with the password if it was made here.
fn done(account: &AccountName, what: &str, chosen: &Chosen, printer: &Printer) -> Result<(), CliError> {
    if !chosen.generated {
        return printer.done(&format!("{what}: {account}"));
    }
    let value = json!({"login": account, "password": chosen.password});
    printer.print(&value, |_| format!("{what}: {account}\npassword: {}\n", chosen.password))
}

/// An account by its name; without a domain it is of the default one.
pub fn parse(account: &str, default_domain: &str) -> Result<AccountName, CliError> {
    AccountName::parse_login(account, &domain_parse(default_domain)?)
        .map_err(|error| CliError::Usage(format!("{account:?}: {error}")))
}

/// A domain by its name.
pub fn domain_parse(domain: &str) -> Result<Domain, CliError> {
    Domain::parse(domain).map_err(|error| CliError::Usage(format!("{domain:?}: {error}")))
}

fn shown(accounts: &[AccountEntry], addresses: &[AddressEntry]) -> String {
    if accounts.is_empty() {
        return "there are no accounts: `tartan account add NAME` makes one\n".to_owned();
    }
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let row = |entry: &AccountEntry| {
        let addresses = addresses_of(&entry.name, addresses);
        vec![entry.name.to_string(), yes(entry.admin), yes(entry.has_password), addresses.join(", ")]
    };
    let rows: Vec<_> = accounts.iter().map(row).collect();
    table(&["ACCOUNT", "ADMIN", "PASSWORD", "ADDRESSES"], &rows)
}

/// The account's name, and the addresses that lead to it alone.
fn addresses_of(account: &AccountName, addresses: &[AddressEntry]) -> Vec<String> {
    let name = Address::from(account);
    let leads = |entry: &&AddressEntry| matches!(&entry.targets[..], [target] if target.key() == name.key());
    let others = addresses.iter().filter(leads).map(|entry| entry.address.to_string());
    std::iter::once(name.to_string()).chain(others).collect()
}
