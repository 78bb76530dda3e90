//! receive: see DESIGN.
