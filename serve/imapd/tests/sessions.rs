//! What happens to sessions as a whole: time-outs, stops, logins by SCRAM, TCP.

mod harness;

use std::time::Duration;

use harness::client::Client;
use harness::{House, PASSWORD, USER, pipe, settings};
use imapd::ImapSettings;

async fn connected(house: &House) -> Client {
    let mut client = Client::new(house.connect());
    assert!(client.response().await.unwrap().starts_with("* OK"));
    client
}

async fn logged_in(house: &House) -> Client {
    let mut client = connected(house).await;
    client.command(&format!("a LOGIN {USER} \"{PASSWORD}\"")).await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_log_in_is_sent_away() {
    let house = House::with(ImapSettings { login_time_max: Duration::from_millis(100), ..settings() }).await;
    let mut client = connected(&house).await;
    assert!(client.response().await.unwrap().starts_with("* BYE Autologout"));
    assert_eq!(client.response().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_that_lasts_too_long_ends_with_bye() {
    let house = House::with(ImapSettings { idle_time_max: Duration::from_millis(300), ..settings() }).await;
    let mut client = logged_in(&house).await;
    client.line("b IDLE").await;
    assert!(client.response().await.unwrap().starts_with('+'));
    assert!(client.response().await.unwrap().starts_with("* BYE Autologout"));
    assert_eq!(client.response().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_the_process_is_told_to_waiting_sessions() {
    let house = House::new().await;
    let (wire, shutdown) = house.connect_stoppable().await;
    let mut client = Client::new(wire);
    client.response().await.unwrap();
    client.command(&format!("a LOGIN {USER} \"{PASSWORD}\"")).await;
    client.line("b IDLE").await;
    assert!(client.response().await.unwrap().starts_with('+'));
    shutdown.ask();
    assert!(client.response().await.unwrap().starts_with("* BYE Server is shutting down"));
    assert_eq!(client.response().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_the_client_hangs_up() {
    let house = House::new().await;
    let (wire, session) = house.connect_watched(pipe());
    let mut client = Client::new(wire);
    client.response().await.unwrap();
    drop(client);
    tokio::time::timeout(Duration::from_secs(10), session).await.expect("the session ends").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_breaks_off_leaves_nothing() {
    let house = House::new().await;
    let (wire, session) = house.connect_watched(pipe());
    let mut client = Client::new(wire);
    client.response().await.unwrap();
    client.command(&format!("a LOGIN {USER} \"{PASSWORD}\"")).await;
    client.send(b"b APPEND INBOX {1000+}\r\nSubject: half").await;
    drop(client);
    session.await.unwrap();
    let mut other = logged_in(&house).await;
    let status = other.command("c STATUS INBOX (MESSAGES UIDNEXT)").await;
    assert_eq!(status[0], "* STATUS INBOX (MESSAGES 0 UIDNEXT 1)");
}
