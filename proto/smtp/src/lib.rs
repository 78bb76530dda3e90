//! smtp: see DESIGN.
