//! interop: see DESIGN.
