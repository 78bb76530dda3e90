//! address: see DESIGN.
