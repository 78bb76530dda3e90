//! A disk in memory that does what disks do on a bad day.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Disk, File, FileLock, OpenMode};

/// Bytes that reach the disk together or not at all.
const SECTOR_BYTES: usize = 512;

/// What a crash leaves of the changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// All of them: the process died, the machine did not.
    Process,
    /// None of them: the power failed before any reached the disk.
    Power,
    /// Some of them, in any order, torn at sectors; which ones follows from the seed.
    Torn(u64),
}

/// A file system in memory, for tests: counts operations, fails the n-th, forgets at a crash what was not synced.
///
/// It is as unkind as POSIX allows: a name is durable only after [`Disk::sync_dir`], bytes after [`File::sync_data`],
/// and a failed sync drops the bytes it should have written while reads go on to show them. Clones share one disk.
#[derive(Debug, Clone, Default)]
pub struct FaultDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, Entry>,
    names_synced: BTreeMap<PathBuf, Entry>,
    locked: BTreeSet<PathBuf>,
    /// Counts crashes; a handle from before one is dead.
    life: u64,
    operations: u64,
    failing: Option<Failing>,
    /// Bytes of all files that fit.
    capacity: Option<u64>,
    /// Nothing is made durable by a sync.
    sync_ignored: bool,
}

#[derive(Debug, Clone, Copy)]
enum Entry {
    Dir,
    File(usize),
}

#[derive(Debug, Default)]
struct Node {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    at: u64,
    harm: Harm,
}

/// What happens when the turn of an operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// It fails; a write is half done.
    Fails(io::ErrorKind),
    /// It and all after it fail.
    FailsForEver(io::ErrorKind),
    /// It fails and does nothing at all.
    FailsClean(io::ErrorKind),
    /// The disk is full from then on.
    Full,
    /// It is the last: a write is half done, and nothing after it is done at all.
    Dies,
}

impl FaultDisk {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The `n`-th operation from now (1 is the next) fails with `kind`, that one alone.
    pub fn fail_nth(&self, n: u64, kind: io::ErrorKind) {
        self.failing_set(n, Harm::Fails(kind));
    }

    /// The same, but a write that fails has written nothing.
    pub fn fail_nth_clean(&self, n: u64, kind: io::ErrorKind) {
        self.failing_set(n, Harm::FailsClean(kind));
    }

    /// The `n`-th operation from now (1 is the next) is the last: a write is half done, and all after it fail and do
    /// nothing.
    pub fn die_at(&self, n: u64) {
        self.failing_set(n, Harm::Dies);
    }

    /// From the `n`-th operation from now (1 is the next) on the disk has no room but what is given back.
    pub fn full_from(&self, n: u64) {
        self.failing_set(n, Harm::Full);
    }

    /// The `n`-th operation from now (1 is the next) and all after it fail with `kind`.
    pub fn fail_from(&self, n: u64, kind: io::ErrorKind) {
        self.failing_set(n, Harm::FailsForEver(kind));
    }

    /// No operation fails any more, and there is room for all.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        (state.failing, state.capacity) = (None, None);
    }

    /// Whether the turn of the operation that was to fail has come.
    pub fn has_failed(&self) -> bool {
        let state = self.state.lock();
        state.failing.is_some_and(|failing| state.operations >= failing.at)
    }

    /// Bytes of all files together that fit from now on; writes beyond fail with `StorageFull` after a part of them.
    pub fn capacity_set(&self, bytes: u64) {
        self.state.lock().capacity = Some(bytes);
    }

    /// Bytes of all files.
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().used_bytes()
    }

    /// A disk that lies: a sync does nothing and says that it did. Tests of durability must fail on it.
    pub fn sync_ignored(&self, ignored: bool) {
        self.state.lock().sync_ignored = ignored;
    }

    /// Operations so far, failed ones included.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// The process or the machine dies: handles and locks are gone, and of the unsynced changes stays what `crash` says.
    pub fn crash(&self, crash: Crash) {
        let mut state = self.state.lock();
        state.life += 1;
        state.locked.clear();
        state.failing = None;
        let mut dice = Dice(if let Crash::Torn(seed) = crash { seed } else { 0 });
        state.names = state.names_left(crash, &mut dice);
        state.names_synced = state.names.clone();
        state.nodes.iter_mut().for_each(|node| node.crash(crash, &mut dice));
    }

    /// Flips one bit of a stored file, synced or not: what bad media do.
    pub fn damage(&self, path: &Path, offset: u64) {
        let mut state = self.state.lock();
        let Some(Entry::File(index)) = state.names.get(path).copied() else {
            panic!("no file {} to damage", path.display())
        };
        let node = &mut state.nodes[index];
        node.bytes[offset as usize] ^= 1;
        if let Some(byte) = node.synced.get_mut(offset as usize) {
            *byte ^= 1;
        }
    }

    fn failing_set(&self, n: u64, harm: Harm) {
        let mut state = self.state.lock();
        state.failing = Some(Failing { at: state.operations + n, harm });
    }
}

impl State {
    /// Counts an operation and fails it if its turn has come.
    fn operation(&mut self) -> io::Result<()> {
        self.operations += 1;
        let Some(Failing { at, harm }) = self.failing else { return Ok(()) };
        let kind = match harm {
            Harm::Fails(kind) | Harm::FailsClean(kind) if self.operations == at => kind,
            Harm::FailsForEver(kind) if self.operations >= at => kind,
            Harm::Dies if self.operations >= at => io::ErrorKind::Other,
            Harm::Full if self.operations == at => {
                self.capacity = Some(self.used_bytes());
                return Ok(());
            }
            _ => return Ok(()),
        };
        Err(io::Error::new(kind, "injected fault"))
    }

    /// Whether a write that has just failed has done half of its work.
    fn is_half_done(&self) -> bool {
        match self.failing {
            Some(Failing { harm: Harm::FailsClean(_), .. }) => false,
            Some(Failing { harm: Harm::Dies, at }) => self.operations == at,
            _ => true,
        }
    }

    fn used_bytes(&self) -> u64 {
        let bytes = |entry: &Entry| match entry {
            Entry::File(node) => self.nodes[*node].bytes.len() as u64,
            Entry::Dir => 0,
        };
        self.names.values().map(bytes).sum()
    }

    /// Bytes by which files can still grow.
    fn free_bytes(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used_bytes()))
    }

    /// How much of a change fits; an error if that is not all of it.
    fn fitting(&self, node: usize, change: Change) -> (Option<Change>, io::Result<()>) {
        let (free, old) = (self.free_bytes(), self.nodes[node].bytes.len() as u64);
        let grows = change.end().saturating_sub(old);
        if grows <= free {
            return (Some(change), Ok(()));
        }
        let full = Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
        match change {
            Change::SetLen(_) => (None, full),
            Change::Write(offset, mut bytes) => {
                bytes.truncate((old + free).saturating_sub(offset) as usize);
                (Some(Change::Write(offset, bytes)), full)
            }
        }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Entry::File(node)) => Ok(*node),
            Some(Entry::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file_create(&mut self, path: &Path) -> io::Result<usize> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if !parent.as_os_str().is_empty() && !matches!(self.names.get(parent), Some(Entry::Dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.nodes.push(Node::default());
        self.names.insert(path.to_path_buf(), Entry::File(self.nodes.len() - 1));
        Ok(self.nodes.len() - 1)
    }

    fn names_left(&self, crash: Crash, dice: &mut Dice) -> BTreeMap<PathBuf, Entry> {
        match crash {
            Crash::Process => self.names.clone(),
            Crash::Power => self.names_synced.clone(),
            Crash::Torn(_) => self.names_torn(dice),
        }
    }

    /// Each name that differs from its synced state is old or new as the dice say.
    fn names_torn(&self, dice: &mut Dice) -> BTreeMap<PathBuf, Entry> {
        let all: BTreeSet<_> = self.names.keys().chain(self.names_synced.keys()).collect();
        let pick =
            |path: &PathBuf, new: bool| if new { self.names.get(path) } else { self.names_synced.get(path) };
        all.into_iter().filter_map(|path| Some((path.clone(), *pick(path, dice.coin())?))).collect()
    }
}

impl Node {
    fn crash(&mut self, crash: Crash, dice: &mut Dice) {
        let unsynced = std::mem::take(&mut self.unsynced);
        if crash != Crash::Process {
            self.bytes = self.synced.clone();
        }
        if let Crash::Torn(_) = crash {
            unsynced.iter().for_each(|change| self.tear(change, dice));
        }
        self.synced = self.bytes.clone();
    }

    /// Applies a random part of a change: each sector of a write reaches the disk or not.
    fn tear(&mut self, change: &Change, dice: &mut Dice) {
        match change {
            Change::SetLen(_) if dice.coin() => change.apply(&mut self.bytes),
            Change::SetLen(_) => {}
            Change::Write(offset, bytes) => {
                for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if dice.coin() {
                        let offset = offset + (index * SECTOR_BYTES) as u64;
                        Change::Write(offset, sector.to_vec()).apply(&mut self.bytes);
                    }
                }
            }
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.unsynced.push(change);
    }

    fn sync(&mut self) {
        let unsynced = std::mem::take(&mut self.unsynced);
        unsynced.iter().for_each(|change| change.apply(&mut self.synced));
    }
}

impl Change {
    /// How long a file is after it, if it was shorter before.
    fn end(&self) -> u64 {
        match self {
            Self::SetLen(bytes) => *bytes,
            Self::Write(offset, bytes) => offset + bytes.len() as u64,
        }
    }

    fn apply(&self, target: &mut Vec<u8>) {
        match self {
            Self::SetLen(bytes) => target.resize(*bytes as usize, 0),
            Self::Write(offset, bytes) => {
                let (start, end) = (*offset as usize, *offset as usize + bytes.len());
                if target.len() < end {
                    target.resize(end, 0);
                }
                target[start..end].copy_from_slice(bytes);
            }
        }
    }
}

/// A small repeatable source of chance (splitmix64).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn coin(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) & 1 == 1
    }
}

impl Disk for FaultDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let mut state = self.state.lock();
        state.operation()?;
        let node = match (state.file(path), mode) {
            (Ok(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Ok(node), _) => node,
            (Err(e), OpenMode::Create | OpenMode::CreateNew) if e.kind() == io::ErrorKind::NotFound => {
                state.file_create(path)?
            }
            (Err(error), _) => return Err(error),
        };
        Ok(Box::new(FaultFile {
            disk: self.clone(),
            node,
            life: state.life,
            writable: mode != OpenMode::Read,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operation()?;
        let node = state.file(from)?;
        state.names.remove(from);
        state.names.insert(to.to_path_buf(), Entry::File(node));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operation()?;
        state.file(path)?;
        state.names.remove(path);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state.lock();
        state.operation()?;
        if !matches!(state.names.get(dir), Some(Entry::Dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let here = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(here.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let mut state = self.state.lock();
        state.operation()?;
        Ok(state.names.contains_key(path))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operation()?;
        for path in dir.ancestors() {
            state.names.insert(path.to_path_buf(), Entry::Dir);
            state.names_synced.insert(path.to_path_buf(), Entry::Dir);
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operation()?;
        if state.sync_ignored {
            return Ok(());
        }
        let State { names, names_synced, .. } = &mut *state;
        let here = |path: &PathBuf| path.parent() == Some(dir);
        names_synced.retain(|path, _| !here(path));
        names_synced
            .extend(names.iter().filter(|(path, _)| here(path)).map(|(path, entry)| (path.clone(), *entry)));
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let mut state = self.state.lock();
        state.operation()?;
        if !state.locked.insert(path.to_path_buf()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(FaultLock { disk: self.clone(), path: path.to_path_buf(), life: state.life }))
    }

    fn space_free(&self, _path: &Path) -> io::Result<u64> {
        let mut state = self.state.lock();
        state.operation()?;
        Ok(state.free_bytes())
    }
}

#[derive(Debug)]
struct FaultLock {
    disk: FaultDisk,
    path: PathBuf,
    life: u64,
}

impl FileLock for FaultLock {}

impl Drop for FaultLock {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.life == self.life {
            state.locked.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct FaultFile {
    disk: FaultDisk,
    node: usize,
    life: u64,
    writable: bool,
}

impl FaultFile {
    /// Runs one operation on the file's node. A fault still lets `failed` do its harm.
    fn operate<T>(
        &self,
        failed: impl FnOnce(&mut Node),
        work: impl FnOnce(&mut Node) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        if state.life != self.life {
            return Err(dead());
        }
        let counted = state.operation();
        let node = &mut state.nodes[self.node];
        counted.inspect_err(|_| failed(node))?;
        work(node)
    }

    fn change(&self, change: Change, partial: Option<Change>) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut state = self.disk.state.lock();
        if state.life != self.life {
            return Err(dead());
        }
        if let Err(error) = state.operation() {
            let partial = partial.filter(|_| state.is_half_done());
            partial.into_iter().for_each(|partial| state.nodes[self.node].change(partial));
            return Err(error);
        }
        let (fits, done) = state.fitting(self.node, change);
        fits.into_iter().for_each(|change| state.nodes[self.node].change(change));
        done
    }
}

/// What a handle from before a crash says.
fn dead() -> io::Error {
    io::Error::other("the file was opened before the crash")
}

impl File for FaultFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.operate(
            |_| {},
            |node| {
                let rest = node.bytes.get(offset as usize..).unwrap_or_default();
                let read = rest.len().min(buffer.len());
                buffer[..read].copy_from_slice(&rest[..read]);
                Ok(read)
            },
        )
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let half = Change::Write(offset, bytes[..bytes.len() / 2].to_vec());
        self.change(Change::Write(offset, bytes.to_vec()), Some(half))
    }

    fn sync_data(&self) -> io::Result<()> {
        let ignored = self.disk.state.lock().sync_ignored;
        self.operate(
            |node| node.unsynced.clear(),
            |node| {
                if !ignored {
                    node.sync();
                }
                Ok(())
            },
        )
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.change(Change::SetLen(bytes), None)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let longer = bytes > self.len()?;
        if longer { self.set_len(bytes) } else { Ok(()) }
    }

    fn len(&self) -> io::Result<u64> {
        self.operate(|_| {}, |node| Ok(node.bytes.len() as u64))
    }
}
