//! mx: see DESIGN.
