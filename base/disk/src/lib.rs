//! disk: see DESIGN.
