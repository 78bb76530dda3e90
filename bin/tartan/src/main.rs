//! tartan: see DESIGN.
fn main() {}
