//! What a trial says to people: where it is, and how to send and read a first message.

use super::contract::Contract;
use super::quoted;
use crate::print::table;

/// The greeting, with `notes` on what differs from what was asked for.
pub fn text(contract: &Contract, notes: &[String]) -> String {
    let mut text = format!("\nTartan runs a trial of {} and is ready. Ctrl-C ends it.\n", contract.domain);
    text.extend(notes.iter().map(|note| format!("Note: {note}.\n")));
    text += &format!("\n{}\n{}\n", listeners(contract), accounts(contract));
    text += &format!("Send a first message, as the first account to the second:\n\n  {}\n\n", send(contract));
    text += &format!("Read it, as the second account:\n\n  {}\n\n", read(contract));
    text += &format!(
        "Mail for other domains is taken and waits in the queue: nothing leaves this machine\n\
         (relay.remote in the configuration). Look around with:\n\n  \
         {} spool list --config {}\n\n",
        program(),
        quoted(&contract.config)
    );
    text += &files(contract);
    text
}

fn listeners(contract: &Contract) -> String {
    let rows: Vec<Vec<String>> = contract
        .listeners
        .iter()
        .map(|(name, at)| vec![(*name).to_owned(), format!("{}:{}", at.host, at.port), at.tls.to_owned()])
        .collect();
    table(&["LISTENER", "ADDRESS", "TLS"], &rows)
}

fn accounts(contract: &Contract) -> String {
    let people = contract.accounts.iter().map(|account| (&account.login, &account.password));
    let all = people.chain([(&contract.admin.login, &contract.admin.password)]);
    let rows: Vec<Vec<String>> = all.map(|(login, password)| vec![login.clone(), password.clone()]).collect();
    table(&["ACCOUNT", "PASSWORD"], &rows)
}

/// This program, so that the shell finds it.
fn program() -> String {
    std::env::current_exe().map_or("tartan".to_owned(), |path| quoted(&path))
}

/// By curl, as the reading, so that one program is enough; over TLS with the trial's own certificate.
fn send(contract: &Contract) -> String {
    let [from, to] = [0, 1].map(|index| &contract.accounts[index].address);
    format!(
        "printf 'From: {from}\\r\\nTo: {to}\\r\\nSubject: A first message\\r\\n\\r\\nIt works.\\r\\n' | \\\n    \
         {} \\\n    --mail-from {from} --mail-rcpt {to} --upload-file - smtps://127.0.0.1:{}",
        curl(contract, 0),
        contract.port("submissions"),
    )
}

/// curl as one of the accounts, trusting the trial's certificate.
fn curl(contract: &Contract, account: usize) -> String {
    let account = &contract.accounts[account];
    let certificate = quoted(&contract.certificate);
    let (login, password) = (&account.login, &account.password);
    format!("curl --silent --show-error --cacert {certificate} --user '{login}:{password}'")
}

/// The newest message of the inbox.
fn read(contract: &Contract) -> String {
    format!("{} \\\n    'imaps://127.0.0.1:{}/INBOX;MAILINDEX=*'", curl(contract, 1), contract.port("imaps"))
}

fn files(contract: &Contract) -> String {
    format!(
        "configuration  {}\ncertificate    {}\ndata           {}\n",
        contract.config.display(),
        contract.certificate.display(),
        contract.data.display()
    )
}
