//! imapd: see DESIGN.
