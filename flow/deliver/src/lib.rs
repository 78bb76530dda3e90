//! deliver: see DESIGN.
