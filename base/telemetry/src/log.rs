//! Structured logs on standard error.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line an event.
    #[default]
    Text,
    /// One JSON object a line, span fields (`session`, `queue_id`) included.
    Json,
}

/// What is logged and how.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// `LEVEL` or `CRATE=LEVEL,...`, as `tracing_subscriber::EnvFilter` reads it.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not parse.
    #[error("log filter {filter:?} is not understood: {reason}")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What the parser says.
        reason: String,
    },
    /// Logging was set up before in this process, or has been torn down.
    #[error("logging is already set up or gone")]
    State,
}

/// Changes the filter of a running process.
#[derive(Clone, Debug)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    /// Puts a new filter in force at once.
    pub fn filter_change(&self, filter: &str) -> Result<(), LogError> {
        self.0.reload(filter_parse(filter)?).map_err(|_| LogError::State)
    }
}

/// Whether a filter can be put in force.
///
/// # Errors
/// [`LogError::Filter`], with the reason.
pub fn log_filter_check(filter: &str) -> Result<(), LogError> {
    filter_parse(filter).map(drop)
}

fn filter_parse(filter: &str) -> Result<EnvFilter, LogError> {
    let refused = |reason| LogError::Filter { filter: filter.to_owned(), reason };
    // A word alone that is no level would be taken for a crate, and all else would fall silent.
    let is_level = |part: &str| part.contains(['=', '[']) || part.trim().parse::<LevelFilter>().is_ok();
    if let Some(part) = filter.split(',').find(|part| !is_level(part)) {
        return Err(refused(format!("{part:?} is neither a level nor CRATE=LEVEL")));
    }
    EnvFilter::try_new(filter).map_err(|error| refused(error.to_string()))
}

/// Sets up logging for the whole process, to standard error. Called once.
pub fn log_init(settings: &LogSettings) -> Result<LogHandle, LogError> {
    let (filter, handle) = reload::Layer::new(filter_parse(&settings.filter)?);
    let registry = tracing_subscriber::registry().with(filter);
    let writer = std::io::stderr;
    let done = match settings.format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(writer).with_ansi(false)).try_init(),
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .with_writer(writer)
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(true),
            )
            .try_init(),
    };
    done.map_err(|_| LogError::State)?;
    Ok(LogHandle(handle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_named_and_a_good_one_accepted() {
        let error = filter_parse("relay=loud").expect_err("no such level");
        assert!(error.to_string().contains("relay=loud"));
        filter_parse("info,relay=debug").expect("a level and a crate's level");
        filter_parse("info,[session]=trace").expect("the level of a span");
        for lone in ["loud", "wran,relay=info"] {
            assert!(filter_parse(lone).is_err(), "{lone:?}");
        }
    }
}
