//! message: see DESIGN.
