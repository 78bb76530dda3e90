//! spool: see DESIGN.
