//! report: see DESIGN.
