//! A machine with a systemd of its own, made of this one's files: for what only a service manager shows.
//!
//! It needs root, as the packages do that are installed in it. Nothing of the host changes: see `machine.sh`.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use testkit::program::{eventually, output};

/// Time for systemd to be there.
const BOOT: Duration = Duration::from_secs(60);

/// A machine that runs; it ends when it is dropped.
pub struct Machine {
    unshare: Child,
    /// Its first process, as the host numbers it.
    init: u32,
    folder: TempDir,
}

impl Machine {
    /// Boots it.
    pub fn boot() -> Self {
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        assert!(is_root, "a machine of its own needs root: run this test as root, or leave it to CI");
        let folder = TempDir::with_prefix("tartan-machine-").expect("a folder");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/machine.sh");
        let mut command = Command::new("unshare");
        command.args(["--mount", script]).arg(folder.path()).stdout(Stdio::null());
        let mut unshare = command.spawn().expect("unshare starts");
        let init = eventually(BOOT, "the first process of the machine", || {
            if let Some(status) = unshare.try_wait().expect("it can be waited for") {
                panic!("the machine ended: {status}");
            }
            child_of(unshare.id())
        });
        let machine = Self { unshare, init, folder };
        eventually(BOOT, "systemd in the machine", || {
            machine.output("systemctl is-system-running --wait").status.success().then_some(())
        });
        machine
    }

    /// Runs a command of the shell in it, as root, whatever its end.
    pub fn output(&self, command: &str) -> Output {
        self.fed(command, b"")
    }

    /// Runs a command of the shell in it; its output, which is an error where the command fails.
    pub fn run(&self, command: &str) -> String {
        let output = self.output(command);
        let text = shown(&output);
        assert!(output.status.success(), "{command}: {}\n{text}\n{}", output.status, self.log());
        text
    }

    /// The output of a command that must fail.
    pub fn fails(&self, command: &str) -> String {
        let output = self.output(command);
        let text = shown(&output);
        assert!(!output.status.success(), "{command} succeeds\n{text}");
        text
    }

    /// Writes a file in it.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let output = self.fed(&format!("cat >{path}"), bytes);
        assert!(output.status.success(), "{path}: {}", shown(&output));
    }

    /// What its services have logged.
    pub fn log(&self) -> String {
        shown(&self.output("journalctl --no-pager --output=cat"))
    }

    fn fed(&self, command: &str, input: &[u8]) -> Output {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &self.init.to_string()]);
        nsenter.args(["--mount", "--pid", "--cgroup", "--ipc", "--uts", "--net", "--root", "--wd"]);
        nsenter.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", command]);
        output(&mut nsenter, input)
    }
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The script becomes the second `unshare`, whose only child is the machine's first process once that is systemd.
fn child_of(process: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    let child = children.split_whitespace().next()?.parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
    (name == "systemd\n").then_some(child)
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With its first process the kernel ends all others.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        let name = self.folder.path().file_name().unwrap_or_default().to_owned();
        for mounted in cgroup_roots() {
            eventually(BOOT, "the end of the machine's processes", || cgroup_remove(&mounted.join(&name)));
        }
    }
}

/// Where the host has its control groups of version 2.
fn cgroup_roots() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields.filter(|fields| fields.get(2) == Some(&"cgroup2")).map(|fields| fields[1].into()).collect()
}

/// Removes a group with those below it; none while one of them has a process.
fn cgroup_remove(group: &PathBuf) -> Option<()> {
    let Ok(entries) = fs::read_dir(group) else { return Some(()) };
    let below = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    below.map(|group| cgroup_remove(&group)).collect::<Option<Vec<()>>>()?;
    fs::remove_dir(group).ok()
}
