//! What the kernel and the metrics listener say of the running trial.

use std::io::{Read, Write};
use std::net::TcpStream;
use testkit::Trial;

/// CPU time of the process in milliseconds, user and system.
pub fn cpu_ms(trial: &Trial) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", trial.pid())).expect("the trial runs");
    // proc(5): fields 14 and 15, counted after the name in parentheses, in clock ticks.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // USER_HZ, which Linux fixes at 100 for what /proc shows.
    ticks as f64 * 10.0
}

/// Sum of all metrics whose name is `name`, whatever their labels; 0 where there is none.
pub fn metric(trial: &Trial, name: &str) -> f64 {
    let mut stream = TcpStream::connect(trial.address("metrics")).expect("the metrics listener answers");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a response");
    let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
    let value = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
    text.lines().filter(of_name).filter_map(value).sum()
}
