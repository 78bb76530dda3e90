//! filter: see DESIGN.
