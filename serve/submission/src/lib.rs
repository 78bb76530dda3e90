//! submission: see DESIGN.
