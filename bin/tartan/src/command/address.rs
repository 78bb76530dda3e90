//! `tartan address`.

use super::owner::refused;
use crate::cli::AddressCommand;
use crate::error::CliError;
use crate::print::{Printer, table};
use ::address::Address;
use admin::AdminClient;
use directory::AddressEntry;

pub async fn run(command: AddressCommand, client: &AdminClient, printer: &Printer) -> Result<(), CliError> {
    match command {
        AddressCommand::List { target } => list(target.as_deref(), client, printer).await,
        AddressCommand::Add { address, targets } => {
            let targets = targets.iter().map(|target| parse(target)).collect::<Result<_, _>>()?;
            client.address_add(parse(&address)?, targets).await.map_err(refused)?;
            printer.done(&format!("address {address} added"))
        }
        AddressCommand::Delete { address } => {
            client.address_delete(&parse(&address)?).await.map_err(refused)?;
            printer.done(&format!("address {address} deleted"))
        }
    }
}

async fn list(target: Option<&str>, client: &AdminClient, printer: &Printer) -> Result<(), CliError> {
    let mut entries = client.address_list().await.map_err(refused)?;
    if let Some(target) = target {
        let wanted = parse(target)?.key();
        entries.retain(|entry| entry.targets.iter().any(|target| target.key() == wanted));
    }
    printer.print(&entries, |all| shown(all))
}

fn parse(address: &str) -> Result<Address, CliError> {
    Address::parse(address).map_err(|error| CliError::Usage(format!("{address:?}: {error}")))
}

fn shown(entries: &[AddressEntry]) -> String {
    let row = |entry: &AddressEntry| {
        let targets: Vec<String> = entry.targets.iter().map(ToString::to_string).collect();
        vec![entry.address.to_string(), targets.join(", ")]
    };
    table(&["ADDRESS", "TARGETS"], &entries.iter().map(row).collect::<Vec<_>>())
}
