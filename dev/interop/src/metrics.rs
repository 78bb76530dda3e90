//! What a running Tartan counts, scraped as Prometheus does.

use std::io::{Read, Write};
use std::net::TcpStream;
use testkit::Trial;

/// The text of `/metrics`.
pub fn text(trial: &Trial) -> String {
    let mut stream = TcpStream::connect(trial.address("metrics")).expect("the metrics listener");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it takes a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers with text");
    text
}

/// The sum of all series of a metric that have each of `labels` (`name="value"`); zero where there is none.
pub fn sum(trial: &Trial, metric: &str, labels: &[&str]) -> f64 {
    sum_in(&text(trial), metric, labels)
}

fn sum_in(text: &str, metric: &str, labels: &[&str]) -> f64 {
    let series = text.lines().filter_map(|line| line.rsplit_once(' '));
    let wanted = series.filter(|(name, _)| {
        let (base, with) = name.split_once('{').unwrap_or((name, ""));
        base == metric && labels.iter().all(|label| with.contains(label))
    });
    wanted.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::sum_in;

    #[test]
    fn series_are_chosen_by_name_and_labels() {
        let text = "# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"1\"} 4\nab 5\n";
        assert!((sum_in(text, "a", &[]) - 7.0).abs() < f64::EPSILON);
        assert!((sum_in(text, "a", &["y=\"2\""]) - 3.0).abs() < f64::EPSILON);
        assert!(sum_in(text, "b", &[]).abs() < f64::EPSILON);
    }
}
