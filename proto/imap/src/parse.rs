//! The parser.

use crate::{Append, AuthLine, CommandError, Line, Request};

pub(crate) fn request(_line: &Line) -> Result<Request, CommandError> {
    unimplemented!("Request::parse")
}

pub(crate) fn append_header(_line: &Line, _octets: u64) -> Option<Result<Append, CommandError>> {
    unimplemented!("LiteralHeader::append")
}

pub(crate) fn auth_line(_line: &[u8]) -> AuthLine {
    unimplemented!("AuthLine::parse")
}
