//! xtask: see DESIGN.
fn main() {}
