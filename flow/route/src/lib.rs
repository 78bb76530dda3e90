//! route: see DESIGN.
