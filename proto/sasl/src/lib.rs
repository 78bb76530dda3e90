//! sasl: see DESIGN.
