//! lmtpd: see DESIGN.
