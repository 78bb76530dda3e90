//! A progress bar, where a person looks.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows on a terminal's standard error how much of how much is done; nothing elsewhere.
pub struct Bar(ProgressBar);

const BYTES: &str = "{msg} {bar:30} {bytes} of {total_bytes}, {eta} left";
const MESSAGES: &str = "{msg} {bar:30} {pos} of {len} messages, {eta} left";

impl Bar {
    /// A bar of bytes for what `doing` says.
    pub fn bytes(doing: &'static str) -> Self {
        Self::new(doing, BYTES)
    }

    /// A bar of messages.
    pub fn messages(doing: String) -> Self {
        Self::new(doing, MESSAGES)
    }

    fn new(doing: impl Into<Cow<'static, str>>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.expect("both templates are written as indicatif reads them"));
        bar.set_message(doing);
        Self(bar)
    }

    /// So many are done.
    pub fn at(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
