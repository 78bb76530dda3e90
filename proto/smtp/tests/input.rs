//! The receiving machine on input that nobody should send: it never panics, and where the input is cut changes
//! nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use bytes::BytesMut;
use proptest::prelude::*;
use smtp::command::Command;
use smtp::server::{Event, ServerSettings, Session};
use smtp::{Flavour, Reply};

/// All that comes out: the replies, and the events with the pieces of content joined.
fn run(flavour: Flavour, wire: &[u8], step: usize) -> (String, Vec<String>) {
    let mut settings = ServerSettings::new(flavour, "mx.example.org");
    settings.extensions.size = Some(200);
    settings.extensions.auth = vec!["PLAIN".into()];
    settings.recipients_max = 2;
    let mut session = Session::new(Arc::new(settings), true);
    session.accept();
    let (mut input, mut events, mut content) = (BytesMut::new(), vec![], vec![]);
    for piece in wire.chunks(step) {
        input.extend_from_slice(piece);
        while let Some(event) = session.next(&mut input) {
            match &event {
                Event::Piece(piece) => {
                    content.extend_from_slice(piece);
                    continue;
                }
                Event::ContentEnd(_) => {
                    events.push(format!("{:?}", String::from_utf8_lossy(&content)));
                    session.answer_content(vec![Reply::new(250, None, "taken")]);
                }
                Event::ContentRefused(_) | Event::Reset => content.clear(),
                Event::Close => return (String::from_utf8(session.output()).unwrap(), events),
                _ => session.accept(),
            }
            content.clear();
            events.push(format!("{event:?}"));
        }
    }
    (String::from_utf8(session.output()).unwrap(), events)
}

fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "EHLO client.example\r\n",
        "LHLO client.example\r\n",
        "MAIL FROM:<a@b.example>\r\n",
        "MAIL FROM:<> SIZE=100 BODY=8BITMIME\r\n",
        "RCPT TO:<c@d.example>\r\n",
        "DATA\r\n",
        ".\r\n",
        "\r\n.\r\n",
        "..text\r\n",
        "BDAT 4\r\nab\r\n",
        "BDAT 0 LAST\r\n",
        "BDAT 7 LAST\r\nRSET\r\n\r",
        "BDAT 300\r\n",
        "AUTH PLAIN AGEAYg==\r\n",
        "AUTH PLAIN\r\n",
        "*\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "QUIT\r\n",
        "VRFY x\r\n",
        "\r",
        "\n",
    ]);
    prop_oneof![
        6 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0usize..6000).prop_map(|count| vec![b'x'; count]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn where_the_input_is_cut_changes_nothing(
        fragments in prop::collection::vec(fragment(), 0..40),
        lmtp: bool,
        step in 1usize..50,
    ) {
        let flavour = if lmtp { Flavour::Lmtp } else { Flavour::Smtp };
        let wire = fragments.concat();
        prop_assert_eq!(run(flavour, &wire, usize::MAX), run(flavour, &wire, step));
    }

    #[test]
    fn any_line_is_read_or_refused(line: Vec<u8>) {
        if let Err(refusal) = Command::parse(&line, Flavour::Smtp) {
            prop_assert!(refusal.reply().is_permanent());
        }
    }

    #[test]
    fn any_arguments_are_read_or_refused(verb in prop::sample::select(vec!["EHLO", "MAIL", "RCPT", "AUTH", "BDAT"]), rest in "[ -~]{0,60}") {
        let line = format!("{verb} {rest}");
        if let Err(refusal) = Command::parse(line.as_bytes(), Flavour::Smtp) {
            prop_assert!(refusal.reply().is_permanent());
        }
    }
}
