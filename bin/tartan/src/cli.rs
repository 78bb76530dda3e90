//! The command line: every command, argument and flag with its help.

use clap::{Args, Parser, Subcommand};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Where the configuration is looked for when neither `--config` nor `TARTAN_CONFIG` names a file.
pub const CONFIG_DEFAULT: &str = "/etc/tartan/tartan.toml";

const AFTER_HELP: &str = "\
Exit status: 0 done, 1 refused or failed, 2 wrong use or wrong configuration, 3 the running system cannot be reached.
Try it: `tartan trial` starts a whole system in the foreground and prints how to send and read a first message.";

/// One mail system in one program: SMTP in, a durable queue, LMTP, a mail store, IMAP out.
#[derive(Debug, Parser)]
#[command(name = "tartan", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// The configuration file; a trial writes DATA/tartan.toml
    #[arg(long, global = true, value_name = "FILE", env = "TARTAN_CONFIG", default_value = CONFIG_DEFAULT)]
    pub config: PathBuf,
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the roles that the configuration names, in the foreground
    ///
    /// SIGTERM and SIGINT end it cleanly; SIGHUP reloads what can be reloaded and logs what cannot.
    /// Under systemd (Type=notify) it says when it is ready.
    Serve,
    /// Start a whole system to try, in the foreground, on 127.0.0.1
    ///
    /// Makes a configuration, a certificate and accounts in DATA at the first start; started again on
    /// the same DATA it goes on with what is there, on the same ports and with the same passwords.
    /// Mail for other hosts is taken and waits in the queue: nothing leaves this machine.
    Trial(TrialArgs),
    /// Print each role's ports, user and writable paths
    Roles,
    /// Check a configuration file, or print the reference of its options
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the DNS records that the host and its domains need, as a zone file, and check those that can be seen
    ///
    /// What is needed follows from the configuration: only what listens for others is published. Without
    /// a domain, it prints those of all domains. Exit status 1: a record is missing, differs or cannot be seen.
    Dns(DnsArgs),
    /// List, add and delete the domains that mail is taken for
    #[command(subcommand)]
    Domain(DomainCommand),
    /// List, add and delete accounts, and set their passwords
    #[command(subcommand)]
    Account(AccountCommand),
    /// List, add and delete addresses and aliases
    #[command(subcommand)]
    Address(AddressCommand),
    /// Look at the queue and act on its messages
    #[command(subcommand)]
    Spool(SpoolCommand),
    /// Print a message's whole way, hop by hop, and which store each fact came from
    Trace {
        /// A queue id, as in logs and `Received` fields, or a Message-ID with or without <>
        #[arg(value_name = "QUEUE-ID|MESSAGE-ID")]
        message: String,
    },
    /// Print what runs and how much it holds
    Status,
    /// Compare queue, mailboxes and directory with their journals, and read everything in them
    ///
    /// By the running system, which goes on meanwhile, or by itself where none runs. Each finding names what is
    /// damaged; a check does not stop at the first. Exit status: 0 all is well, 1 something is wrong.
    Check {
        /// Make views again that differ from their journal; only while no system runs
        #[arg(long)]
        repair: bool,
    },
    /// Copy queue, mailboxes and directory into a backup while they serve; each run adds a generation and copies what is new
    ///
    /// The configuration file and DATA/tls go along, so the backup may hold a private key; it is its owner's alone. DIR is
    /// outside of the data directory and empty at first. What was copied before it was cut off, the next run need not copy.
    /// `--list` and `--verify` need no running system. Exit status: 0 done and sound, 1 failed or damaged, 2 wrong use.
    Backup(BackupArgs),
    /// Bring back from a backup a whole system, one store, an account or a mailbox
    ///
    /// A whole system goes into an empty directory, and is started there. Of an account, the messages come back that it
    /// does not have in any mailbox, with their flags, dates and ids, into the system that runs or, where none does, into
    /// its data; saying it twice changes nothing more. For that time DIR needs room for a second copy of the mail store.
    /// Exit status: 0 done, 1 failed or something is damaged (what can be read is brought back), 2 wrong use.
    RestoreBackup(RestoreArgs),
    /// Look at the files of journals, beside a running system or without one
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Make the running system read its configuration and certificates again, as SIGHUP does
    Reload,
    /// Write the manual page of each command into a directory, for packages
    #[command(hide = true)]
    Manual {
        /// It must be there
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The backup; made if it is not there
    pub dir: PathBuf,
    /// Keep the newest N generations, and of the files what they need; without it all are kept
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
    /// List the generations
    #[arg(long, conflicts_with_all = ["verify", "keep"])]
    pub list: bool,
    /// Read all files of a generation, the newest or the one that --generation names, and name what is damaged
    #[arg(long, conflicts_with = "keep")]
    pub verify: bool,
    /// The generation to verify, as --list shows it
    #[arg(long, value_name = "TIME", requires = "verify")]
    pub generation: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["data", "account"]))]
pub struct RestoreArgs {
    /// The backup
    pub dir: PathBuf,
    /// The generation, as `tartan backup DIR --list` shows it; without it the newest
    #[arg(long, value_name = "TIME")]
    pub generation: Option<String>,
    /// Bring back a whole system into this data directory, which has none of its stores
    #[arg(long, value_name = "NEWDIR")]
    pub data: Option<PathBuf>,
    /// Only this store: spool, mailstore, directory, tls or configuration
    #[arg(long, value_name = "STORE", requires = "data", conflicts_with = "account")]
    pub store: Option<String>,
    /// Bring back what this account does not have any more
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Only this mailbox and those below it
    #[arg(long, value_name = "MAILBOX", requires = "account", conflicts_with = "data")]
    pub mailbox: Option<String>,
    /// Bring messages back below this mailbox instead of where they were
    #[arg(long, value_name = "MAILBOX", requires = "account", conflicts_with = "data")]
    pub into: Option<String>,
}

/// DIR is a journal's directory, or a store's: DATA/spool, DATA/mailstore, DATA/directory.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Read all of it and name everything that is not as it was written
    ///
    /// Exit status: 0 all is as it was written, 1 something is damaged or cannot be read.
    Verify {
        /// A journal's directory, or a store's
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
    },
    /// Count segments, bytes and records
    Stat {
        /// A journal's directory, or a store's
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
    },
    /// Write what can be read of a damaged journal into a new one, and say what is lost
    ///
    /// Nobody may use the journal meanwhile. Exit status: 0 nothing is lost, 1 something is.
    Salvage {
        /// The damaged journal's directory, or its store's
        from: PathBuf,
        /// The directory of the new one: empty, or not there yet
        into: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct TrialArgs {
    /// The directory of everything the trial keeps
    #[arg(long, value_name = "DIR", default_value = "./tartan-data")]
    pub data: PathBuf,
    /// The first of the ports in a row that a new trial uses; 0 lets the system choose free ones
    ///
    /// Without it, a new trial takes the first free row of ports from 2525 on. A trial that is started
    /// again keeps its ports.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..=65_000))]
    pub port_base: Option<u16>,
    /// The mail domain of a new trial [default: trial.test]
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
}

#[derive(Debug, Args)]
pub struct DnsArgs {
    /// Such as example.org [default: every domain of the system]
    #[arg(value_name = "DOMAIN")]
    pub domains: Vec<String>,
    /// Print the records and look for none
    #[arg(long, conflicts_with = "server")]
    pub no_check: bool,
    /// The name server to ask [default: relay.resolvers, else the host's]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = name_server)]
    pub server: Option<SocketAddr>,
    /// A public address of the host, where it is not the host's own (network address translation); may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub address: Vec<IpAddr>,
}

/// An address, with a port where that is not 53.
fn name_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse().or_else(|_| text.parse().map(|address: IpAddr| (address, 53).into()));
    with_port.map_err(|_| "write 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Report everything that is wrong with a configuration file, with line numbers
    Check {
        /// The file [default: that of --config]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print every option with its meaning, type, unit and default, as Markdown
    Reference,
}

#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// List the domains
    List,
    /// Add a domain; its postmaster is deliverable at once
    Add {
        /// Such as example.org
        domain: String,
    },
    /// Delete a domain that has no accounts and no addresses any more
    Delete {
        /// Such as example.org
        domain: String,
    },
    /// Set which account gets the mail for a domain's postmaster and abuse
    Postmaster {
        /// Such as example.org
        domain: String,
        /// The account [default: the oldest administrator's]
        account: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// List the accounts with their addresses
    List,
    /// Add an account with its address and its mailboxes
    Add {
        /// NAME@DOMAIN, or NAME in the default domain
        account: String,
        /// Make it an administrator's
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Delete an account and the addresses that are its own; its mailboxes stay in the store
    Delete {
        /// NAME@DOMAIN, or NAME in the default domain
        account: String,
    },
    /// Set an account's password
    Passwd {
        /// NAME@DOMAIN, or NAME in the default domain
        account: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
}

/// Where a password comes from. Never from the command line, where others can read it.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct PasswordArgs {
    /// Make a password and print it
    #[arg(long)]
    pub generate: bool,
    /// Read it from the first line of FILE; without this, from a terminal twice or from standard input
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum AddressCommand {
    /// List the addresses and what they lead to, but for the accounts' own names (see `account list`)
    List {
        /// Only those that lead to this account or address; without a domain, in the default domain
        #[arg(long, value_name = "TARGET")]
        target: Option<String>,
    },
    /// Add an address that leads to an account, or an alias that leads to several addresses
    Add {
        /// The new address: info@example.org, or info in the default domain
        address: String,
        /// An account or address of this system (NAME in the default domain), or an address elsewhere
        #[arg(required = true, value_name = "TARGET")]
        targets: Vec<String>,
    },
    /// Delete an address
    Delete {
        /// Such as info@example.org, or info in the default domain
        address: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum SpoolCommand {
    /// List the messages in the queue, oldest first
    List,
    /// Print one message's envelope and the state of each recipient
    Show {
        /// As in `spool list`
        queue_id: String,
    },
    /// Try messages now, held ones too
    Retry {
        /// As in `spool list`
        #[arg(required = true, value_name = "QUEUE_ID")]
        queue_ids: Vec<String>,
    },
    /// Keep messages from being tried until `spool retry`
    Hold {
        /// As in `spool list`
        #[arg(required = true, value_name = "QUEUE_ID")]
        queue_ids: Vec<String>,
        /// Shown beside the message
        #[arg(long, default_value = "held by an operator")]
        reason: String,
    },
    /// Delete messages; nobody is told
    Delete {
        /// As in `spool list`
        #[arg(required = true, value_name = "QUEUE_ID")]
        queue_ids: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    fn each(command: &clap::Command, check: &mut impl FnMut(&clap::Command)) {
        check(command);
        command.get_subcommands().for_each(|below| each(below, check));
    }

    #[test]
    fn every_command_and_argument_has_a_help_text() {
        Cli::command().debug_assert();
        each(&Cli::command(), &mut |command| {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
        });
    }
}
