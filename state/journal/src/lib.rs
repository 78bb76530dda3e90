//! journal: see DESIGN.
