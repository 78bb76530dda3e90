//! `tartan domain`.

use super::account::domain_parse;
use super::owner::refused;
use crate::cli::DomainCommand;
use crate::error::CliError;
use crate::print::{Printer, table};
use ::address::AccountName;
use admin::AdminClient;
use directory::DomainEntry;

pub async fn run(command: DomainCommand, client: &AdminClient, printer: &Printer) -> Result<(), CliError> {
    match command {
        DomainCommand::List => printer.print(&client.domain_list().await.map_err(refused)?, |all| shown(all)),
        DomainCommand::Add { domain } => {
            client.domain_add(domain_parse(&domain)?).await.map_err(refused)?;
            printer.done(&format!("domain {domain} added"))
        }
        DomainCommand::Delete { domain } => {
            client.domain_delete(&domain_parse(&domain)?).await.map_err(refused)?;
            printer.done(&format!("domain {domain} deleted"))
        }
        DomainCommand::Postmaster { domain, account } => {
            let domain = domain_parse(&domain)?;
            let account = account.map(|account| AccountName::parse_login(&account, &domain)).transpose();
            let account = account.map_err(|error| CliError::Usage(error.to_string()))?;
            client.domain_postmaster(&domain, account.clone()).await.map_err(refused)?;
            let who = account.map_or("the oldest administrator".to_owned(), |account| account.to_string());
            printer.done(&format!("mail for the postmaster of {domain} goes to {who}"))
        }
    }
}

fn shown(domains: &[DomainEntry]) -> String {
    if domains.is_empty() {
        return "there are no domains: `tartan domain add DOMAIN` makes one\n".to_owned();
    }
    let postmaster = |entry: &DomainEntry| {
        entry.postmaster.as_ref().map_or("(oldest administrator)".to_owned(), ToString::to_string)
    };
    let rows: Vec<_> =
        domains.iter().map(|entry| vec![entry.domain.to_string(), postmaster(entry)]).collect();
    table(&["DOMAIN", "POSTMASTER"], &rows)
}
