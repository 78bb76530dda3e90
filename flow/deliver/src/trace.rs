//! The trace fields of final delivery: RFC 5321 4.4 (`Return-Path`) and RFC 9228 (`Delivered-To`).

use address::{Address, ReversePath};
use bytes::Bytes;
use disk::Body;
use filter::deliveries_to;
use message::{HeaderIter, header_fields, header_section};

use crate::DeliverError;

/// The message with `Return-Path` and `Delivered-To` on top. A `Return-Path` that it came with is taken out: the
/// field is the last hop's to write.
pub(crate) fn traced(
    body: &Body,
    reverse_path: &ReversePath,
    recipient: &Address,
) -> Result<Body, DeliverError> {
    let header = header(body)?;
    if deliveries_to(recipient, &header) >= limits::DELIVERIES_MAX {
        return Err(DeliverError::Loop(recipient.clone()));
    }
    let fields = format!("Return-Path: {reverse_path}\r\nDelivered-To: {recipient}\r\n");
    if !HeaderIter::new(&header).any(|field| field.is(b"Return-Path")) {
        return Ok(Body::prefixed(Bytes::from(fields), body.clone()));
    }
    let kept = header_fields(&header, &["Return-Path"], true);
    let rest = body.clone().without_front(header.len() as u64);
    Ok(Body::prefixed(Bytes::from([fields.as_bytes(), &kept].concat()), rest))
}

/// The header section with its blank line. A message may be all header.
fn header(body: &Body) -> Result<Bytes, DeliverError> {
    let start = body.read_at(0, limits::HEADER_BYTES_MAX)?;
    match header_section(&start) {
        Some(section) => Ok(start.slice_ref(section)),
        None if start.len() as u64 == body.len() => Ok(start),
        None => Err(DeliverError::HeaderTooBig),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use disk::{BodyWriter, RealDisk};

    use super::*;

    fn ann() -> Address {
        Address::parse("ann@example.org").unwrap()
    }

    fn traced_text(message: &str) -> Result<String, DeliverError> {
        let path = ReversePath::Address(Address::parse("bob@example.com").unwrap());
        let body = traced(&Body::from_bytes(message.as_bytes().to_vec()), &path, &ann())?;
        Ok(String::from_utf8(body.read_all()?.to_vec()).unwrap())
    }

    const FRONT: &str = "Return-Path: <bob@example.com>\r\nDelivered-To: ann@example.org\r\n";

    #[test]
    fn the_fields_stand_on_top() {
        let message = "Subject: x\r\n\r\nReturn-Path: in the text\r\n";
        assert_eq!(traced_text(message).unwrap(), format!("{FRONT}{message}"));
    }

    #[test]
    fn a_return_path_that_came_along_is_taken_out_and_nothing_else() {
        let message =
            "A: 1\r\nReturn-path: <evil@example.com>\r\n (folded)\r\nB: 2\r\n\r\ntext\r\n\r\nmore\r\n";
        let expected = format!("{FRONT}A: 1\r\nB: 2\r\n\r\ntext\r\n\r\nmore\r\n");
        assert_eq!(traced_text(message).unwrap(), expected);
    }

    #[test]
    fn of_a_message_in_a_file_only_the_header_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = BodyWriter::new(Arc::new(RealDisk), dir.path(), 100);
        let text = "text\r\n".repeat(1000);
        writer.write(format!("Return-Path: <x@y>\r\nA: 1\r\n\r\n{text}").as_bytes()).unwrap();
        let body = writer.finish().unwrap();
        let traced = traced(&body, &ReversePath::Null, &ann()).unwrap();
        let expected = format!("Return-Path: <>\r\nDelivered-To: ann@example.org\r\nA: 1\r\n\r\n{text}");
        assert!(traced.is_file());
        assert_eq!(traced.len(), expected.len() as u64);
        assert_eq!(traced.read_all().unwrap(), expected.as_bytes());
    }

    #[test]
    fn a_message_that_was_delivered_here_again_and_again_is_looping_and_one_that_was_sent_again_is_not() {
        let delivered = |times| "Delivered-To: ANN@Example.ORG\r\n".repeat(times) + "\r\n";
        let looping = traced_text(&delivered(limits::DELIVERIES_MAX));
        assert!(matches!(looping, Err(DeliverError::Loop(address)) if address == ann()));
        assert!(traced_text(&delivered(limits::DELIVERIES_MAX - 1)).is_ok());
        let elsewhere = "Delivered-To: bob@example.org\r\n".repeat(limits::DELIVERIES_MAX) + "\r\n";
        assert!(traced_text(&elsewhere).is_ok());
    }

    #[test]
    fn the_null_path_is_written_as_such() {
        let body = traced(&Body::from_bytes(&b"\r\n"[..]), &ReversePath::Null, &ann()).unwrap();
        assert!(body.read_all().unwrap().starts_with(b"Return-Path: <>\r\n"));
    }

    #[test]
    fn a_header_beyond_the_limit_is_refused() {
        let endless = "x".repeat(limits::HEADER_BYTES_MAX + 1);
        assert!(matches!(traced_text(&endless), Err(DeliverError::HeaderTooBig)));
    }
}
