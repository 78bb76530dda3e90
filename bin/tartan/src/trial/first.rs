//! The first start: the configuration and the accounts.

use super::kept::Kept;
use super::ports::{Ports, local};
use crate::cli::TrialArgs;
use crate::error::CliError;
use crate::paths::file_write;
use ::address::{AccountName, Domain};
use admin::{AccountNew, AdminClient};
use config::{ByteSize, Config};
use std::path::{Path, PathBuf};

const DOMAIN_DEFAULT: &str = "trial.test";
const HEADING: &str = "\
# Written by the first `tartan trial` here; change it as you like, `tartan config reference` lists all options.
# Runs without the trial too: tartan serve --config FILE
";

/// What a trial keeps of the disk, and leaves of it: it may be a small one.
const RESERVE: ByteSize = ByteSize(4 * 1024 * 1024);
const SPACE_LOW: ByteSize = ByteSize(16 * 1024 * 1024);

/// Writes the configuration of a new trial.
pub fn config_write(args: &TrialArgs, file: &Path) -> Result<(), CliError> {
    let domain = args.domain.as_deref().unwrap_or(DOMAIN_DEFAULT);
    let domain =
        Domain::parse(domain).map_err(|error| CliError::Usage(format!("--domain {domain:?}: {error}")))?;
    let config = config(domain.as_str(), Ports::choose(args.port_base)?)?;
    file_write(file, &format!("{HEADING}\n{}", config.to_toml()))
}

fn config(domain: &str, ports: Ports) -> Result<Config, CliError> {
    let least = format!("[system]\nhostname = \"mail.{domain}\"\ndomain = \"{domain}\"\n");
    let mut config = config::check("trial", &least)?;
    config.system.data = PathBuf::from(".");
    config.mx.listen = vec![local(ports.mx)];
    config.submission.listen = vec![local(ports.submission)];
    config.submission.listen_tls = vec![local(ports.submissions)];
    config.imapd.listen = vec![local(ports.imap)];
    config.imapd.listen_tls = vec![local(ports.imaps)];
    config.lmtpd.listen = vec![local(ports.lmtp)];
    config.metrics.listen = vec![local(ports.metrics)];
    (config.journal.reserve, config.journal.space_low) = (RESERVE, SPACE_LOW);
    config.relay.remote = false;
    // All that comes to a trial comes from one address.
    config.limits.connections_per_address = config.limits.connections;
    Ok(config)
}

/// Makes the domain and the accounts, as far as an earlier start has not, and remembers that.
pub async fn accounts_make(client: &AdminClient, data: &Path, kept: &mut Kept) -> Result<(), CliError> {
    if kept.made {
        return Ok(());
    }
    let has = client.account_list().await.map_err(CliError::failed)?;
    let people = kept.accounts.iter().map(|account| (&account.login, &account.password, false));
    let all = [(&kept.admin.login, &kept.admin.password, true)].into_iter().chain(people);
    for (login, password, admin) in all {
        let account = AccountName::parse(login).map_err(CliError::failed)?;
        domain_make(client, account.domain()).await?;
        if has.iter().all(|entry| entry.name != account) {
            let new = AccountNew { account, password: Some(password.clone()), admin };
            client.account_add(&new).await.map_err(CliError::failed)?;
        }
    }
    kept.made = true;
    kept.save(data)
}

async fn domain_make(client: &AdminClient, domain: &Domain) -> Result<(), CliError> {
    let domains = client.domain_list().await.map_err(CliError::failed)?;
    if domains.iter().any(|entry| entry.domain == *domain) {
        return Ok(());
    }
    client.domain_add(domain.clone()).await.map_err(CliError::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trials_configuration_is_a_real_one_that_stays_on_this_machine() {
        let config = config("trial.test", Ports::choose(Some(0)).expect("free ports")).expect("correct");
        let read = config::check("t.toml", &config.to_toml()).expect("correct");
        assert_eq!(read, config);
        assert!(!read.relay.remote);
        let everywhere = [&read.mx.listen, &read.submission.listen, &read.imapd.listen, &read.lmtpd.listen];
        assert!(everywhere.into_iter().flatten().all(|address| address.ip().is_loopback()));
    }
}
