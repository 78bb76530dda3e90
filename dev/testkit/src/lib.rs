//! testkit: see DESIGN.
