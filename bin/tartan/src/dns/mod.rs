//! `tartan dns`: the DNS records that the configuration makes necessary, and what DNS has of them.
//!
//! [`served`] takes from the configuration what matters to others, [`wanted`] makes records of it, [`look`] asks a
//! resolver, [`record`] judges what it found, [`shown`] prints. It changes nothing, here or in DNS.

mod look;
mod record;
mod served;
mod shown;
mod wanted;

use crate::cli::DnsArgs;
use crate::command::domains;
use crate::error::CliError;
use crate::paths::config_load;
use crate::print::Printer;
use ::address::Domain;
use config::Config;
use look::Look;
use record::{Checked, State};
use served::Served;
use shown::Report;
use std::path::Path;
use wanted::Section;

/// Prints the records of the host and of each domain.
///
/// # Errors
/// When a record that is needed is not there, differs, or cannot be seen.
pub async fn run(args: &DnsArgs, file: &Path, printer: &Printer) -> Result<(), CliError> {
    let config = config_load(file)?;
    let domains = wanted_domains(args, &config, file).await?;
    let look = if args.no_check { None } else { Some(Look::new(args.server, &config)?) };
    let mut served = Served::new(&config, &args.address)?;
    if let Some(look) = &look
        && served.addresses.is_empty()
    {
        served.addresses = look.addresses(&served.hostname).await;
    }
    let mut sections = vec![wanted::host(&served, &domains)];
    sections.extend(domains.iter().map(|domain| wanted::domain(domain.as_str(), &served)));
    let report = report(sections, look.as_ref(), &served).await;
    printer.print(&report, shown::text)?;
    match report.wrong {
        0 => Ok(()),
        wrong => Err(CliError::Failed(format!("DNS records to look after: {wrong}"))),
    }
}

async fn report(sections: Vec<Section>, look: Option<&Look>, served: &Served) -> Report {
    let mut report = Report::new(served);
    for Section { title, records, notes } in sections {
        let checked = match look {
            Some(look) => look.check(records).await,
            None => records.into_iter().map(|record| Checked::new(record, State::Unchecked)).collect(),
        };
        report.add(title, checked, notes);
    }
    report
}

/// Those named, else those of the directory, else the default domain.
async fn wanted_domains(args: &DnsArgs, config: &Config, file: &Path) -> Result<Vec<Domain>, CliError> {
    let parse =
        |name: &str| Domain::parse(name).map_err(|error| CliError::Usage(format!("{name:?}: {error}")));
    if !args.domains.is_empty() {
        return args.domains.iter().map(|name| parse(name)).collect();
    }
    // A system that was never started has no directory yet, and asking for records is no reason to make one.
    let known = if config.system.data.is_dir() { domains(file).await? } else { Vec::new() };
    if known.is_empty() { Ok(vec![parse(&config.system.domain.0)?]) } else { Ok(known) }
}
