//! `tartan serve` under a service manager: what it tells the notify socket (sd_notify(3)).

use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Time for a message of the service; it comes in milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service with a notify socket of its own; killed when dropped.
struct Service {
    child: Child,
    socket: UnixDatagram,
    config: PathBuf,
    _dir: TempDir,
}

fn config_write(path: &Path, level: &str) {
    let text = format!(
        "[system]\nhostname = \"mail.example.org\"\ndomain = \"example.org\"\ndata = \"data\"\n\
         [log]\nfilter = \"{level}\"\n[metrics]\nlisten = []\n\
         [mx]\nlisten = [\"127.0.0.1:0\"]\n\
         [submission]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = []\n\
         [imapd]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = []\n"
    );
    std::fs::write(path, text).expect("written");
}

impl Service {
    fn start(watchdog_usec: Option<&str>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config = dir.path().join("tartan.toml");
        config_write(&config, "info");
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tartan"));
        command.args(["serve", "--config"]).arg(&config).env("NOTIFY_SOCKET", &path).stderr(Stdio::null());
        if let Some(time) = watchdog_usec {
            command.env("WATCHDOG_USEC", time);
        }
        Self { child: command.spawn().expect("it starts"), socket, config, _dir: dir }
    }

    /// The next message whose first line is `first`, as its lines.
    fn told(&self, first: &str) -> Vec<String> {
        loop {
            let mut buffer = [0; 4096];
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{first}: {error}"));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines[0].starts_with(first) {
                return lines;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it runs");
    }

    /// A command on this system: whether it succeeded, and what it printed.
    fn tartan(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tartan"));
        let output = command.args(args).arg("--config").arg(&self.config).output().expect("it starts");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn readiness_is_told_when_everything_serves_and_the_stop_when_it_begins() {
    let mut service = Service::start(None);
    let ready = service.told("READY=1");
    assert!(ready[1].starts_with("STATUS=") && ready[1].contains("mx ready"), "{ready:?}");
    let (answered, status) = service.tartan(&["status"]);
    assert!(answered && status.contains("imap listens on 127.0.0.1:"), "{status}");
    let mx = status.lines().find_map(|line| line.strip_prefix("mx listens on ")).expect("the mx listens");
    testkit::smtp::Client::smtp(mx).expect("it serves at once");
    service.signal(Signal::TERM);
    service.told("STOPPING=1");
    assert!(service.child.wait().expect("it ends").success());
}

#[test]
fn a_reload_by_signal_or_command_begins_with_its_time_and_ends_with_readiness() {
    let service = Service::start(None);
    service.told("READY=1");
    service.signal(Signal::HUP);
    reloaded(&service, "STATUS=imapd ready");

    config_write(&service.config, "warn");
    assert!(service.tartan(&["reload"]).0);
    reloaded(&service, "STATUS=imapd ready");

    let right = std::fs::read_to_string(&service.config).expect("read");
    std::fs::write(&service.config, format!("{right}lissen = []\n")).expect("written");
    service.signal(Signal::HUP);
    reloaded(&service, "STATUS=not reloaded: ");
    let (done, told) = service.tartan(&["reload"]);
    assert!(!done && told.contains("there is no option imapd.lissen"), "{told}");
    reloaded(&service, "STATUS=not reloaded: ");
    let (done, told) = service.tartan(&["status"]);
    assert!(done && told.contains("imapd ready"), "{told}");
}

fn reloaded(service: &Service, status: &str) {
    let reloading = service.told("RELOADING=1");
    let time = reloading[1].strip_prefix("MONOTONIC_USEC=").and_then(|time| time.parse::<u64>().ok());
    assert!(time.is_some_and(|time| time > 0), "{reloading:?}");
    let ready = service.told("READY=1");
    assert!(ready[1].starts_with(status), "{ready:?}");
}

#[test]
fn a_configuration_with_a_mistake_is_never_told_to_be_ready() {
    let mut service = Service::start(None);
    service.told("READY=1");
    service.signal(Signal::TERM);
    assert!(service.child.wait().expect("it ends").success());
    while service.socket.set_nonblocking(true).is_ok() && service.socket.recv(&mut [0; 4096]).is_ok() {}
    std::fs::write(&service.config, "[mx]\nlisten = 25\n").expect("written");
    let path = service.config.with_file_name("notify");
    let ended = Command::new(env!("CARGO_BIN_EXE_tartan"))
        .args(["serve", "--config"])
        .arg(&service.config)
        .env("NOTIFY_SOCKET", path)
        .output()
        .expect("it starts");
    assert_eq!(ended.status.code(), Some(2));
    let mut buffer = [0; 4096];
    let length = service.socket.recv(&mut buffer).expect("a status");
    let told = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(told.starts_with("STATUS=") && told.contains("mx.listen"), "{told}");
    assert!(service.socket.recv(&mut buffer).is_err(), "nothing else");
}

#[test]
fn signs_of_life_come_where_a_watchdog_waits_for_them() {
    let service = Service::start(Some("400000"));
    service.told("READY=1");
    for _ in 0..3 {
        service.told("WATCHDOG=1");
    }
}
