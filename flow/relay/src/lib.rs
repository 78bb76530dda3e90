//! relay: see DESIGN.
