//! What a trial says to people: where it is, and how to send and read a first message.

use super::contract::Contract;
use super::quoted;
use crate::print::table;

/// The greeting, with `notes` on what differs from what was asked for.
pub fn text(contract: &Contract, notes: &[String]) -> String {
    let mut text = format!("\nTartan runs a trial of {} and is ready. Ctrl-C ends it.\n", contract.domain);
    text.extend(notes.iter().map(|note| format!("{note}\n")));
    text += &format!("\n{}\n{}\n", listeners(contract), accounts(contract));
    text += &format!("Send a first message, as the first account to the second:\n\n  {}\n\n", send(contract));
    text += &format!("Read it, as the second account:\n\n  {}\n\n", read(contract));
    text += &format!(
        "Mail for other domains is taken and waits in the queue: nothing leaves this machine\n\
         (relay.remote in the configuration). Look around with:\n\n  \
         tartan spool list --config {}\n\n",
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

/// swaks checks no certificate unless it is told to.
fn send(contract: &Contract) -> String {
    let [from, to] = [0, 1].map(|index| &contract.accounts[index]);
    format!(
        "swaks --server 127.0.0.1:{} --tls --auth PLAIN --auth-user {} --auth-password {} \\\n    \
         --from {} --to {} --header 'Subject: A first message' --body 'It works.'",
        contract.port("submission"),
        from.login,
        from.password,
        from.address,
        to.address,
    )
}

/// The newest message of the inbox, over TLS with the trial's own certificate.
fn read(contract: &Contract) -> String {
    let reader = &contract.accounts[1];
    format!(
        "curl --silent --show-error --cacert {} --user '{}:{}' \\\n    'imaps://127.0.0.1:{}/INBOX;MAILINDEX=*'",
        quoted(&contract.certificate),
        reader.login,
        reader.password,
        contract.port("imaps"),
    )
}

fn files(contract: &Contract) -> String {
    format!(
        "configuration  {}\ncertificate    {}\ndata           {}\n",
        contract.config.display(),
        contract.certificate.display(),
        contract.data.display()
    )
}
