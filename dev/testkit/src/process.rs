//! The processes of a server: found in /proc below its first one, counted, and ended by pid.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

/// Time for a server to end by itself before it is killed.
const END: Duration = Duration::from_secs(5);

/// USER_HZ, which Linux fixes at 100 for what /proc shows.
const TICK: Duration = Duration::from_millis(10);

/// A process and all below it.
#[derive(Debug, Clone, Copy)]
pub struct Tree {
    root: u32,
}

/// What proc(5) says of a process in its `stat`.
#[derive(Debug, Clone, Copy)]
struct Stat {
    parent: u32,
    zombie: bool,
    /// User and system time, of the process and of the children it has waited for.
    ticks: u64,
    /// Tells a process from a later one with its pid.
    started: u64,
}

impl Tree {
    /// The tree below the process `root`.
    pub fn of(root: u32) -> Tree {
        Tree { root }
    }

    /// The pid of its first process.
    pub fn root(&self) -> u32 {
        self.root
    }

    /// All its processes that live now, the first one in front.
    pub fn pids(&self) -> Vec<u32> {
        self.members().into_iter().map(|(pid, _)| pid).collect()
    }

    /// User and system time of all of it so far; of processes that have ended, too, where they were waited for.
    pub fn cpu(&self) -> Duration {
        time(self.members().iter().map(|(_, stat)| stat.ticks).sum())
    }

    /// Asks the first process to end, and when it has, or has not within five seconds, kills whatever is left.
    pub fn end(&self) {
        let members = self.members();
        signal(self.root, Signal::TERM);
        gone(&members[..members.len().min(1)], END);
        members.iter().filter(|member| lives(member)).for_each(|(pid, _)| signal(*pid, Signal::KILL));
        gone(&members, END);
    }

    fn members(&self) -> Vec<(u32, Stat)> {
        let all = processes();
        let mut members: Vec<_> = all.get(&self.root).map(|stat| (self.root, *stat)).into_iter().collect();
        let mut next = 0;
        while let Some((parent, _)) = members.get(next).copied() {
            members.extend(
                all.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, stat)| (*pid, *stat)),
            );
            next += 1;
        }
        members
    }
}

/// A child process with all below it; ended when dropped.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    /// Its processes.
    pub tree: Tree,
}

impl Guard {
    /// Takes the responsibility for a process that was just started.
    pub fn new(child: Child) -> Guard {
        Guard { tree: Tree::of(child.id()), child }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tree.end();
        // It has ended; this takes its entry from the process table.
        let _ = self.child.wait();
    }
}

/// Waits, no longer than `limit`, until they have ended.
fn gone(members: &[(u32, Stat)], limit: Duration) {
    let end = Instant::now() + limit;
    while members.iter().any(lives) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// User and system time of one process so far, and of the children it has waited for.
pub fn cpu(pid: u32) -> Duration {
    time(read(pid).map_or(0, |stat| stat.ticks))
}

fn time(ticks: u64) -> Duration {
    TICK * u32::try_from(ticks).expect("less than a year")
}

/// Whether there is such a process, and it has not ended.
pub fn runs(pid: u32) -> bool {
    read(pid).is_some_and(|stat| !stat.zombie)
}

fn lives((pid, stat): &(u32, Stat)) -> bool {
    read(*pid).is_some_and(|now| now.started == stat.started && !now.zombie)
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself; whoever waits for it sees that.
        let _ = kill_process(pid, signal);
    }
}

fn processes() -> BTreeMap<u32, Stat> {
    let folder = fs::read_dir("/proc").expect("Linux has /proc");
    let pids = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, read(pid)?))).collect()
}

fn read(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc(5): the fields are counted after the name, which stands in parentheses and may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        zombie: fields.first() == Some(&"Z"),
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
        started: number(19)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Guard, Tree, runs};
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn a_guard_ends_all_below_it() {
        let shell = Command::new("sh").args(["-c", "sleep 60 & sleep 60 & wait"]).spawn().expect("sh runs");
        let guard = Guard::new(shell);
        let mut pids = guard.tree.pids();
        while pids.len() < 3 {
            std::thread::sleep(Duration::from_millis(5));
            pids = guard.tree.pids();
        }
        drop(guard);
        assert!(!pids.iter().any(|pid| runs(*pid)), "{pids:?}");
    }

    #[test]
    fn work_done_counts() {
        let tree = Tree::of(std::process::id());
        let before = tree.cpu();
        let mut sum = 0_u64;
        while tree.cpu() < before + Duration::from_millis(20) {
            sum = (0..1_000_000_u64).fold(sum, |sum, next| sum ^ next.wrapping_mul(31));
        }
        assert_eq!(tree.pids()[0], tree.root(), "{sum}");
    }
}
