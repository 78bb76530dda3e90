//! From options to the settings of each crate.

use crate::error::CliError;
use crate::paths::DataPaths;
use address::Domain;
use config::{AddressRange, Config, HostPort, ImapQuirk, LmtpEndpoint};
use imapd::{ImapSettings, Quirk};
use journal::{CompactionSettings, JournalSettings};
use lmtpd::LmtpdSettings;
use mailstore::MailstoreSettings;
use mx::MxSettings;
use net::{Network, RoleName};
use receive::ReceiverSettings;
use relay::{Endpoint, RelaySettings, RelayTimes, ResolverSettings};
use route::{FixedRoute, OwnHost, RouteSettings, SmartHost};
use spool::SpoolSettings;
use std::num::NonZeroU32;
use submission::SubmissionSettings;

/// The name under which roles of this process reach its lmtpd.
pub const LMTPD: RoleName = RoleName::new("lmtpd");

pub fn spool(config: &Config, paths: &DataPaths) -> SpoolSettings {
    SpoolSettings {
        dir: paths.spool(),
        hostname: config.system.hostname.0.clone(),
        back_off: config.spool.retries.clone(),
        delay_report_after: config.spool.delay_notice,
        expire_after: config.spool.expiry,
        audit_retention: config.spool.audit_retention,
        compaction: Some(compaction(config)),
        journal: JournalSettings {
            segment_bytes: config.spool.segment_size.0,
            reserve_bytes: config.journal.reserve.0,
            space_low_bytes: config.journal.space_low.0,
            ..JournalSettings::default()
        },
        ..SpoolSettings::default()
    }
}

pub fn mailstore(config: &Config, paths: &DataPaths) -> MailstoreSettings {
    MailstoreSettings {
        segment_bytes: config.mailstore.segment_size.0,
        retention: config.mailstore.retention,
        purge_interval: Some(config.journal.upkeep_interval),
        compaction: Some(compaction(config)),
        reserve_bytes: config.journal.reserve.0,
        space_low_bytes: config.journal.space_low.0,
        ..MailstoreSettings::new(paths.mailstore())
    }
}

/// How journals make room.
pub fn compaction(config: &Config) -> CompactionSettings {
    let usual = CompactionSettings::default();
    let interval = config.journal.upkeep_interval;
    CompactionSettings {
        bytes_per_second: config.journal.compaction_rate.0,
        examine_interval: interval,
        round_interval: usual.round_interval.min(interval),
        ..usual
    }
}

pub fn imapd(config: &Config, paths: &DataPaths) -> ImapSettings {
    ImapSettings {
        temporary_dir: paths.incoming(),
        message_bytes_max: config.limits.message_size.0,
        login_time_max: config.imapd.login_time,
        idle_time_max: config.imapd.idle_time,
        quirks: config.imapd.quirks.iter().filter_map(|quirk| imap_quirk(*quirk)).collect(),
        quirks_by_client: config.imapd.quirks.contains(&ImapQuirk::ByClient),
    }
}

fn imap_quirk(quirk: ImapQuirk) -> Option<Quirk> {
    Some(match quirk {
        ImapQuirk::ByClient => return None,
        ImapQuirk::DelayNewMail => Quirk::DelayNewMail,
        ImapQuirk::ExtraSeparator => Quirk::ExtraSeparator,
        ImapQuirk::LsubNoselect => Quirk::LsubNoselect,
        ImapQuirk::LsubSpecialUse => Quirk::LsubSpecialUse,
        ImapQuirk::SearchWords => Quirk::SearchWords,
    })
}

/// What the three roles that receive have in common.
fn receiver(config: &Config, paths: &DataPaths) -> Result<ReceiverSettings, CliError> {
    Ok(ReceiverSettings {
        hostname: config.system.hostname.0.clone(),
        domain: domain(&config.system.domain.0)?,
        body_dir: paths.incoming(),
        body_memory_bytes_max: config.limits.message_memory.as_usize(),
        message_bytes_max: config.limits.message_size.0,
        recipients_max: count(config.mx.recipients),
        messages_max: count(config.mx.messages),
        domains_max: config.mx.recipient_domains.map_or(usize::MAX, count),
        errors_max: config.mx.errors.get(),
        command_time_max: config.mx.command_time,
        data_time_max: config.mx.data_time,
        data_rate_bytes_min: config.mx.data_rate.0,
        session_time_max: config.mx.session_time,
        ..ReceiverSettings::default()
    })
}

pub fn mx(config: &Config, paths: &DataPaths) -> Result<MxSettings, CliError> {
    let xclient = networks(&config.mx.xclient)?;
    let receiver = ReceiverSettings { xclient, ..receiver(config, paths)? };
    Ok(MxSettings { receiver, hops_max: count(config.mx.hops) })
}

pub fn submission(config: &Config, paths: &DataPaths) -> Result<SubmissionSettings, CliError> {
    let xclient = networks(&config.submission.xclient)?;
    Ok(SubmissionSettings {
        receiver: ReceiverSettings { xclient, ..receiver(config, paths)? },
        hops_max: count(config.mx.hops),
        any_sender: config.submission.any_sender,
    })
}

pub fn lmtpd(config: &Config, paths: &DataPaths) -> Result<LmtpdSettings, CliError> {
    let trusted = networks(&config.lmtpd.trusted)?;
    let receiver = receiver(config, paths)?;
    // What other roles have taken has grown by their trace fields: it must not be too big here.
    let message_bytes_max = receiver.message_bytes_max.saturating_add(limits::TRACE_BYTES_MAX);
    Ok(LmtpdSettings { receiver: ReceiverSettings { message_bytes_max, ..receiver }, trusted })
}

/// Ranges of an option as networks.
pub fn networks(ranges: &[AddressRange]) -> Result<Vec<Network>, CliError> {
    let networks = ranges.iter().map(|range| range.to_string().parse());
    networks.collect::<Result<_, _>>().map_err(|error| CliError::Usage(format!("{error}")))
}

pub fn route(config: &Config) -> Result<RouteSettings, CliError> {
    let host = OwnHost { name: domain(&config.system.hostname.0)?, domain: domain(&config.system.domain.0)? };
    let mut settings = RouteSettings { host: Some(host), ..RouteSettings::default() };
    for (name, host) in &config.relay.routes {
        let to = smart_host(host, config.relay.port);
        match name.strip_prefix('.') {
            _ if name == "*" => settings.smart_host = Some(to),
            Some(above) => settings.fixed.push(FixedRoute { domain: domain(above)?, subdomains: true, to }),
            None => settings.fixed.push(FixedRoute { domain: domain(name)?, subdomains: false, to }),
        }
    }
    Ok(settings)
}

fn smart_host(host: &HostPort, port: u16) -> SmartHost {
    SmartHost { host: host.host.clone(), port: host.port.unwrap_or(port) }
}

/// How names are looked up.
pub fn resolver(config: &Config) -> ResolverSettings {
    ResolverSettings { servers: config.relay.resolvers.clone(), ..ResolverSettings::default() }
}

pub fn relay(config: &Config) -> RelaySettings {
    let usual = RelaySettings::default();
    RelaySettings {
        hello_name: config.system.hostname.0.clone(),
        own_names: config.relay.own_names.iter().map(|name| name.0.clone()).collect(),
        own_listeners: config.mx.listen.clone(),
        remote: config.relay.remote,
        lmtp: match config.relay.lmtp {
            LmtpEndpoint::Pipe => Endpoint::Pipe(LMTPD),
            LmtpEndpoint::Address(address) => Endpoint::Tcp(address),
        },
        smtp_port: config.relay.port,
        resolver: resolver(config),
        times: RelayTimes { connect: config.relay.connect_time, ..usual.times },
        workers_max: count(config.relay.deliveries),
        per_destination_max: count(config.relay.connections_per_destination),
        lmtp_connections_max: count(config.relay.lmtp_connections),
        ..usual
    }
}

fn count(number: NonZeroU32) -> usize {
    usize::try_from(number.get()).unwrap_or(usize::MAX)
}

fn domain(name: &str) -> Result<Domain, CliError> {
    Domain::parse(name).map_err(|error| CliError::Usage(format!("{name:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lmtpd_takes_the_biggest_message_that_mx_takes_with_its_trace_fields() {
        let text = "[system]\nhostname = \"mx.example.org\"\ndomain = \"example.org\"\n[limits]\nmessage_size = \"1 GiB\"\n";
        let config = config::check("tartan.toml", text).unwrap();
        let paths = DataPaths::new(&config.system.data);
        let mx = mx(&config, &paths).unwrap().receiver.message_bytes_max;
        let lmtpd = lmtpd(&config, &paths).unwrap().receiver.message_bytes_max;
        assert!(lmtpd >= mx + limits::TRACE_BYTES_MAX && lmtpd <= limits::STORED_MESSAGE_BYTES_MAX);
    }
}
