//! net: see DESIGN.
