//! `tartan dns` beside NSD: a real name server takes what it prints, and it finds there what it printed.

use interop::write;
use serde_json::Value;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use testkit::program::{eventually, python, run};
use testkit::trial::binary;

/// A host with public addresses, as far as documents can have some, and a certificate.
struct Host {
    folder: TempDir,
    config: String,
}

impl Host {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let config = write(
            folder.path(),
            "tartan.toml",
            "[system]\nhostname = \"mail.example.org\"\ndomain = \"example.org\"\ndata = \"data\"\n\
             [tls]\ncertificates = [\".\"]\n\
             [mx]\nlisten = [\"192.0.2.1:25\", \"[2001:db8::1]:25\"]\n\
             [submission]\nlisten = [\"127.0.0.1:587\"]\nlisten_tls = [\"192.0.2.1:465\"]\n\
             [imapd]\nlisten = []\nlisten_tls = [\"192.0.2.1:993\"]\n",
        );
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-subj", "/CN=mail.example.org", "-addext", "subjectAltName=DNS:mail.example.org"]);
        openssl.args(["-keyout", "key.pem", "-out", "certificate.pem"]).current_dir(folder.path());
        run(&mut openssl, b"");
        Self { folder, config }
    }

    fn dns(&self, args: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(["dns", "example.org", "--config", &self.config]).args(args);
        command.output().expect("tartan starts")
    }

    fn printed(&self) -> String {
        let output = self.dns(&["--no-check"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// All records as JSON, once the name server answers; and whether the command succeeded.
    fn checked(&self, server: &Nsd) -> (bool, Vec<Value>) {
        eventually(Duration::from_secs(20), "the name server answers", || {
            let output = self.dns(&["--json", "--server", &server.address]);
            let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let sections = report["sections"].as_array().expect("a list");
            let records: Vec<Value> = sections
                .iter()
                .flat_map(|section| section["records"].as_array().cloned().unwrap_or_default())
                .collect();
            let is_seen = |record: &Value| record["state"] != "unseen";
            records.iter().any(is_seen).then_some((output.status.success(), records))
        })
    }
}

/// A name server for everything; killed when dropped.
struct Nsd {
    child: Child,
    address: String,
}

impl Nsd {
    /// Serves `zone`, in a process that does not go to the background.
    fn start(folder: &Path, zone: &str) -> Self {
        let zone = format!(
            "$ORIGIN .\n. 3600 IN SOA ns. admin. 1 60 60 60 60\n. 3600 IN NS ns.\nns. 3600 IN A 127.0.0.1\n{zone}"
        );
        let file = write(folder, "zone", &zone);
        run(Command::new("/usr/sbin/nsd-checkzone").args([".", &file]), b"");
        let free = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        let base = folder.display();
        let config = write(
            folder,
            "nsd.conf",
            &format!(
                "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n zonesdir: \"{base}\"\n database: \"\"\n \
                 zonelistfile: \"{base}/list\"\n xfrdfile: \"{base}/xfrd\"\n xfrdir: \"{base}\"\n pidfile: \"{base}/pid\"\n \
                 logfile: \"{base}/log\"\nremote-control:\n control-enable: no\nzone:\n name: \".\"\n zonefile: \"zone\"\n"
            ),
        );
        drop(free);
        let mut nsd = Command::new("/usr/sbin/nsd");
        nsd.args(["-d", "-c", &config]).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: nsd.spawn().expect("nsd starts"), address: format!("127.0.0.1:{port}") }
    }
}

impl Drop for Nsd {
    fn drop(&mut self) {
        // SIGTERM ends its other processes too.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn states(records: &[Value], name: &str, kind: &str) -> Vec<String> {
    let of = records.iter().filter(|record| record["name"] == name && record["type"] == kind);
    of.map(|record| record["state"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_name_server_takes_what_is_printed_and_nothing_is_missing_then() {
    let host = Host::new();
    let zone = host.printed();
    let server = Nsd::start(host.folder.path(), &zone);
    let (done, records) = host.checked(&server);
    let not_ok: Vec<&Value> =
        records.iter().filter(|record| record["state"] != "ok" && record["need"] != "elsewhere").collect();
    assert!(done && not_ok.is_empty(), "{not_ok:#?}");
    assert_eq!(records.iter().filter(|record| record["type"] == "SRV").count(), 6);
    assert_eq!(states(&records, "1.2.0.192.in-addr.arpa.", "PTR"), ["ok"]);
    assert!(zone.contains("_imaps._tcp.example.org. 3600 IN SRV 0 1 993 mail.example.org.\n"), "{zone}");
    assert!(
        zone.contains("_submission._tcp.example.org. 3600 IN SRV 0 0 0 .\n"),
        "for this host alone: {zone}"
    );
}

#[test]
fn the_tlsa_record_has_the_digest_that_openssl_makes_of_the_key() {
    let host = Host::new();
    let script = "import subprocess, sys, hashlib\n\
        run = lambda *args, data=None: subprocess.run(args, input=data, capture_output=True, check=True).stdout\n\
        pem = run('openssl', 'x509', '-pubkey', '-noout', '-in', sys.argv[1])\n\
        print(hashlib.sha256(run('openssl', 'pkey', '-pubin', '-outform', 'der', data=pem)).hexdigest())\n";
    let certificate = host.folder.path().join("certificate.pem");
    let digest = python(script, &[certificate.to_str().expect("UTF-8")]);
    let expected = format!("_25._tcp.mail.example.org. 3600 IN TLSA 3 1 1 {}\n", digest.trim());
    assert!(host.printed().contains(&expected), "{expected}");
}

#[test]
fn records_that_are_missing_or_differ_are_told_with_what_is_there() {
    let host = Host::new();
    let changed: Vec<String> = host
        .printed()
        .lines()
        .filter(|line| !line.contains("PTR") && !line.contains("_smtp._tls"))
        .map(|line| {
            line.replace("MX 10 mail.", "MX 10 other.").replace("SRV 0 1 993 mail.", "SRV 0 1 993 old.")
        })
        .map(|line| line.replace("\"v=spf1 mx -all\"", "\"v=spf1 ip4:192.0.2.0/24 ~all\""))
        .collect();
    let more = "_dmarc.example.org. 3600 IN TXT \"v=DMARC1; p=reject\"\nexample.org. 3600 IN TXT \"a word of another kind\"\n";
    let server = Nsd::start(host.folder.path(), &format!("{}\n{more}", changed.join("\n")));
    let (done, records) = host.checked(&server);
    assert!(!done);
    for (name, kind, state) in [
        ("example.org.", "MX", "differs"),
        ("example.org.", "TXT", "ok"),
        ("_dmarc.example.org.", "TXT", "differs"),
        ("_imaps._tcp.example.org.", "SRV", "differs"),
        ("1.2.0.192.in-addr.arpa.", "PTR", "missing"),
        ("_smtp._tls.example.org.", "TXT", "missing"),
        ("mail.example.org.", "A", "ok"),
    ] {
        assert_eq!(states(&records, name, kind), [state], "{name} {kind}");
    }
    let text = String::from_utf8(host.dns(&["--server", &server.address]).stdout).expect("UTF-8");
    assert!(text.contains("IN MX 10 mail.example.org. ; DIFFERS, there is: 10 other.example.org."), "{text}");
    assert!(text.contains("ok, as it is: \"v=spf1 ip4:192.0.2.0/24 ~all\""), "{text}");
    assert!(text.contains("IN PTR mail.example.org. ; MISSING"), "{text}");
}

#[test]
fn a_host_that_is_only_an_alias_is_told() {
    let host = Host::new();
    let kept: Vec<String> =
        host.printed().lines().filter(|line| !line.starts_with("mail.")).map(str::to_owned).collect();
    let alias = "mail.example.org. 3600 IN CNAME real.example.org.\nreal.example.org. 3600 IN A 192.0.2.1\n";
    let server = Nsd::start(host.folder.path(), &format!("{}\n{alias}", kept.join("\n")));
    let (done, records) = host.checked(&server);
    assert!(!done);
    let host = records.iter().find(|record| record["type"] == "A").expect("an address");
    assert_eq!(
        (&host["state"], &host["found"][0]),
        (&Value::from("differs"), &Value::from("CNAME real.example.org."))
    );
}

#[test]
fn where_nobody_answers_that_is_said_of_each_record() {
    let host = Host::new();
    let closed = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let output = host.dns(&["--server", &closed.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("IN MX 10 mail.example.org. ; CANNOT BE SEEN: "), "{text}");
}
