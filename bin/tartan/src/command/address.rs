//! `tartan address`.

use super::account::domain_parse;
use super::owner::refused;
use crate::cli::AddressCommand;
use crate::error::CliError;
use crate::print::{Printer, table};
use ::address::{Address, Domain};
use admin::AdminClient;
use directory::AddressEntry;

/// Runs the command; an address without a domain is of `default_domain`.
pub async fn run(
    command: AddressCommand,
    default_domain: &str,
    client: &AdminClient,
    printer: &Printer,
) -> Result<(), CliError> {
    let default_domain = domain_parse(default_domain)?;
    let named = |address: &String| parse(address, &default_domain);
    match command {
        AddressCommand::List { target } => {
            list(target.as_ref().map(named).transpose()?, client, printer).await
        }
        AddressCommand::Add { address, targets } => {
            let address = named(&address)?;
            let targets: Vec<Address> = targets.iter().map(named).collect::<Result<_, _>>()?;
            let added = format!("address {address} added, for {}", joined(&targets));
            client.address_add(address, targets).await.map_err(refused)?;
            printer.done(&added)
        }
        AddressCommand::Delete { address } => {
            let address = named(&address)?;
            client.address_delete(&address).await.map_err(refused)?;
            printer.done(&format!("address {address} deleted"))
        }
    }
}

async fn list(target: Option<Address>, client: &AdminClient, printer: &Printer) -> Result<(), CliError> {
    let mut entries = client.address_list().await.map_err(refused)?;
    if let Some(wanted) = &target {
        entries.retain(|entry| entry.targets.iter().any(|target| target.key() == wanted.key()));
    }
    printer.print(&entries, |all| shown(all, target.as_ref()))
}

/// `local@domain`, or what stands before the `@` in the default domain.
fn parse(address: &str, default_domain: &Domain) -> Result<Address, CliError> {
    let parsed = match address.contains('@') {
        true => Address::parse(address),
        false => Address::parse(&format!("{address}@{default_domain}")),
    };
    parsed.map_err(|error| CliError::Usage(format!("{address:?}: {error}")))
}

fn joined(addresses: &[Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn shown(entries: &[AddressEntry], target: Option<&Address>) -> String {
    if entries.is_empty() {
        let accounts = "accounts' own addresses are in `tartan account list`\n";
        return match target {
            Some(target) => format!("no address leads to {target}; {accounts}"),
            None => format!("no addresses were added; {accounts}"),
        };
    }
    let row = |entry: &AddressEntry| vec![entry.address.to_string(), joined(&entry.targets)];
    table(&["ADDRESS", "LEADS TO"], &entries.iter().map(row).collect::<Vec<_>>())
}
