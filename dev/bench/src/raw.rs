//! The physical limit: appends to a file, each followed by fdatasync.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Appends of `size` bytes a second, each synced, over `time`.
pub fn appends(folder: &Path, size: usize, time: Duration) -> f64 {
    let path = folder.join("raw");
    let mut file = File::create(&path).expect("a file on the disk to measure");
    let frame = vec![0x5a; size];
    let start = Instant::now();
    let mut count = 0_u32;
    while start.elapsed() < time {
        file.write_all(&frame).expect("the disk takes a write");
        file.sync_data().expect("the disk syncs");
        count += 1;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    std::fs::remove_file(&path).expect("the file can be removed");
    rate
}

/// Flush requests that the disks have completed since the system started (the kernel's
/// Documentation/admin-guide/iostats.rst, field 16), of whole disks alone.
pub fn flushes() -> u64 {
    let text = std::fs::read_to_string("/proc/diskstats").expect("Linux has /proc/diskstats");
    let flushes = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let whole = Path::new("/sys/block").join(fields.get(2)?).exists();
        whole.then(|| fields.get(18)?.parse::<u64>().ok()).flatten()
    };
    text.lines().filter_map(flushes).sum()
}
