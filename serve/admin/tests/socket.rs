//! The API as its client meets it: over the socket, and within one process.

use address::{AccountName, Address, Domain};
use admin::{
    AccountNew, AdminClient, AdminError, AdminHandles, AdminSocket, Process, ProcessStatus, ReloadReport,
};
use directory::{Directory, Embedded, PasswordSettings};
use disk::RealDisk;
use net::Shutdown;
use sasl::Password;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

struct Known;

impl Process for Known {
    fn status(&self) -> ProcessStatus {
        ProcessStatus {
            version: "1".to_owned(),
            pid: 7,
            uptime_seconds: 3,
            roles: "mx ready\n".to_owned(),
            listeners: BTreeMap::new(),
            spool: None,
            stores: Vec::new(),
        }
    }

    fn reload(&self) -> Result<ReloadReport, String> {
        Err("t.toml:3: there is no option mx.lissen".to_owned())
    }
}

fn domain() -> Domain {
    Domain::parse("example.org").expect("a domain")
}

fn account(name: &str) -> AccountName {
    AccountName::new(name, domain()).expect("a name")
}

/// Hashes that cost nothing: these tests are not about them.
fn directory(dir: &Path) -> Embedded {
    let dir = dir.join("directory");
    std::fs::create_dir_all(&dir).expect("made");
    let cheap = PasswordSettings {
        argon2_memory_kib: 8,
        argon2_passes: 1,
        scram_iterations: 4_096,
        ..Default::default()
    };
    Embedded::open(Arc::new(RealDisk), &dir, domain(), cheap).expect("opened")
}

fn handles(dir: &Path) -> AdminHandles {
    AdminHandles {
        backups: admin::Backups::default(),
        directory: Some(directory(dir)),
        process: Some(Arc::new(Known)),
        ..AdminHandles::default()
    }
}

fn refusal<T: std::fmt::Debug>(done: Result<T, AdminError>) -> String {
    match done.expect_err("refused") {
        AdminError::Refused(text) => text,
        other => panic!("{other}"),
    }
}

/// What every client must see, wherever its requests are answered.
async fn exercise(client: &AdminClient) {
    client.domain_add(domain()).await.expect("added");
    assert!(refusal(client.domain_add(domain()).await).contains("example.org exists already"));
    let new = AccountNew { account: account("o-neil"), password: Some("one".to_owned()), admin: true };
    client.account_add(&new).await.expect("added");
    let listed = client.account_list().await.expect("listed");
    assert_eq!((listed[0].name.clone(), listed[0].admin), (account("o-neil"), true));
    client.account_passwd(&account("o-neil"), "two".to_owned()).await.expect("set");
    assert!(refusal(client.account_passwd(&account("o-neil"), String::new()).await).contains("password"));

    let info = Address::parse("a/b+c%d@example.org").expect("an address");
    client.address_add(info.clone(), vec![(&account("o-neil")).into()]).await.expect("added");
    assert_eq!(client.address_list().await.expect("listed")[0].address, info);
    client.address_delete(&info).await.expect("deleted");
    assert!(refusal(client.address_delete(&info).await).contains("does not exist"));

    assert!(refusal(client.domain_delete(&domain()).await).contains("accounts 1"));
    client.account_delete(&account("o-neil")).await.expect("deleted");
    client.domain_delete(&domain()).await.expect("deleted");
    assert!(client.domain_list().await.expect("listed").is_empty());

    assert!(refusal(client.spool_list().await).contains("does not run the spool"));
    assert_eq!(client.status().await.expect("told").pid, 7);
    assert!(refusal(client.reload().await).contains("t.toml:3"));
}

#[tokio::test]
async fn a_client_within_the_process_gets_the_same_answers_as_one_over_the_socket() {
    let dir = tempfile::tempdir().expect("a directory");
    exercise(&AdminClient::local(handles(dir.path()))).await;
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_serves_requests_and_goes_at_the_stop() {
    let dir = tempfile::tempdir().expect("a directory");
    let (socket, shutdown) = (dir.path().join("admin.sock"), Shutdown::new());
    std::fs::write(&socket, "left by a dead process").expect("written");
    let bound = AdminSocket::bind(&socket).expect("bound");
    let serving = tokio::spawn(bound.serve(handles(dir.path()), shutdown.clone()));
    let client = AdminClient::connect(&socket).await.expect("it listens");
    let mode = std::fs::metadata(&socket).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    exercise(&client).await;
    shutdown.ask();
    serving.await.expect("ended").expect("in good order");
    assert!(matches!(AdminClient::connect(&socket).await, Err(AdminError::Unreachable { .. })));
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_password_that_was_set_over_the_api_is_the_one_that_fits() {
    let dir = tempfile::tempdir().expect("a directory");
    let handles = handles(dir.path());
    let directory = handles.directory.clone().expect("there");
    let client = AdminClient::local(handles);
    client.domain_add(domain()).await.expect("added");
    let new = AccountNew { account: account("alice"), password: Some("first".to_owned()), admin: false };
    client.account_add(&new).await.expect("added");
    client.account_passwd(&account("alice"), "second".to_owned()).await.expect("set");
    for (password, fits) in [("first", None), ("second", Some(account("alice")))] {
        let password = Password::new(password).expect("a password");
        assert_eq!(directory.verify_password("alice", &password).await.expect("checked"), fits);
    }
}
