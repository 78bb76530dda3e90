//! directory: see DESIGN.
