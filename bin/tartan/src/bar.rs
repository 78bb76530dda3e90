//! A progress bar, where a person looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows on a terminal's standard error how many bytes of how many are done; nothing elsewhere.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar for what `doing` says.
    pub fn new(doing: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg} {bar:30} {bytes} of {total_bytes}, {eta} left");
        bar.set_style(style.expect("the template is written as indicatif reads it"));
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
