//! mailstore: see DESIGN.
