//! imap: see DESIGN.
